"""The workflow LoginLocked."""

import uuid

from mipres.domain.documents import Document, DocumentType
from mipres.temporal import names
from tests.workflows.conftest import ANA, MEDICINE, Handle, World, told_to_support
from workflows import contract
from workflows.login_locked import LoginLocked
from workflows.registration import Registration


async def lock(world: World, document: Document = ANA) -> Handle:
    reference = f"RC-{uuid.uuid4().hex[:12].upper()}"
    handle = await world.env.client.start_workflow(
        LoginLocked.run,
        contract.LockNoticeRequest(reference=reference, document=document),
        id=names.lock_notice_workflow_id(reference),
        task_queue=names.REGISTRATIONS_QUEUE,
    )
    world.handles[reference] = handle
    return handle


async def test_only_whoever_has_a_password_is_told(world: World) -> None:
    await (await lock(world)).result()
    world.knows(MEDICINE)
    registering, _ = await world.submit()
    await world.mailed("password_link")
    await (await lock(world)).result()
    await world.mailed("password_link")
    world.sets_password()
    await registering.signal(Registration.password_set)
    await registering.result()
    handle = await lock(world)
    await handle.result()
    await world.mailed("password_link", "password_set", "login_locked")
    await world.keep(handle, "lock-notice")
    assert "Soporte no tiene que hacer nada" in await told_to_support(handle)


async def test_a_stranger_is_not_told(world: World) -> None:
    await (await lock(world, Document(type=DocumentType.CC, number="99999999"))).result()
    assert world.mailer.sent == []
