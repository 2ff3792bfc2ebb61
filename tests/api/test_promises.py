"""A registration is promised only while Temporal holds a run of it that goes on."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    StartWorkflowUpdateWithStartInput,
    WorkflowUpdateFailedError,
    WorkflowUpdateHandle,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from api.metrics import ApiMetrics
from api.registrations.ask import RegistrationViews
from api.registrations.start import NothingToWaitForError
from dev.probes import LOOPBACK
from mipres.clock import SystemClock
from mipres.database.engine import create_engine
from mipres.database.standings import PostgresStandings
from mipres.domain.documents import parse_document
from mipres.domain.outcomes import Outcome, OutcomeStatus, Refusal
from mipres.domain.radicado import radicado_of
from mipres.domain.stages import Stage
from mipres.domain.submissions import Submission, UserType
from mipres.temporal.answers import TemporalUnavailableError
from mipres.temporal.connection import TemporalConnection, connect
from mipres.temporal.names import REGISTRATION_STAGE, REGISTRATIONS_QUEUE, registration_workflow_id
from tests.api.starting import KEY, starting_with
from tests.conftest import ACTIVE_PAYLOAD_KEY, PAYLOAD_KEYS
from tests.workflows.conftest import consent
from workflows.contract import RegistrationRequest, RegistrationStatus
from workflows.registration import Registration

BUSY_SECONDS = 1.5
"""How long a busy server keeps its answers; for longer than a mere display waits."""
REFUSED = Outcome(status=OutcomeStatus.REFUSED, refusal=Refusal.NOT_IN_RETHUS, may_wait=True)
SUBMISSION = Submission(user_type=UserType.OTHER, document=parse_document("CC", "1020304050"))


async def stand_still() -> None:
    await asyncio.Event().wait()


async def have_no_room() -> None:
    raise RPCError("too many updates in flight", RPCStatusCode.RESOURCE_EXHAUSTED, b"")


async def end_while_joined() -> None:
    raise WorkflowUpdateFailedError(ApplicationError("the run ended"))


async def remove_while_joined() -> None:
    raise RPCError("workflow execution already completed", RPCStatusCode.NOT_FOUND, b"")


class Unhelpful(Interceptor):
    """A server that looks runs up, and takes no submission."""

    def __init__(self, refuse: Any) -> None:
        self._refuse = refuse

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002 - the SDK's name.
        refuse = self._refuse

        class Outbound(OutboundInterceptor):
            async def start_update_with_start_workflow(
                self,
                input: StartWorkflowUpdateWithStartInput,  # noqa: A002 - the SDK's name.
            ) -> WorkflowUpdateHandle[Any]:
                await refuse()
                raise AssertionError

        return Outbound(next)


def unhelpful(client: Client, refuse: Any) -> Client:
    return Client(**(client.config() | {"interceptors": [Unhelpful(refuse)]}))


@pytest.fixture
async def run(temporal_env: WorkflowEnvironment) -> AsyncIterator[Any]:
    """An open run of the registration, which no worker works on."""
    handle = await temporal_env.client.start_workflow(
        "Registration",
        id=registration_workflow_id(radicado_of(SUBMISSION, key=KEY)),
        task_queue=REGISTRATIONS_QUEUE,
    )
    yield handle
    await handle.terminate("the test is over")


REFUSALS = pytest.mark.parametrize("refuse", [stand_still, have_no_room, end_while_joined])


@REFUSALS
async def test_a_run_that_goes_on_is_promised(
    temporal_env: WorkflowEnvironment, run: Any, refuse: Any
) -> None:
    start = starting_with(unhelpful(temporal_env.client, refuse))
    submitted = await start.submit(SUBMISSION, channel="api")
    assert submitted.outcome.status is OutcomeStatus.IN_PROGRESS


@REFUSALS
async def test_an_older_run_that_ended_is_no_promise(temporal_env: WorkflowEnvironment, refuse: Any) -> None:
    older = await temporal_env.client.start_workflow(
        "Registration",
        id=registration_workflow_id(radicado_of(SUBMISSION, key=KEY)),
        task_queue=REGISTRATIONS_QUEUE,
    )
    await older.terminate("an older registration, which ended")
    start = starting_with(unhelpful(temporal_env.client, refuse))
    with pytest.raises(TemporalUnavailableError):
        await start.submit(SUBMISSION, channel="api")


@asynccontextmanager
async def open_run(client: Client, stage: Stage, *, waits: bool = False) -> AsyncIterator[str]:
    """A run that stands at a stage, and that no worker works on; its radicado."""
    radicado = radicado_of(SUBMISSION, key=KEY)
    handle = await client.start_workflow(
        Registration.run,
        RegistrationRequest(
            radicado=radicado, submission=SUBMISSION, consent=consent(), wait_for_registry=waits
        ),
        id=registration_workflow_id(radicado),
        task_queue=REGISTRATIONS_QUEUE,
        search_attributes=TypedSearchAttributes([SearchAttributePair(REGISTRATION_STAGE, stage)]),
    )
    try:
        yield radicado
    finally:
        await handle.terminate("the test is over")


async def test_a_run_that_still_mails_its_refusal_is_told_as_busy(temporal_env: WorkflowEnvironment) -> None:
    async with open_run(temporal_env.client, Stage.REFUSED) as radicado:
        with pytest.raises(TemporalUnavailableError):
            await starting_with(temporal_env.client).wait_for_registry(radicado)


async def test_who_asks_twice_to_wait_is_told_the_same_twice(temporal_env: WorkflowEnvironment) -> None:
    start = starting_with(temporal_env.client)
    async with open_run(temporal_env.client, Stage.CHECKING, waits=True) as radicado:
        await start.wait_for_registry(radicado)
    async with open_run(temporal_env.client, Stage.CHECKING) as radicado:
        with pytest.raises(NothingToWaitForError):
            await start.wait_for_registry(radicado)


async def test_a_run_that_still_mails_its_expiry_is_no_promise(temporal_env: WorkflowEnvironment) -> None:
    start = starting_with(unhelpful(temporal_env.client, end_while_joined))
    async with open_run(temporal_env.client, Stage.EXPIRED):
        with pytest.raises(TemporalUnavailableError):
            await start.submit(SUBMISSION, channel="api")


@workflow.defn(name="Registration")
class Unheard:
    """A registration that ends before anybody hears its answer."""

    @workflow.run
    async def run(self, request: RegistrationRequest) -> RegistrationStatus:
        return RegistrationStatus(
            radicado=request.radicado,
            user_type=request.submission.user_type,
            stage=Stage.REFUSED,
            waiting_on=(),
            updated_at=workflow.now().isoformat(),
            outcome=REFUSED,
        )


@workflow.defn(name="Registration")
class Heard(Unheard):
    """A registration that answers and ends, at another stage than its outcome."""

    @workflow.run
    async def run(self, request: RegistrationRequest) -> RegistrationStatus:
        return await super().run(request)

    @workflow.update
    async def first_outcome(self) -> Outcome:
        return REFUSED


def serving(client: Client, build: type) -> Worker:
    return Worker(
        client,
        task_queue=REGISTRATIONS_QUEUE,
        workflows=[build],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )


async def test_who_started_a_run_that_ended_since_gets_its_outcome(temporal_env: WorkflowEnvironment) -> None:
    async with serving(temporal_env.client, Unheard):
        submitted = await starting_with(temporal_env.client).submit(SUBMISSION, channel="api")
        assert submitted.outcome == REFUSED
        # To the same registration sent later, that is no answer.
        later = starting_with(unhelpful(temporal_env.client, stand_still))
        with pytest.raises(TemporalUnavailableError):
            await later.submit(SUBMISSION, channel="api")


async def test_who_would_wait_for_a_run_that_is_over_reads_its_refusal(
    temporal_env: WorkflowEnvironment,
) -> None:
    async with serving(temporal_env.client, Heard):
        submitted = await starting_with(temporal_env.client).submit(
            SUBMISSION, channel="api", wait_for_registry=True
        )
    assert submitted.outcome == REFUSED


async def test_a_refused_run_that_was_cut_off_has_nothing_to_wait_for(
    temporal_env: WorkflowEnvironment,
) -> None:
    async with open_run(temporal_env.client, Stage.REFUSED) as radicado:
        pass
    with pytest.raises(NothingToWaitForError):
        await starting_with(temporal_env.client).wait_for_registry(radicado)


@asynccontextmanager
async def busy(environment: WorkflowEnvironment) -> AsyncIterator[Client]:
    """The server behind a relay that passes on each answer late."""
    host, port = environment.client.service_client.config.target_host.split(":")
    loop = asyncio.get_running_loop()
    writers: list[asyncio.StreamWriter] = []

    async def pass_on(reader: asyncio.StreamReader, write: Callable[[bytes], object]) -> None:
        while part := await reader.read(65536):
            write(part)

    async def relay(from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(host, int(port))
        writers.extend((to_client, to_server))
        await asyncio.gather(
            pass_on(from_client, to_server.write),
            pass_on(from_server, lambda part: loop.call_later(BUSY_SECONDS, to_client.write, part)),
        )

    server = await asyncio.start_server(relay, LOOPBACK, 0)
    connection = TemporalConnection(
        address=f"{LOOPBACK}:{server.sockets[0].getsockname()[1]}",
        namespace=environment.client.namespace,
        payload_keys=PAYLOAD_KEYS,
        active_payload_key=ACTIVE_PAYLOAD_KEY,
    )
    try:
        yield await connect(connection, identity="test")
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in writers))


@pytest.mark.usefixtures("run")
async def test_a_busy_server_is_not_told_as_away(temporal_env: WorkflowEnvironment) -> None:
    async with busy(temporal_env) as client:
        start = starting_with(unhelpful(client, have_no_room))
        submitted = await start.submit(SUBMISSION, channel="api")
        assert submitted.outcome.status is OutcomeStatus.IN_PROGRESS
        # The database says something only of runs that ended.
        standings = PostgresStandings(
            create_engine("postgresql+asyncpg://127.0.0.1:1/none"), clock=SystemClock()
        )
        view = await RegistrationViews(client, standings=standings, metrics=ApiMetrics()).view(
            submitted.radicado
        )
        assert view is not None
        assert view.stage is Stage.CHECKING


@pytest.mark.parametrize("end", [remove_while_joined, end_while_joined])
async def test_a_person_who_is_erased_meanwhile_is_not_started_again(
    temporal_env: WorkflowEnvironment, end: Any
) -> None:
    starts: list[None] = []

    async def refuse() -> None:
        starts.append(None)
        await end()

    client = unhelpful(temporal_env.client, refuse)
    submitted = await starting_with(client, erased={SUBMISSION.document.login}).submit(
        SUBMISSION, channel="web"
    )
    assert submitted.outcome.refusal is Refusal.DATA_ERASED
    assert len(starts) == 1


async def test_a_run_that_is_removed_for_another_reason_is_no_promise(
    temporal_env: WorkflowEnvironment,
) -> None:
    start = starting_with(unhelpful(temporal_env.client, remove_while_joined))
    with pytest.raises(TemporalUnavailableError):
        await start.submit(SUBMISSION, channel="api")


@pytest.mark.usefixtures("run")
async def test_a_submission_that_times_out_leaves_no_unread_error(
    temporal_env: WorkflowEnvironment, unread_errors: list[str]
) -> None:
    submitted = await starting_with(temporal_env.client).submit(SUBMISSION, channel="api")
    assert submitted.outcome.status is OutcomeStatus.IN_PROGRESS
    gc.collect()
    await asyncio.sleep(0)
    assert unread_errors == []
