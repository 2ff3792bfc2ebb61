"""A registration is promised only while Temporal holds a run of it that goes on."""

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    StartWorkflowUpdateWithStartInput,
    WorkflowUpdateFailedError,
    WorkflowUpdateHandle,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from mipres.domain.documents import parse_document
from mipres.domain.outcomes import OutcomeStatus, Refusal
from mipres.domain.radicado import radicado_of
from mipres.domain.submissions import Submission, UserType
from mipres.temporal.answers import TemporalUnavailableError
from mipres.temporal.names import REGISTRATIONS_QUEUE, registration_workflow_id
from tests.api.starting import KEY, starting_with

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


async def test_a_submission_that_times_out_leaves_no_unread_error(temporal_env: WorkflowEnvironment) -> None:
    lost: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))
    try:
        start = starting_with(temporal_env.client)
        submitted = await start.submit(SUBMISSION, channel="api")
        assert submitted.outcome.status is OutcomeStatus.IN_PROGRESS
        gc.collect()
        await asyncio.sleep(0)
        assert [context["message"] for context in lost] == []
    finally:
        asyncio.get_running_loop().set_exception_handler(None)
        handle = temporal_env.client.get_workflow_handle(
            registration_workflow_id(radicado_of(SUBMISSION, key=KEY))
        )
        await handle.terminate("the test is over")
