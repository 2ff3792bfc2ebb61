"""What a stranger who reaches Temporal, and has no key, can try."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import timedelta

from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
)
from temporalio.client import ActivityFailureError, Client, WorkflowFailureError
from temporalio.converter import DataConverter, PayloadCodec
from temporalio.exceptions import ApplicationError

from dev.attacks.target import PATIENCE_SECONDS, Target, eventually, need
from mipres.temporal.names import REGISTRATIONS_QUEUE, WorkflowType, registration_workflow_id
from mipres.temporal.trust import UNTRUSTED_PAYLOAD

_INVENTED = "RM-ZZZZZZZZZZZZ"
_FORGED_ADDRESS = "forjado@ejemplo.test"


class _Replaying(PayloadCodec):
    """Sends what somebody else has encrypted."""

    def __init__(self, payloads: Sequence[Payload]) -> None:
        self._payloads = list(payloads)

    async def encode(self, _payloads: Sequence[Payload]) -> list[Payload]:
        return self._payloads

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)


async def activity_by_hand(target: Target) -> bool:
    """Start the activity that writes accounts, with arguments in clear."""
    victim = await target.newcomer()
    handle = await target.stranger.start_activity(
        "register_account",
        {"login": victim.login, "email": _FORGED_ADDRESS},
        id=str(uuid.uuid4()),
        task_queue=REGISTRATIONS_QUEUE,
        start_to_close_timeout=timedelta(seconds=10),
    )
    try:
        await asyncio.wait_for(handle.result(), PATIENCE_SECONDS)
    except ActivityFailureError as error:
        return isinstance(error.__cause__, ApplicationError) and error.__cause__.type == UNTRUSTED_PAYLOAD
    return False


async def payload_in_clear(target: Target) -> bool:
    """Tell a registration in clear that its password is set."""
    victim = await target.newcomer()
    radicado = await target.registered(victim)
    handle = target.stranger.get_workflow_handle(registration_workflow_id(radicado))
    await handle.signal("password_set", victim.login)
    statement = "SELECT count(*) FROM audit_entries WHERE type = 'payload_refused' AND reference = $1"

    async def noticed() -> bool:
        return await target.number(statement, radicado) > 0

    await eventually(noticed, "no row of the trail tells of the attempt")
    seen = await target.api.get(f"/api/v1/registrations/{radicado}")
    return bool(seen.json()["stage"] == "awaiting_password") and not await target.has_password(victim)


async def moved_ciphertext(target: Target) -> bool:
    """Start another registration with the ciphertext of one's own."""
    own = await target.registered(await target.newcomer())
    handle = target.stranger.get_workflow_handle(registration_workflow_id(own))
    first = await anext(handle.fetch_history_events())
    payloads = first.workflow_execution_started_event_attributes.input.payloads
    need(bool(payloads), "the history has no input")
    replaying = Client(
        target.stranger.service_client,
        namespace=target.stranger.namespace,
        data_converter=DataConverter(payload_codec=_Replaying(payloads)),
    )
    started = await replaying.start_workflow(
        WorkflowType.REGISTRATION,
        "",
        id=registration_workflow_id(_INVENTED),
        task_queue=REGISTRATIONS_QUEUE,
    )
    try:
        await asyncio.wait_for(started.result(), PATIENCE_SECONDS)
    except WorkflowFailureError:
        return await target.number("SELECT count(*) FROM profiles WHERE radicado = $1", _INVENTED) == 0
    return False


async def forged_result(target: Target) -> bool:
    """Answer for a registry: complete the check that a registration waits for."""
    victim = await target.newcomer()
    forged = {"person": victim.record() | {"email": _FORGED_ADDRESS}, "email": _FORGED_ADDRESS}
    path = "/_control/miseguridadsocial"
    (await target.registries.put(path, json={"mode": "slow", "latency_ms": 60_000})).raise_for_status()
    try:
        answer = await target.register(victim)
        workflow_id = registration_workflow_id(str(answer.json()["radicado"]))
        activity_id = await _running_check(target, workflow_id)
        waiting = target.stranger.get_async_activity_handle(
            workflow_id=workflow_id, run_id=None, activity_id=activity_id
        )
        await waiting.complete(forged)
    finally:
        (await target.registries.put(path, json={"mode": "up"})).raise_for_status()
    # The registry itself is asked in the end, and its address alone gets the link.
    await target.link_to(victim.email)
    return not await target.links_to(_FORGED_ADDRESS)


async def _running_check(target: Target, workflow_id: str) -> str:
    """The id of the activity that a registry keeps waiting."""
    found: list[str] = []

    async def is_running() -> bool:
        described: DescribeWorkflowExecutionResponse = (
            await target.stranger.workflow_service.describe_workflow_execution(
                DescribeWorkflowExecutionRequest(
                    namespace=target.stranger.namespace,
                    execution=WorkflowExecution(workflow_id=workflow_id),
                )
            )
        )
        found[:] = [
            pending.activity_id
            for pending in described.pending_activities
            if pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
        ]
        return bool(found)

    await eventually(is_running, "no check is running")
    return found[0]
