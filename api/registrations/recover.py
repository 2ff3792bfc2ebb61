"""Start password recoveries and notices of a locked login."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from mipres.database.audit_queue import AuditQueue
from mipres.domain.audit import CITIZEN, AuditEvent, AuditEventType
from mipres.domain.documents import Document
from mipres.domain.radicado import recovery_reference
from mipres.logs import bind_work
from mipres.temporal.answers import TemporalUnavailableError, translated
from mipres.temporal.names import REGISTRATIONS_QUEUE, lock_notice_workflow_id, recovery_workflow_id
from mipres.temporal.runs import first_open
from workflows.contract import LockNoticeRequest, RecoveryRequest
from workflows.login_locked import LoginLocked
from workflows.password_recovery import PasswordRecovery

log = structlog.get_logger()

# A look at the server stays quick, also where the server is away.
_LOOK = timedelta(seconds=1)


class RecoveryStarter:
    """Starts what writes to the owner of an account, whether there is one or not.

    Args:
        client: Temporal.
        reference_key: Key of the reference's hash.
        older_reference_keys: Keys of before a rotation, whose open runs are joined.
        start_wait: How long a page waits for the start.
        audit_queue: Takes what people asked for to the audit trail.
    """

    def __init__(
        self,
        client: Client,
        *,
        reference_key: bytes,
        older_reference_keys: Sequence[bytes] = (),
        start_wait: timedelta,
        audit_queue: AuditQueue,
    ) -> None:
        self._client = client
        self._key = reference_key
        self._older_keys = tuple(older_reference_keys)
        self._start_wait = start_wait
        self._audit_queue = audit_queue

    async def recover_password(self, document: Document, *, is_quiet: bool = False) -> None:
        """Start a recovery, or ask the open one for another link.

        Args:
            document: Whose password.
            is_quiet: The document's budget is spent: the open recovery mails no other link.

        Raises:
            TemporalUnavailableError: the server is not known to hold it.
        """
        reference = await self._signal(document, None if is_quiet else "link_asked")
        event = AuditEvent(
            type=AuditEventType.RECOVERY_ASKED, actor=CITIZEN, reference=reference, login=document.login
        )
        self._audit_queue.take(event)
        log.info("password_recovery_asked", reference=reference)

    async def report_stopped_change(self, document: Document) -> bool:
        """End a recovery to an address that its person stopped, and notify support.

        False where Temporal does not take it now: the change is stopped all the same.
        """
        try:
            reference = await self._signal(document, "address_change_stopped")
        except TemporalUnavailableError as error:
            log.warning("stopped_change_not_reported", reason=str(error))
            return False
        log.info("stopped_change_reported", reference=reference)
        return True

    async def _signal(self, document: Document, signal: str | None) -> str:
        """Signal the person's recovery, which starts if none runs; its reference."""
        older = (recovery_reference(document, key=key) for key in self._older_keys)
        reference = await first_open(self._client, older, recovery_workflow_id)
        reference = reference or recovery_reference(document, key=self._key)
        bind_work(reference)
        with translated():
            async with asyncio.timeout(self._start_wait.total_seconds()):
                await self._client.start_workflow(
                    PasswordRecovery.run,
                    RecoveryRequest(reference=reference, document=document),
                    id=recovery_workflow_id(reference),
                    task_queue=REGISTRATIONS_QUEUE,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    start_signal=signal,
                    static_summary="Recuperación de contraseña",
                )
        return reference

    async def notify_lock(self, document: Document) -> None:
        """Notify the owner of a locked login; the login goes on where this fails."""
        reference = recovery_reference(document, key=self._key)
        bind_work(reference)
        try:
            with translated():
                await self._client.start_workflow(
                    LoginLocked.run,
                    LockNoticeRequest(reference=reference, document=document),
                    id=lock_notice_workflow_id(reference),
                    task_queue=REGISTRATIONS_QUEUE,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    static_summary="Aviso de ingreso bloqueado",
                    rpc_timeout=_LOOK,
                )
        except TemporalUnavailableError as error:
            log.warning("lock_notice_lost", reference=reference, reason=str(error))
