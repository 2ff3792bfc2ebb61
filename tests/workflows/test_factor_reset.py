"""The workflow SecondFactorReset."""

import uuid
from datetime import timedelta

from temporalio.client import WorkflowExecutionStatus

from mipres.domain.factor_resets import FactorResetRequest
from mipres.temporal import names
from tests.workflows.conftest import Handle, World, told_to_support
from workflows.factor_reset import SecondFactorReset

DAY = timedelta(hours=24)


async def reset(world: World) -> Handle:
    reset_id = uuid.uuid4()
    handle = await world.env.client.start_workflow(
        SecondFactorReset.run,
        FactorResetRequest(reset_id=reset_id),
        id=names.factor_reset_workflow_id(reset_id),
        task_queue=names.REGISTRATIONS_QUEUE,
    )
    world.handles[str(reset_id)] = handle
    return handle


async def test_the_factor_goes_a_day_after_the_notice(world: World) -> None:
    handle = await reset(world)
    await world.mailed("factor_resetting")
    assert "Soporte no acorta la espera" in await told_to_support(handle)
    await world.passes(handle, DAY - timedelta(hours=1))
    assert world.resets.ended_as is None
    world.accounts.clock.advance(DAY)
    await world.passes(handle, timedelta(hours=2))
    await handle.result()
    assert world.resets.ended_as == "applied"
    await world.mailed("factor_resetting")
    await world.keep(handle, "factor-reset")


async def test_a_timer_that_comes_too_early_waits_for_the_database(world: World) -> None:
    handle = await reset(world)
    await world.mailed("factor_resetting")
    await world.passes(handle, DAY + timedelta(hours=1))
    assert world.resets.ended_as is None
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    world.accounts.clock.advance(DAY)
    await world.passes(handle, DAY + timedelta(hours=1))
    await handle.result()
    assert world.resets.ended_as == "applied"


async def test_a_person_who_stops_it_keeps_the_factor_and_support_is_notified(world: World) -> None:
    handle = await reset(world)
    await world.mailed("factor_resetting")
    world.resets.ended_as = "stopped"
    await handle.signal(SecondFactorReset.reset_closed)
    await handle.result()
    await world.mailed("factor_resetting", "support_reset_stopped")
    await world.keep(handle, "factor-reset-stopped")


async def test_one_that_is_stopped_while_its_notice_is_in_doubt_reaches_support(world: World) -> None:
    # The server takes the mail and never says so: the next attempt is due in hours.
    world.sent_mails.holds_for_hours = world.mailer.silent_after_the_message = True
    handle = await reset(world)
    await world.mailed("factor_resetting")
    world.mailer.silent_after_the_message = False
    world.resets.ended_as = "stopped"
    await handle.signal(SecondFactorReset.reset_closed)
    await world.passes(handle, timedelta(hours=4))
    await handle.result()
    await world.mailed("factor_resetting", "support_reset_stopped")


async def test_one_that_support_cancels_ends_without_a_mail(world: World) -> None:
    handle = await reset(world)
    await world.mailed("factor_resetting")
    world.resets.ended_as = "withdrawn"
    await handle.signal(SecondFactorReset.reset_closed)
    await handle.result()
    await world.mailed("factor_resetting")


async def test_without_a_notice_no_clock_begins(world: World) -> None:
    world.mailer.down = True
    handle = await reset(world)
    await world.passes(handle, DAY + timedelta(hours=1))
    assert world.resets.takes_effect_at is None
    assert world.resets.ended_as is None
    world.mailer.down = False
    await world.passes(handle, timedelta(minutes=6))
    await world.mailed("factor_resetting")
    assert world.resets.takes_effect_at is not None


async def test_an_address_that_takes_no_mail_ends_the_reset(world: World) -> None:
    world.mailer.rejects = True
    handle = await reset(world)
    await handle.result()
    assert world.resets.ended_as == "withdrawn"
    await world.keep(handle, "factor-reset-given-up")


async def test_every_address_is_notified(world: World) -> None:
    world.resets.addresses = ("nueva@ejemplo.test", "vieja@ejemplo.test")
    await reset(world)
    await world.mailed("factor_resetting", "factor_resetting")
    assert [mail.to_address for mail in world.mailer.sent] == list(world.resets.addresses)
