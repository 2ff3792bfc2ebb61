"""What a refused payload means for each kind of message.

The one place that decides it.

A start fails, an update is rejected, a signal is dropped, an activity fails once. The result of an activity
is checked by the step runner, which does the step again.
"""

import inspect
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.converter import EncodingPayloadConverter
from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    HandleQueryInput,
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from mipres.temporal import names
from mipres.temporal.codec import (
    REFUSED_ENCODING,
    SCOPE,
    Fault,
    UntrustedPayloadError,
)
from mipres.temporal.names import WorkflowType

UNTRUSTED_PAYLOAD = "UntrustedPayload"
"""Type of the error with which a refused payload is answered."""


@dataclass(frozen=True, kw_only=True)
class RefusedPayload:
    """Stands where a value should be.

    The payload was no word of this product for this place.
    """

    fault: Fault


@dataclass(frozen=True, kw_only=True)
class OperatorReason:
    """The reason of an update, sealed by the codec server for an operator."""

    text: str
    actor: str
    expires_at: datetime


def fault_of(value: object) -> Fault | None:
    """Why a value is refused, or None.

    An operator's reason stands for nothing but an update's argument.
    """
    match value:
        case RefusedPayload():
            return value.fault
        case OperatorReason():
            return Fault.MOVED
    return None


def refusal_of(fault: Fault) -> str:
    """Say to staff why something is not believed."""
    return f"El dato no fue escrito por este producto para este lugar ({fault})"


class MarkedPayloadConverter(EncodingPayloadConverter):
    """Hands a mark of the codec on as a value, for a worker's interceptors."""

    def __init__(self, mark: bytes) -> None:
        self._mark = mark

    @property
    def encoding(self) -> str:
        return self._mark.decode()

    def to_payload(self, value: Any) -> Payload | None:  # noqa: ARG002 - the SDK's name.
        """Write nothing: a mark never leaves the process."""
        return None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:  # noqa: ARG002 - the SDK's name.
        if self._mark == REFUSED_ENCODING:
            return RefusedPayload(fault=Fault(payload.data.decode()))
        _, expires_at, actor = payload.metadata[SCOPE].decode().split("/", 2)
        return OperatorReason(
            text=json.loads(payload.data),
            actor=actor,
            expires_at=datetime.fromtimestamp(int(expires_at), UTC),
        )


class RefusingPayloadConverter(MarkedPayloadConverter):
    """Raises for a marked payload, for clients: what Temporal answered cannot be used."""

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        marked = super().from_payload(payload, type_hint)
        raise UntrustedPayloadError(fault_of(marked) or Fault.MOVED)


class TrustedPayloads(Interceptor):
    """Keeps refused payloads out, and activities out of foreign hands."""

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002 - the SDK's name.
    ) -> type[WorkflowInboundInterceptor]:
        return _TrustedMessages

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name.
        return _TrustedActivities(next)


class _TrustedMessages(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002 - the SDK's name.
        if any(fault_of(value) is Fault.UNKNOWN_KEY for value in input.args):
            # A failed task, not a failed workflow: a worker that has the key may come.
            raise UntrustedPayloadError(Fault.UNKNOWN_KEY)
        _require_trust(input.args)
        return await super().execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:  # noqa: A002 - the SDK's name.
        if any(fault_of(value) for value in input.args):
            workflow.logger.warning("a signal was dropped: its payload is refused")
            return
        await super().handle_signal(input)

    async def handle_query(self, input: HandleQueryInput) -> Any:  # noqa: A002 - the SDK's name.
        _require_trust(input.args)
        return await super().handle_query(input)

    def handle_update_validator(self, input: HandleUpdateInput) -> None:  # noqa: A002 - the SDK's name.
        for value in input.args:
            # Only asked when the update comes in: a replay does not validate, so time may decide here.
            if isinstance(value, OperatorReason) and value.expires_at < workflow.now():
                raise ApplicationError(
                    "El motivo venció: envíe la actualización otra vez", type=UNTRUSTED_PAYLOAD
                )
        input.args = _with_reasons(input.args)
        _require_trust(input.args)
        _require_fit(input)
        super().handle_update_validator(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:  # noqa: A002 - the SDK's name.
        input.args = _with_reasons(input.args)
        return await super().handle_update_handler(input)


class _TrustedActivities(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name.
        info = activity.info()
        if not info.in_workflow or info.workflow_type not in set(WorkflowType):
            # A stranger with reach to Temporal's port can start an activity by its name alone.
            raise ApplicationError(
                "Las actividades solo corren dentro de los flujos de este producto",
                type=UNTRUSTED_PAYLOAD,
                non_retryable=True,
            )
        _require_trust(input.args)
        return await super().execute_activity(input)


def _with_reasons(values: Sequence[Any]) -> list[Any]:
    return [value.text if isinstance(value, OperatorReason) else value for value in values]


def _require_fit(update: HandleUpdateInput) -> None:
    """Refuse data that the update does not take; Python would answer with a TypeError.

    Signals, queries and updates that take nothing never get here: the SDK drops what comes with them.
    """
    # What the SDK hands out is bound to the workflow, and hides what the method takes.
    known = workflow._Definition.must_from_class(type(workflow.instance())).updates  # noqa: SLF001
    _, *taken = inspect.signature(known[update.update].fn).parameters.values()
    fewest = sum(parameter.default is parameter.empty for parameter in taken)
    if not fewest <= len(update.args) <= len(taken):
        takes = "un solo dato" if len(taken) == 1 else f"{len(taken)} datos"
        raise ApplicationError(
            f"{update.update} recibe {takes} y llegaron {len(update.args)}", type=names.WRONG_ARGUMENTS
        )


def _require_trust(values: Sequence[Any]) -> None:
    for value in values:
        fault = fault_of(value)
        if fault is not None:
            raise ApplicationError(
                refusal_of(fault),
                type=UNTRUSTED_PAYLOAD,
                # A worker that lacks a key may be followed by one that has it.
                non_retryable=fault is not Fault.UNKNOWN_KEY,
            )
