"""Runs of a workflow called Registration that answers as a test wants."""

import threading
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from mipres.domain.stages import Stage, WaitingOn
from mipres.domain.submissions import UserType
from mipres.temporal import names

Handle = WorkflowHandle[Any, Any]
QUEUE = "scripted"
NOT_SERVED = "nobody-serves-this"
REASON = "la persona lo pidió en la mesa de ayuda"


class DiscardedTask:
    """A workflow task that ends the run while a signal comes.

    The server throws it away, with its update.
    """

    def __init__(self) -> None:
        self.begun, self._may_end = threading.Event(), threading.Event()

    def hold(self) -> None:
        """Called in the task."""
        self.begun.set()
        assert self._may_end.wait(1.5)

    def end(self) -> None:
        self._may_end.set()


tasks_to_discard: dict[str, DiscardedTask] = {}
"""By radicado; each is discarded once."""


def new_radicado() -> str:
    return f"RM-{uuid.uuid4().hex[:12].upper()}"


@workflow.defn(name="Registration")
class ScriptedRegistration:
    """Takes retries, refuses to send a link, and ends when it is cancelled."""

    def __init__(self) -> None:
        self._reasons: list[str] = []
        self._is_cancelled = False

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self._is_cancelled)
        return self._reasons

    @workflow.update(name="retry_now")
    async def retry_now(self, reason: str) -> None:
        self._reasons.append(reason)

    @workflow.update(name="resend_link")
    async def resend_link(self, _reason: str) -> None:
        raise ApplicationError("Espere para pedir otro enlace", type=names.TOO_SOON)

    @workflow.update(name="cancel_registration")
    async def cancel_registration(self, reason: str) -> None:
        self._reasons.append(reason)
        self._is_cancelled = True
        if task := tasks_to_discard.pop(names.reference_of(workflow.info().workflow_id), None):
            task.hold()

    @workflow.signal
    def password_set(self) -> None:
        """Nothing follows; that it comes is what counts."""


@asynccontextmanager
async def served(client: Client) -> AsyncIterator[None]:
    """A worker for the scripted registrations."""
    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=[ScriptedRegistration],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        yield


async def start(
    client: Client,
    radicado: str,
    *,
    queue: str = QUEUE,
    stage: Stage | None = None,
    waiting_on: WaitingOn | None = None,
    stuck_since: datetime | None = None,
) -> Handle:
    """A run with the attributes that a registration of this stage has."""
    attributes: list[SearchAttributePair[Any]] = [
        SearchAttributePair(names.USER_TYPE, UserType.PROFESSIONAL.value)
    ]
    if stage:
        attributes.append(SearchAttributePair(names.REGISTRATION_STAGE, stage.value))
    if waiting_on:
        attributes.append(SearchAttributePair(names.WAITING_ON, [waiting_on.value]))
    if stuck_since:
        attributes.append(SearchAttributePair(names.STUCK_SINCE, stuck_since))
    handle: Handle = await client.start_workflow(
        "Registration",
        id=names.workflow_id_of(radicado),
        task_queue=queue,
        search_attributes=TypedSearchAttributes(attributes),
    )
    return handle
