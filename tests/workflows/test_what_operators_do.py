"""What Temporal's own interface can do to a registration, and what comes of it."""

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment

from activities.catalog import catalog
from api.registrations.act import RegistrationActs
from mipres.database.audit_queue import AuditQueue
from mipres.database.failures import database_fault
from mipres.domain.outcomes import OutcomeStatus, Refusal
from mipres.domain.stages import Stage, WaitingOn
from mipres.support.desk import Action, ActionRefusedError, SupportDesk
from mipres.temporal import names
from mipres.temporal.answers import UpdatesSpentError
from mipres.temporal.connection import WorkerPayloadConverter, data_converter
from tests.conftest import ACTIVE_PAYLOAD_KEY, MOST_STEPS, PAYLOAD_KEYS, SERVER_SETTINGS
from tests.fakes import FakeAuditTrail
from tests.patience import PATIENCE_SECONDS
from tests.workflows.conftest import ANA, MEDICINE, Handle, World, replay
from workflows import policies
from workflows.registration import Registration
from workflows.workers import build_workers, running

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


@pytest.mark.parametrize("update", ["resend_link", "retry_now", "cancel_registration", "stop_watching"])
async def test_an_update_without_a_reason_is_asked_for_it(world: World, update: str) -> None:
    """The answer says what is missing, and never what Python calls it."""
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    without: list[list[object]] = [
        [],
        [None],
        [""],
        ["\u200b\u00a0\u2060"],
        [5],
        [True],
        [["otra vez"]],
        [{"reason": "x"}],
    ]
    for arguments in without:
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update(update, args=arguments)
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
    settings = (*SERVER_SETTINGS, f"history.maxTotalUpdates={MOST_UPDATES}")
    environment = await WorkflowEnvironment.start_time_skipping_v2(
        ts_config=TimeSkippingConfig(enabled=False, max_session_skip_count=MOST_STEPS),
        dev_server_existing_path=str(Path(sys.executable).with_name("temporal")),
        dev_server_extra_args=[word for setting in settings for word in ("--dynamic-config-value", setting)],
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


async def first_run_of(handle: Handle, env: WorkflowEnvironment) -> Handle:
    runs = [run async for run in env.client.list_workflows(names.runs_of(handle.id))]
    oldest = min(runs, key=lambda run: run.start_time)
    return env.client.get_workflow_handle(handle.id, run_id=oldest.run_id)


@asynccontextmanager
async def working_in(world: World) -> AsyncIterator[None]:
    """The product's workers, and what they ran replays."""
    workers = build_workers(world.env.client, catalog(world.ports()), database_fault=database_fault)
    async with running(workers):
        yield
    for handle in world.handles.values():
        runs = [run async for run in world.env.client.list_workflows(names.runs_of(handle.id))]
        of_each = [world.env.client.get_workflow_handle(run.id, run_id=run.run_id) for run in runs]
        await replay([await run.fetch_history() for run in of_each], world.env)


async def test_no_number_of_submissions_ends_the_ability_to_be_helped(
    small_server: WorkflowEnvironment,
) -> None:
    world = World(env=small_server)
    world.knows(MEDICINE)
    async with working_in(world):
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
        await asyncio.wait_for(newest.execute_update("cancel_registration", REASON), PATIENCE_SECONDS)
        assert (await newest.result()).stage is Stage.CANCELLED
        assert (await newest.describe()).status is WorkflowExecutionStatus.COMPLETED
    assert world.accounts.accounts == {}


async def test_no_number_of_submissions_ends_the_wait_for_a_registry(
    small_server: WorkflowEnvironment, request: pytest.FixtureRequest
) -> None:
    """The next run knows the person, since when they wait, and what support may do."""
    world = World(env=small_server, record=bool(request.config.getoption("--record-histories")))
    world.knows(MEDICINE)
    world.talent.down = True
    async with working_in(world):
        radicado = "RM-WAITSLONG000"
        handle, outcome = await world.submit(radicado=radicado)
        since = (await handle.query(Registration.status)).updated_at
        for _ in range(3 * MOST_UPDATES):
            assert outcome.status is OutcomeStatus.IN_PROGRESS
            _, outcome = await world.submit(radicado=radicado)
        newest: Handle = small_server.client.get_workflow_handle_for(Registration.run, handle.id)
        await world.eventually(lambda: _has(newest, small_server, least=3))
        status = await newest.query(Registration.status)
        assert (status.stage, status.waiting_on) == (Stage.WAITING_REGISTRY, (WaitingOn.RETHUS,))
        assert status.updated_at == since
        assert (await world.attributes(newest))["WaitingOn"] == ["rethus"]
        # The person was identified by the first run, and is not asked for again.
        assert world.people.calls == [ANA]
        world.talent.down = False
        await newest.execute_update("retry_now", REASON)
        await world.mailed("password_link")
        assert (await newest.query(Registration.status)).stage is Stage.AWAITING_PASSWORD
        assert "WaitingOn" not in await world.attributes(newest)
        world.sets_password()
        await newest.signal(Registration.password_set)
        assert (await newest.result()).stage is Stage.COMPLETED
        await world.keep(await first_run_of(handle, small_server), "registry-wait-handed-on")
        await world.keep(newest, "registry-wait-taken-over")
    assert len(world.accounts.registrations) == 1


async def test_a_long_run_answers_who_corrects_an_address_before_it_is_handed_on(
    small_server: WorkflowEnvironment, request: pytest.FixtureRequest
) -> None:
    """The registry is asked once more also at the submission that makes it long."""
    world = World(env=small_server, record=bool(request.config.getoption("--record-histories")))
    world.knows(MEDICINE)
    async with working_in(world):
        radicado = "RM-L00KEDAT0FTN"
        handle, _ = await world.submit(radicado=radicado)
        await world.mailed("password_link")
        newest: Handle = small_server.client.get_workflow_handle_for(Registration.run, handle.id)
        for _ in range(MOST_UPDATES):
            await world.passes(newest, policies.ADDRESS_LOOK_PAUSE + timedelta(seconds=10))
            async with asyncio.timeout(PATIENCE_SECONDS):
                _, outcome = await world.submit(radicado=radicado)
            assert outcome.status is OutcomeStatus.REGISTERED
        await world.eventually(lambda: _has(newest, small_server, least=2))
        world.sets_password()
        await newest.signal(Registration.password_set)
        assert (await newest.result()).stage is Stage.COMPLETED
        await world.keep(await first_run_of(handle, small_server), "looked-at-before-handing-on")


async def test_a_long_wait_by_choice_answers_before_it_is_handed_on(
    small_server: WorkflowEnvironment, request: pytest.FixtureRequest
) -> None:
    """The registry is asked once more also at the submission that makes it long."""
    world = World(env=small_server, record=bool(request.config.getoption("--record-histories")))
    world.knows()
    async with working_in(world):
        radicado = "RM-WATCHED0FTN0"
        handle, _ = await world.submit(radicado=radicado, waits=True)
        newest: Handle = small_server.client.get_workflow_handle_for(Registration.run, handle.id)
        await world.reaches(newest, Stage.WATCHING)
        for _ in range(MOST_UPDATES):
            await world.passes(newest, policies.RESEND_PAUSE + timedelta(minutes=1))
            async with asyncio.timeout(PATIENCE_SECONDS):
                _, outcome = await world.submit(radicado=radicado, waits=True)
            assert outcome.status is OutcomeStatus.IN_PROGRESS
        await world.eventually(lambda: _has(newest, small_server, least=2))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await newest.execute_update("stop_watching", REASON)
        assert (await newest.result()).stage is Stage.REFUSED
        await world.keep(await first_run_of(handle, small_server), "watch-looked-at-before-handing-on")


async def test_a_cancel_reaches_a_wait_that_was_handed_on(small_server: WorkflowEnvironment) -> None:
    world = World(env=small_server)
    world.knows(MEDICINE)
    world.talent.down = True
    async with working_in(world):
        radicado = "RM-WAITSLONG001"
        handle, _ = await world.submit(radicado=radicado)
        newest: Handle = small_server.client.get_workflow_handle_for(Registration.run, handle.id)

        async def is_handed_on() -> bool:
            await world.submit(radicado=radicado)
            return await runs_of(newest, small_server) >= 2

        await world.eventually(is_handed_on)
        await asyncio.wait_for(newest.execute_update("cancel_registration", REASON), PATIENCE_SECONDS)
        assert (await newest.result()).stage is Stage.CANCELLED
    assert world.accounts.accounts == {}


async def test_a_run_that_takes_no_more_requests_says_so_and_can_be_cancelled(
    small_server: WorkflowEnvironment,
) -> None:
    """A step with an effect is never left to another run, so such a run can be full."""
    world = World(env=small_server)
    world.knows(MEDICINE)
    world.mailer.down = True
    async with working_in(world):
        radicado = "RM-WAITSF0RMA11"
        handle, _ = await world.submit(radicado=radicado)
        for _ in range(MOST_UPDATES - 1):
            await world.submit(radicado=radicado)
        acts = RegistrationActs(
            small_server.client,
            answer_wait=timedelta(seconds=10),
            audit_queue=AuditQueue(FakeAuditTrail()),
        )
        with pytest.raises(UpdatesSpentError):
            await acts.resend_link(radicado, reason=REASON)
        desk = SupportDesk(small_server.client, ui_url="http://temporal.test")
        with pytest.raises(ActionRefusedError, match="Request Cancellation"):
            await desk.act(Action.RETRY, radicado, reason=REASON)
        await handle.cancel()
        assert (await handle.result()).stage is Stage.CANCELLED
    assert world.accounts.accounts == {}


async def _has(handle: Handle, env: WorkflowEnvironment, *, least: int) -> bool:
    return await runs_of(handle, env) >= least
