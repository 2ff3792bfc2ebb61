"""The workflow AccessNotices."""

import uuid
from datetime import timedelta

from mipres.domain.access import ACCOUNT_SUSPENDED_WORDS, AccessNotice
from mipres.domain.accounts import AccountContact
from mipres.temporal import names
from tests.workflows.conftest import World, told_to_support
from workflows.access_notices import AccessNotices


async def test_a_mail_that_the_server_does_not_take_goes_out_later(world: World) -> None:
    contact = AccountContact(login="CC1020304050", full_name="Ana Ruiz", email="ana.ruiz@ejemplo.test")
    notice = AccessNotice(id=uuid.uuid4(), contact=contact, words=ACCOUNT_SUSPENDED_WORDS)
    world.access_notices.notices.append(notice)
    world.mailer.down = True
    handle = await world.env.client.start_workflow(
        AccessNotices.run, id="access-notices-of-a-test", task_queue=names.REGISTRATIONS_QUEUE
    )
    world.handles["notices"] = handle

    async def tried() -> bool:
        return world.mailer.attempts > 0

    await world.eventually(tried)
    world.mailer.down = False
    await world.passes(handle, timedelta(minutes=1))
    assert await handle.result() == 1
    await world.mailed("access_changed")
    assert world.access_notices.notices == []
    await world.keep(handle, "access-notices")
    assert "Corre cada minuto" in await told_to_support(handle)
