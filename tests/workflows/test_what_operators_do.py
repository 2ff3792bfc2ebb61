"""What Temporal's own interface can do to a registration, and what comes of it."""

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.catalog import catalog
from mipres.domain.outcomes import OutcomeStatus, Refusal
from mipres.domain.stages import Stage
from mipres.temporal import names
from mipres.temporal.connection import WorkerPayloadConverter, data_converter
from mipres.temporal.trust import TrustedPayloads
from tests.conftest import ACTIVE_PAYLOAD_KEY, PAYLOAD_KEYS
from tests.workflows.conftest import MEDICINE, Handle, World
from workflows.registration import Registration
from workflows.workers import of_registrations

REASON = "la persona no encuentra el correo"


async def test_after_a_terminate_the_person_registers_anew(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit(radicado="RM-TERMINATED00")
    await world.mailed("password_link")
    await handle.terminate("por error")
    again, outcome = await world.submit(radicado="RM-TERMINATED00")
    assert outcome.status is OutcomeStatus.REGISTERED
    await world.mailed("password_link", "password_link")
    assert [link.closed for link in world.accounts.links.values()] == [True, False]
    world.sets_password()
    await again.signal(Registration.password_set)
    assert (await again.result()).stage is Stage.COMPLETED


async def test_a_reset_goes_the_same_way_again_with_one_account(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    first = await handle.describe()
    reset = await world.env.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=world.env.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=handle.id, run_id=first.run_id),
            reason="prueba",
            workflow_task_finish_event_id=4,
            request_id=str(uuid.uuid4()),
        )
    )
    again: Handle = world.env.client.get_workflow_handle_for(Registration.run, handle.id, run_id=reset.run_id)
    await world.mailed("password_link", "password_link")
    world.sets_password()
    await again.signal(Registration.password_set)
    assert (await again.result()).stage is Stage.COMPLETED
    assert len(world.accounts.accounts) == 1


async def test_an_update_without_any_argument_is_asked_for_its_reason(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update("resend_link", None)
    assert isinstance(refused.value.cause, ApplicationError)
    assert (refused.value.cause.type, refused.value.cause.message) == (
        names.REASON_MISSING,
        "Escriba el motivo",
    )


async def test_a_refusal_after_an_outage_is_mailed(world: World) -> None:
    """The page said that the registration continues, so only a mail can correct it."""
    world.knows()
    world.talent.down = True
    handle, outcome = await world.submit()
    assert outcome.status is OutcomeStatus.IN_PROGRESS
    world.talent.down = False
    await world.passes(handle, timedelta(minutes=1))
    assert (await handle.result()).outcome.refusal is Refusal.NOT_IN_RETHUS
    await world.mailed("registration_refused")


async def test_a_refusal_reaches_the_one_who_joined_by_mail(world: World) -> None:
    world.knows()
    world.talent.down = True
    handle, _ = await world.submit()
    await handle.signal(Registration.asked_again)
    world.talent.down = False
    await world.passes(handle, timedelta(minutes=1))
    await handle.result()
    await world.mailed("registration_refused")


# ---- More updates than one run can hold

MOST_UPDATES = 20


@pytest.fixture
async def small_server() -> AsyncIterator[WorkflowEnvironment]:
    """A server that takes few updates a run, so that the limit is reached in moments."""
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(Path(sys.executable).with_name("temporal")),
        dev_server_extra_args=["--dynamic-config-value", f"history.maxTotalUpdates={MOST_UPDATES}"],
        data_converter=data_converter(
            PAYLOAD_KEYS, active=ACTIVE_PAYLOAD_KEY, converter=WorkerPayloadConverter
        ),
        search_attributes=list(names.SEARCH_ATTRIBUTES),
    )
    async with environment:
        yield environment


async def runs_of(handle: Handle, env: WorkflowEnvironment) -> int:
    query = names.runs_of(handle.id)
    return len([run async for run in env.client.list_workflows(query)])


async def test_no_number_of_submissions_ends_the_ability_to_be_helped(
    small_server: WorkflowEnvironment,
) -> None:
    world = World(env=small_server)
    world.knows(MEDICINE)
    async with Worker(
        small_server.client,
        task_queue=names.REGISTRATIONS_QUEUE,
        workflows=[Registration],
        activities=of_registrations(catalog(world.ports())),
        interceptors=[TrustedPayloads()],
        max_cached_workflows=10,
    ):
        radicado = "RM-ASKEDOFTEN00"
        handle, _ = await world.submit(radicado=radicado)
        await world.mailed("password_link")
        for _ in range(3 * MOST_UPDATES):
            _, outcome = await world.submit(radicado=radicado)
            assert outcome.status is OutcomeStatus.REGISTERED
        newest: Handle = small_server.client.get_workflow_handle_for(Registration.run, handle.id)
        await world.eventually(lambda: _has(newest, small_server, least=3))
        # One link was sent in all that time, it is still the same, and support can still help.
        assert [link.closed for link in world.accounts.links.values()] == [False]
        assert (await newest.query(Registration.status)).stage is Stage.AWAITING_PASSWORD
        with pytest.raises(WorkflowUpdateFailedError) as soon:
            await newest.execute_update("resend_link", REASON)
        assert isinstance(soon.value.cause, ApplicationError)
        assert soon.value.cause.type == names.TOO_SOON
        await asyncio.wait_for(newest.execute_update("cancel_registration", REASON), 30)
        assert (await newest.result()).stage is Stage.CANCELLED
        assert (await newest.describe()).status is WorkflowExecutionStatus.COMPLETED
    assert world.accounts.accounts == {}


async def _has(handle: Handle, env: WorkflowEnvironment, *, least: int) -> bool:
    return await runs_of(handle, env) >= least
