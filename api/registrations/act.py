"""Act on registrations that run: send the link again, announce a password."""

import asyncio
import uuid
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import Any

import structlog
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from mipres.database.audit_queue import AuditQueue
from mipres.database.password_links import PasswordOwner
from mipres.domain.audit import CITIZEN, AuditEvent, AuditEventType
from mipres.domain.errors import MipresError
from mipres.domain.links import LinkPurpose
from mipres.temporal import names
from mipres.temporal.answers import TemporalUnavailableError, UnknownWorkflowError, translated
from mipres.temporal.names import recovery_workflow_id, registration_workflow_id

log = structlog.get_logger()

_SIGNAL_TIMEOUT = timedelta(seconds=1)
# A signal takes some milliseconds, and a page does not wait for a server that gives no answer.
_PATIENCE_SECONDS = 1.0
# Some ten minutes: a restart, or a server that is moved.
# A second press looks at the used link at once, while the signal of the first is on its way.
_SETTLED = timedelta(seconds=5)
_SIGNAL_PAUSES = (1, 2, 4, 8, 16, 32, *[60] * 9)


class WrongStageError(MipresError):
    """The registration is at a stage where the request makes no sense."""


class TooSoonError(MipresError):
    """The person can ask again after some seconds.

    Attributes:
        limit: The registration's own words for the limit that was met.
    """

    def __init__(self, retry_after_seconds: int, *, limit: str) -> None:
        self.retry_after_seconds = retry_after_seconds
        self.limit = limit
        super().__init__(retry_after_seconds)


class RegistrationActs:
    """Sends registrations what a person or a program asks of them.

    Args:
        client: Temporal.
        answer_wait: How long a page waits for the registration's answer.
        audit_queue: Takes what people asked for to the audit trail.
    """

    def __init__(self, client: Client, *, answer_wait: timedelta, audit_queue: AuditQueue) -> None:
        self._client = client
        self._answer_wait = answer_wait
        self._audit_queue = audit_queue
        self._background: set[asyncio.Task[None]] = set()

    async def resend_link(self, radicado: str, *, reason: str, actor: str = CITIZEN) -> None:
        """Send another link; the older one stops working.

        Raises:
            UnknownWorkflowError: no registration of this radicado is running.
            WrongStageError: it waits for no password.
            TooSoonError: the last link is too fresh, or too many were sent today.
            UpdatesSpentError: the run takes no more requests of any kind.
            TemporalUnavailableError: no worker took the request.
        """
        handle = self._client.get_workflow_handle(registration_workflow_id(radicado))
        try:
            with translated():
                async with asyncio.timeout(self._answer_wait.total_seconds()):
                    await handle.execute_update("resend_link", reason, id=str(uuid.uuid4()))
        except WorkflowUpdateFailedError as error:
            match error.cause:
                case ApplicationError(type=names.TOO_SOON, message=limit, details=[seconds, *_]):
                    raise TooSoonError(int(seconds), limit=limit) from None
                case ApplicationError(type=names.WRONG_STAGE):
                    raise WrongStageError from None
            # The registration ended before it could answer.
            raise UnknownWorkflowError from None
        event = AuditEvent(type=AuditEventType.RESEND_ASKED, actor=actor, reference=radicado, reason=reason)
        self._audit_queue.take(event)

    async def stop_watching(self, radicado: str, *, reason: str) -> None:
        """End the waiting for a registry; the registration ends with its refusal.

        Raises:
            UnknownWorkflowError: no registration of this radicado is running.
            WrongStageError: it does not wait for a registry by choice.
            TemporalUnavailableError: no worker took the request.
        """
        handle = self._client.get_workflow_handle(registration_workflow_id(radicado))
        try:
            with translated():
                async with asyncio.timeout(self._answer_wait.total_seconds()):
                    await handle.execute_update("stop_watching", reason, id=str(uuid.uuid4()))
        except WorkflowUpdateFailedError as error:
            match error.cause:
                case ApplicationError(type=names.WRONG_STAGE):
                    raise WrongStageError from None
            raise UnknownWorkflowError from None
        event = AuditEvent(type=AuditEventType.WAIT_STOPPED, actor=CITIZEN, reference=radicado, reason=reason)
        self._audit_queue.take(event)

    async def announce_password(self, owner: PasswordOwner) -> None:
        """Signal every workflow that waits for the password.

        Where Temporal is away, this goes on in the background for some minutes. A signal may get lost all the same: the workflows ask the database themselves. A recovery gets one
        signal: the next one of the same person has the same id, and must not mistake an old password for its own.
        """
        signals = [
            self._signal(registration_workflow_id(radicado), pauses=(0, *_SIGNAL_PAUSES))
            for radicado in owner.radicados
        ]
        if owner.purpose is LinkPurpose.RECOVER:
            signals.append(self._signal(recovery_workflow_id(owner.reference)))
        await asyncio.gather(*(self._in_background(signal) for signal in signals))

    async def announce_again(self, owner: PasswordOwner) -> None:
        """Signal the registrations once more, in case the first signal got lost.

        Within seconds of the use the first one is on its way, so this one waits, and the page does not.
        """
        pause = _SETTLED - owner.closed_for if owner.closed_for is not None else timedelta(0)
        signals = [
            self._signal(registration_workflow_id(radicado), pauses=[max(pause.total_seconds(), 0)])
            for radicado in owner.radicados
        ]
        if pause > timedelta(0):
            for signal in signals:
                self._keep(signal)
        else:
            await asyncio.gather(*signals)

    async def _signal(self, workflow_id: str, *, pauses: Sequence[float] = (0,)) -> None:
        for pause in pauses:
            await asyncio.sleep(pause)
            try:
                with translated():
                    handle = self._client.get_workflow_handle(workflow_id)
                    await handle.signal("password_set", rpc_timeout=_SIGNAL_TIMEOUT)
            except UnknownWorkflowError:
                return
            except TemporalUnavailableError as error:
                log.warning(
                    "password_not_announced",
                    workflow_id=workflow_id,
                    after_seconds=pause,
                    reason=str(error),
                )
            else:
                return

    async def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait a moment for the work; a page does not wait for what takes longer."""
        await asyncio.wait({self._keep(work)}, timeout=_PATIENCE_SECONDS)

    def _keep(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        # The event loop itself keeps no task alive.
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task
