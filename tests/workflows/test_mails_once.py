"""A fact is mailed once, however many runs, presses and repetitions state it."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest

from mipres.domain.stages import Stage, WaitingOn
from tests.workflows.conftest import DELEGATE, MEDICINE, PROFESSIONAL, Handle, World
from workflows.registration import Registration


def confirmations(world: World) -> int:
    return [mail.subject for mail in world.mailer.sent].count("password_set")


@pytest.mark.several_at_once
async def test_two_registrations_of_one_person_confirm_the_password_once(world: World) -> None:
    world.knows(MEDICINE)
    world.delegates()
    (first, _), (second, _) = await asyncio.gather(world.submit(PROFESSIONAL), world.submit(DELEGATE))
    await world.mailed("password_link", "password_link")
    world.sets_password()
    await asyncio.gather(*(handle.signal(Registration.password_set) for handle in (first, second)))
    results = await asyncio.gather(first.result(), second.result())
    assert [result.stage for result in results] == [Stage.COMPLETED] * 2
    assert confirmations(world) == 1


async def test_a_link_of_unknown_fate_makes_way_for_the_next_one(world: World) -> None:
    """It is held for hours; the person who asks for another does not wait for it."""
    world.knows(MEDICINE)
    world.sent_mails.holds_for_hours = world.mailer.silent_after_the_message = True
    handle, _ = await world.submit()
    await world.mailed("password_link")
    await world.passes(handle, timedelta(minutes=4))
    assert (await handle.query(Registration.status)).waiting_on == (WaitingOn.MAIL,)
    world.mailer.silent_after_the_message = False
    await handle.execute_update("resend_link", "no llegó el correo")
    await world.mailed("password_link", "password_link")
    assert [link.closed for link in world.accounts.links.values()] == [True, False]
    world.sets_password()
    await handle.signal(Registration.password_set)
    result = await handle.result()
    assert (result.stage, result.waiting_on) == (Stage.COMPLETED, ())
    await world.keep(handle, "held-link-replaced")


async def test_a_reset_confirms_nothing_again(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    world.sets_password()
    await handle.signal(Registration.password_set)
    await handle.result()
    assert confirmations(world) == 1

    finished_tasks = [
        event.event_id
        async for event in handle.fetch_history_events()
        if event.HasField("workflow_task_completed_event_attributes")
    ]
    described = await handle.describe()
    reset = ResetWorkflowExecutionRequest(
        namespace="default",
        workflow_execution=WorkflowExecution(workflow_id=handle.id, run_id=described.run_id),
        reason="prueba",
        workflow_task_finish_event_id=finished_tasks[-1],
        request_id="reset-of-a-test",
    )
    again = await world.env.client.workflow_service.reset_workflow_execution(reset)
    resumed: Handle = world.env.client.get_workflow_handle_for(
        Registration.run, handle.id, run_id=again.run_id
    )
    result = await resumed.result()
    assert result.stage is Stage.COMPLETED
    assert confirmations(world) == 1
