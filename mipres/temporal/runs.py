"""A run of a workflow as the server describes it, in every state of the server.

The SDK's own description fails with ValueError for a state that it does not know, as a paused run.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar, cast

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.failure.v1 import Failure
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
)
from temporalio.client import Client
from temporalio.common import TypedSearchAttributes
from temporalio.converter import WorkflowSerializationContext, decode_typed_search_attributes
from temporalio.exceptions import ApplicationError

from mipres.domain.stages import EngineState
from mipres.temporal.answers import UnknownWorkflowError, translated
from mipres.temporal.codec import Fault, UntrustedPayloadError
from mipres.temporal.trust import UNTRUSTED_PAYLOAD, refusal_of

Input = TypeVar("Input")
Word = TypeVar("Word", bound=StrEnum)

# A busy server takes more than a second. Without its answer the person reads that the service is away.
_PATIENCE: Final = timedelta(seconds=5)


@dataclass(frozen=True, kw_only=True)
class Run:
    """The newest run of a workflow id."""

    workflow_id: str
    run_id: str
    engine: EngineState
    started_at: datetime
    closed_at: datetime | None
    attributes: TypedSearchAttributes


async def describe_run(client: Client, workflow_id: str) -> Run:
    """Describe the newest run of a workflow id.

    Raises:
        UnknownWorkflowError: the server has no run of this id.
        TemporalUnavailableError: the server gave no answer.
    """
    answer = await description_of(client, workflow_id)
    return run_of(answer.workflow_execution_info)


async def first_open(
    client: Client, references: Iterable[str], workflow_id: Callable[[str], str]
) -> str | None:
    """Find the first of some references that has an open run."""
    for reference in references:
        with suppress(UnknownWorkflowError):
            run = await describe_run(client, workflow_id(reference))
            if run.engine.is_open:
                return reference
    return None


async def input_of(client: Client, workflow_id: str, run_id: str, kind: type[Input]) -> Input | None:
    """Read what a run was started with.

    None where it is gone, or had no input of the product.

    Raises:
        TemporalUnavailableError: the server gave no answer, or the input cannot be read here.
    """
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    try:
        with translated():
            async for event in handle.fetch_history_events(page_size=1):
                # The product gives one; what else stands there, a stranger has added.
                payloads = event.workflow_execution_started_event_attributes.input.payloads[:1]
                if not payloads:
                    return None
                context = WorkflowSerializationContext(namespace=client.namespace, workflow_id=workflow_id)
                converter = client.data_converter.with_context(context)
                with passing_over_strangers():
                    [given] = await converter.decode(payloads, [kind])
                    return cast("Input", given)
    except UnknownWorkflowError:
        return None
    return None


@contextmanager
def passing_over_strangers() -> Iterator[None]:
    """Pass over what the product did not write.

    Raises:
        UntrustedPayloadError: the product may have written it, with a key that is missing here.
    """
    try:
        yield
    except UntrustedPayloadError as error:
        if error.fault is Fault.UNKNOWN_KEY:
            raise


async def description_of(client: Client, workflow_id: str) -> DescribeWorkflowExecutionResponse:
    """Get everything that the server says of the newest run; raises the same."""
    request = DescribeWorkflowExecutionRequest(
        namespace=client.namespace, execution=WorkflowExecution(workflow_id=workflow_id)
    )
    with translated():
        return await client.workflow_service.describe_workflow_execution(
            request, retry=True, timeout=_PATIENCE
        )


async def read_failure(client: Client, failure: Failure) -> BaseException:
    """Read what a step failed with.

    A failure that the product did not write says so instead.
    """
    fault = Fault.PLAINTEXT
    # The server's own failures, as that of a time that is over, are none of an application.
    if failure.HasField("encoded_attributes") or not failure.HasField("application_failure_info"):
        try:
            return await client.data_converter.decode_failure(failure)
        except UntrustedPayloadError as error:
            fault = error.fault
    return ApplicationError(refusal_of(fault), type=UNTRUSTED_PAYLOAD)


def known_word(text: str | None, kind: type[Word]) -> Word | None:
    """Return the word of a search attribute.

    None for one that only another version of the product, or a stranger, writes.
    """
    return next((word for word in kind if word == text), None)


def known_words(texts: Iterable[str] | None, kind: type[Word]) -> tuple[Word, ...]:
    """The same for an attribute of several words."""
    return tuple(word for text in texts or () if (word := known_word(text, kind)))


def run_of(info: WorkflowExecutionInfo) -> Run:
    """Read what the server says of a run, in a description or in a list."""
    return Run(
        workflow_id=info.execution.workflow_id,
        run_id=info.execution.run_id,
        engine=_engine_state(info.status),
        started_at=_moment(info.start_time),
        closed_at=_moment(info.close_time) if info.HasField("close_time") else None,
        attributes=decode_typed_search_attributes(info.search_attributes),
    )


def _engine_state(status: int) -> EngineState:
    try:
        name = WorkflowExecutionStatus.Name(status)  # type: ignore[arg-type]  # Any number can come over the wire.
        return EngineState(name.removeprefix("WORKFLOW_EXECUTION_STATUS_"))
    except ValueError:
        return EngineState.UNKNOWN


def _moment(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(tzinfo=UTC)
