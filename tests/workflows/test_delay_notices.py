"""No mail says that a registration goes on when its end is known.

The mail server is away from before the notice until after the end, as in a night without mail.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from mipres.domain.stages import Stage
from tests.workflows.conftest import MEDICINE, Handle, World

NOTICE = "registration_delayed"
LONG_ENOUGH_FOR_A_NOTICE = timedelta(minutes=12)
UNTIL_THE_NEXT_ATTEMPT = timedelta(minutes=10)

Ending = Callable[[World, Handle], Awaitable[Handle]]
"""Returns the run that mails the end."""


async def registers(world: World, handle: Handle) -> Handle:
    world.talent.down = False
    await world.passes(handle, UNTIL_THE_NEXT_ATTEMPT)
    return handle


async def is_refused(world: World, handle: Handle) -> Handle:
    world.talent.people.clear()
    return await registers(world, handle)


async def is_given_up(world: World, handle: Handle) -> Handle:
    # The server gives up at once when the next attempt would come after the last one allowed.
    world.talent.retry_after_seconds = timedelta(days=8).total_seconds()
    await world.passes(handle, UNTIL_THE_NEXT_ATTEMPT)
    return handle


async def is_cancelled(world: World, handle: Handle) -> Handle:
    await world.cancels(handle)
    await handle.result()
    return world.notice_apart(handle)


ENDINGS: list[tuple[Ending, tuple[str, ...], Stage]] = [
    (registers, ("password_link",), Stage.AWAITING_PASSWORD),
    (is_refused, ("registration_refused",), Stage.REFUSED),
    (is_given_up, ("registration_given_up", "support_given_up"), Stage.EXPIRED),
    (is_cancelled, ("registration_cancelled",), Stage.CANCELLED),
]


async def delayed(world: World) -> Handle:
    """A registration that waits for ReTHUS for long enough for the notice."""
    world.knows(MEDICINE)
    world.talent.down = True
    handle, _ = await world.submit()
    await world.passes(handle, LONG_ENOUGH_FOR_A_NOTICE)
    return handle


async def has_stage(world: World, handle: Handle, stage: Stage) -> None:
    async def arrived() -> bool:
        return bool((await world.attributes(handle))["RegistrationStage"] == stage.value)

    await world.eventually(arrived)


@pytest.mark.parametrize(("ending", "mails", "stage"), ENDINGS)
async def test_a_mail_server_that_comes_back_after_the_end_delivers_only_the_end(
    world: World, ending: Ending, mails: tuple[str, ...], stage: Stage
) -> None:
    world.mailer.down = True
    handle = await delayed(world)
    assert world.mailer.attempts > 0
    mailing = await ending(world, handle)
    await has_stage(world, handle, stage)
    # The worst order: of all that waits for the server, the notice has its turn first.
    world.mailer.accepts = NOTICE
    await world.passes(mailing, UNTIL_THE_NEXT_ATTEMPT)
    assert world.mailer.sent == []
    world.mailer.down = False
    await world.passes(mailing, UNTIL_THE_NEXT_ATTEMPT)
    await world.mailed(*mails)
