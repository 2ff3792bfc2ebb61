"""The workflow BackchannelLogouts."""

import uuid
from datetime import timedelta

from mipres.domain.clients import EndedLogin, LogoutAnswer
from mipres.temporal import names
from tests.workflows.conftest import World, told_to_support
from workflows.backchannel_logouts import BackchannelLogouts


async def test_an_application_that_is_down_is_told_when_it_is_back(world: World) -> None:
    login = EndedLogin(
        client_id="app",
        account_id=uuid.uuid4(),
        session_id=uuid.uuid4(),
        ended_at=world.clock.now(),
    )
    world.ended_logins.logins.append(login)
    world.messenger.answers["app"] = LogoutAnswer.NONE
    handle = await world.env.client.start_workflow(
        BackchannelLogouts.run, id="logouts-of-a-test", task_queue=names.REGISTRATIONS_QUEUE
    )
    world.handles["logouts"] = handle

    async def tried() -> bool:
        return bool(world.messenger.tried)

    await world.eventually(tried)
    assert world.ended_logins.logins == [login]
    world.messenger.answers.clear()
    await world.passes(handle, timedelta(minutes=1))
    await handle.result()
    assert world.ended_logins.logins == []
    await world.keep(handle, "backchannel-logouts")
    assert "Corre cada minuto" in await told_to_support(handle)
