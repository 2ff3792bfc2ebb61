"""The workflow PasswordRecovery."""

from datetime import timedelta

from temporalio.client import WorkflowExecutionStatus

from mipres.domain.documents import Document, DocumentType
from tests.workflows.conftest import MEDICINE, World
from workflows.password_recovery import PasswordRecovery
from workflows.registration import Registration

STRANGER = Document(type=DocumentType.CC, number="99999999")


async def _with_account(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    world.sets_password()
    await handle.signal(Registration.password_set)
    await handle.result()
    world.mailer.sent.clear()


async def test_an_unknown_document_ends_at_once_and_mails_nothing(world: World) -> None:
    handle = await world.recover(STRANGER)
    await handle.result()
    assert world.mailer.sent == []
    await world.keep(handle, "recovery-unknown")


async def test_a_used_link_ends_with_a_confirmation(world: World) -> None:
    await _with_account(world)
    handle = await world.recover()
    await world.mailed("password_recovery")
    world.accounts.clock.advance(timedelta(seconds=1))
    world.sets_password()
    await handle.signal(PasswordRecovery.password_set)
    await handle.result()
    await world.mailed("password_recovery", "password_changed")
    await world.keep(handle, "recovery-used")


async def test_an_unused_link_is_closed_after_half_an_hour(world: World) -> None:
    await _with_account(world)
    handle = await world.recover()
    await world.mailed("password_recovery")
    await world.passes(handle, timedelta(minutes=31))
    await handle.result()
    assert all(link.closed for link in world.accounts.links.values())
    await world.mailed("password_recovery")
    await world.keep(handle, "recovery-unused")


async def test_asking_again_mails_again_but_not_at_once(world: World) -> None:
    await _with_account(world)
    handle = await world.recover()
    await world.mailed("password_recovery")
    await handle.signal(PasswordRecovery.link_asked)
    await world.passes(handle, timedelta(minutes=4))
    await world.mailed("password_recovery")
    await handle.signal(PasswordRecovery.link_asked)
    await world.mailed("password_recovery", "password_recovery")
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    await world.keep(handle, "recovery-asked-twice")


async def test_recovery_waits_for_a_database_that_is_away(world: World) -> None:
    await _with_account(world)
    world.accounts.down = True
    handle = await world.recover()

    async def waits() -> bool:
        return (await world.attributes(handle)).get("WaitingOn") == ["database"]

    await world.eventually(waits)
    world.accounts.down = False
    await world.passes(handle, timedelta(minutes=1))
    await world.mailed("password_recovery")
