"""The API's way to the workflow Registration: submit, look, announce a password."""

import asyncio
import uuid
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from api.audit_queue import AuditQueue
from api.metrics import BY_MAIL, UNAVAILABLE, ApiMetrics
from mipres.database.password_links import PasswordOwner, Renewal
from mipres.domain.audit import CITIZEN, PROGRAM, AuditEvent, AuditEventType
from mipres.domain.documents import Document
from mipres.domain.links import LinkPurpose
from mipres.domain.outcomes import Outcome, OutcomeStatus
from mipres.domain.radicado import radicado_of, recovery_reference
from mipres.domain.stages import Stage, WaitingOn
from mipres.domain.submissions import Submission, UserType
from mipres.domain.terms import TERMS_SHA256, TERMS_VERSION, Consent
from mipres.ports import Clock
from mipres.temporal import names
from mipres.temporal.answers import TemporalUnavailableError, UnknownWorkflowError, translated
from mipres.temporal.names import (
    REGISTRATION_STAGE,
    REGISTRATIONS_QUEUE,
    USER_TYPE,
    WAITING_ON,
    lock_notice_workflow_id,
    recovery_workflow_id,
    registration_workflow_id,
)
from workflows.contract import LockNoticeRequest, RecoveryRequest, RegistrationRequest, RegistrationStatus
from workflows.login_locked import LoginLocked
from workflows.password_recovery import PasswordRecovery
from workflows.registration import Registration

log = structlog.get_logger()

# Looking must stay quick even where Temporal or every worker is away.
_LOOK = timedelta(seconds=1)
_ATTEMPTS = 3
# A signal takes some milliseconds; nobody's page waits longer for a server that does not answer.
_PATIENCE_SECONDS = 1.0
# Some ten minutes: a restart, or a server that is moved.
_SIGNAL_PAUSES = (1, 2, 4, 8, 16, 32, *[60] * 9)


class WrongStageError(Exception):
    """The registration is not where the wish makes sense."""


class TermsChangedError(Exception):
    """The declaration that was accepted is not the one in force."""


class TooSoonError(Exception):
    """The wish can be repeated after some seconds."""

    def __init__(self, retry_after_seconds: int) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(retry_after_seconds)


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """An accepted registration, its consent and its first answer."""

    radicado: str
    submission: Submission
    consent: Consent
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class RegistrationView:
    """One registration as its status page and the JSON API show it. Nothing personal."""

    radicado: str
    user_type: UserType | None
    stage: Stage
    waiting_on: tuple[WaitingOn, ...]
    submitted_at: datetime
    updated_at: datetime
    outcome: Outcome | None


class Registrations:
    """Starts registrations and looks at them.

    Args:
        client: Temporal.
        radicado_key: Key of the radicado's hash.
        clock: Time of the consent.
        submit_wait: How long a submission waits for its first outcome.
        link_lifetime: Lifetime of the password link, part of the workflow's input.
        metrics: Counts the answers.
        notes: Tell the audit trail what was asked.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, and each a service or a setting of its own.
        self,
        client: Client,
        *,
        radicado_key: bytes,
        clock: Clock,
        submit_wait: timedelta,
        link_lifetime: timedelta,
        metrics: ApiMetrics,
        notes: AuditQueue,
    ) -> None:
        self._client = client
        self._key = radicado_key
        self._clock = clock
        self._submit_wait = submit_wait
        self._link_lifetime = link_lifetime
        self._metrics = metrics
        self._notes = notes
        self._background: set[asyncio.Task[None]] = set()

    async def submit(self, submission: Submission, *, channel: str) -> Submitted:
        """Start the registration, or join the one that runs, and wait a little for its outcome.

        Raises:
            TemporalUnavailableError: it is not known to have been accepted.
        """
        return await self._submit(self._request(submission, self._consent(channel)))

    async def renew(self, renewal: Renewal) -> Submitted:
        """Start the registration of an expired link anew, under the declaration that was accepted for it.

        Raises:
            TermsChangedError: the declaration is another one by now, and has to be accepted.
            TemporalUnavailableError: it is not known to have been accepted.
        """
        if renewal.consent.terms_sha256 != TERMS_SHA256:
            raise TermsChangedError
        return await self._submit(self._request(renewal.submission, renewal.consent))

    async def _submit(self, request: RegistrationRequest) -> Submitted:
        user_type, channel = request.submission.user_type, request.consent.channel
        try:
            outcome = await self._first_outcome(request)
        except TemporalUnavailableError:
            self._metrics.submitted(user_type, channel, UNAVAILABLE)
            raise
        self._metrics.submitted(user_type, channel, outcome.code)
        self._note_submission(request, outcome.code)
        log.info(
            "registration_submitted",
            radicado=request.radicado,
            user_type=request.submission.user_type,
            outcome=outcome.code,
        )
        return Submitted(
            radicado=request.radicado,
            submission=request.submission,
            consent=request.consent,
            outcome=outcome,
        )

    async def accept(self, submission: Submission, *, channel: str) -> None:
        """Start the registration, or join the one that runs, and wait for nothing: the answer goes by mail.

        Raises:
            TemporalUnavailableError: it is not known to have been accepted.
        """
        request = replace(self._request(submission, self._consent(channel)), tell_by_mail=True)
        with translated():
            async with asyncio.timeout(self._submit_wait.total_seconds()):
                await self._client.start_workflow(
                    Registration.run,
                    request,
                    id=registration_workflow_id(request.radicado),
                    task_queue=REGISTRATIONS_QUEUE,
                    id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                    start_signal="asked_again",
                    static_summary=_summary(request),
                    search_attributes=_first_attributes(request),
                )
        self._metrics.submitted(submission.user_type, channel, BY_MAIL)
        self._note_submission(request, BY_MAIL)
        log.info(
            "registration_submitted",
            radicado=request.radicado,
            user_type=submission.user_type,
            outcome=BY_MAIL,
        )

    async def view(self, radicado: str) -> RegistrationView | None:
        """One registration, also while no worker runs; None for an unknown radicado."""
        handle = self._handle(radicado)
        try:
            with translated():
                description = await handle.describe(rpc_timeout=_LOOK)
        except UnknownWorkflowError:
            return None
        return _view(radicado, description, await self._status(handle, description))

    async def resend_link(self, radicado: str, *, reason: str, actor: str = CITIZEN) -> None:
        """Have another link sent; the older one stops working.

        Raises:
            UnknownWorkflowError: no registration of this radicado is running.
            WrongStageError: it waits for no password.
            TooSoonError: the last link is too fresh, or too many were sent today.
            TemporalUnavailableError: nobody could take the wish.
        """
        try:
            with translated():
                async with asyncio.timeout(self._submit_wait.total_seconds()):
                    await self._handle(radicado).execute_update("resend_link", reason, id=str(uuid.uuid4()))
        except WorkflowUpdateFailedError as error:
            raise _resend_refusal(error) from None
        event = AuditEvent(type=AuditEventType.RESEND_ASKED, actor=actor, reference=radicado, reason=reason)
        self._notes.take(event)

    async def announce_password(self, owner: PasswordOwner) -> None:
        """Tell whoever waits for it, and go on telling registrations for some minutes where Temporal is away.

        A hint that may get lost all the same: they ask the database themselves. A recovery is told once:
        the next one of the same person has the same id, and must not take an old password for its own.
        """
        telling = [
            self._tell_password(registration_workflow_id(radicado), pauses=_SIGNAL_PAUSES)
            for radicado in owner.radicados
        ]
        if owner.purpose is LinkPurpose.RECOVER:
            telling.append(self._tell_password(recovery_workflow_id(owner.reference)))
        await asyncio.gather(*(self._in_background(one) for one in telling))

    async def announce_again(self, owner: PasswordOwner) -> None:
        """Tell the registrations of a password that was set some time ago, in case nobody told them then."""
        await asyncio.gather(
            *(self._tell_password(registration_workflow_id(radicado)) for radicado in owner.radicados)
        )

    async def _tell_password(self, workflow_id: str, *, pauses: Sequence[int] = ()) -> None:
        for pause in (0, *pauses):
            await asyncio.sleep(pause)
            try:
                with translated():
                    handle = self._client.get_workflow_handle(workflow_id)
                    await handle.signal("password_set", rpc_timeout=_LOOK)
            except UnknownWorkflowError:
                return
            except TemporalUnavailableError:
                log.warning("password_not_announced", workflow_id=workflow_id, after_seconds=pause)
            else:
                return

    async def recover_password(self, document: Document) -> None:
        """Start a recovery, or ask the running one for another link. Tells nothing about the account."""
        reference = recovery_reference(document, key=self._key)
        with translated():
            async with asyncio.timeout(self._submit_wait.total_seconds()):
                await self._client.start_workflow(
                    PasswordRecovery.run,
                    RecoveryRequest(reference=reference, document=document),
                    id=recovery_workflow_id(reference),
                    task_queue=REGISTRATIONS_QUEUE,
                    start_signal="link_asked",
                    static_summary="Recuperación de contraseña",
                )
        event = AuditEvent(
            type=AuditEventType.RECOVERY_ASKED, actor=CITIZEN, reference=reference, login=document.login
        )
        self._notes.take(event)
        log.info("password_recovery_asked", reference=reference)

    async def tell_lock(self, document: Document) -> None:
        """Have the person of a locked login told, if there is one. Nobody waits for it, and it may fail."""
        reference = recovery_reference(document, key=self._key)
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
        except TemporalUnavailableError:
            log.warning("lock_notice_lost", reference=reference)

    def _note_submission(self, request: RegistrationRequest, outcome: str) -> None:
        channel, user_type = request.consent.channel, request.submission.user_type
        event = AuditEvent(
            type=AuditEventType.REGISTRATION_SUBMITTED,
            actor=CITIZEN if channel == "web" else PROGRAM,
            reference=request.radicado,
            login=request.submission.document.login,
            details={"user_type": user_type.value, "channel": channel, "outcome": outcome},
        )
        self._notes.take(event)

    async def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait a moment for it; what takes longer is done later, and no page waits for it."""
        task = asyncio.create_task(work)
        # The event loop itself keeps no task alive.
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        await asyncio.wait({task}, timeout=_PATIENCE_SECONDS)

    async def is_reachable(self) -> bool:
        """Whether Temporal answers."""
        try:
            with translated():
                return await self._client.service_client.check_health(timeout=_LOOK)
        except TemporalUnavailableError:
            return False

    def _consent(self, channel: str) -> Consent:
        return Consent(
            terms_version=TERMS_VERSION,
            terms_sha256=TERMS_SHA256,
            accepted_at=self._clock.now(),
            channel=channel,
        )

    def _request(self, submission: Submission, consent: Consent) -> RegistrationRequest:
        return RegistrationRequest(
            radicado=radicado_of(submission, key=self._key),
            submission=submission,
            consent=consent,
            link_hours=self._link_lifetime / timedelta(hours=1),
        )

    async def _first_outcome(self, request: RegistrationRequest) -> Outcome:
        try:
            with translated():
                async with asyncio.timeout(self._submit_wait.total_seconds()):
                    return await self._outcome_of_some_run(request)
        except TemporalUnavailableError:
            # No outcome in time is one thing, no server another.
            await self._require_started(request.radicado)
            return Outcome(status=OutcomeStatus.IN_PROGRESS)

    async def _outcome_of_some_run(self, request: RegistrationRequest) -> Outcome:
        """Join the running registration or start one; one that ends meanwhile is started anew."""
        for _ in range(_ATTEMPTS):
            try:
                return await self._client.execute_update_with_start_workflow(
                    Registration.first_outcome,  # type: ignore[arg-type]  # The SDK's type of a described update loses its awaitable.
                    start_workflow_operation=_start(request),
                    id=str(uuid.uuid4()),
                )
            except WorkflowUpdateFailedError:
                log.info("registration_ended_while_joining", radicado=request.radicado)
            except RPCError as error:
                if error.status is not RPCStatusCode.RESOURCE_EXHAUSTED:
                    raise
                # Too many are waiting for this very registration already.
                await self._require_started(request.radicado)
                return Outcome(status=OutcomeStatus.IN_PROGRESS)
        return Outcome(status=OutcomeStatus.IN_PROGRESS)

    async def _require_started(self, radicado: str) -> None:
        """A registration is only promised when the server is known to hold it."""
        try:
            with translated():
                await self._handle(radicado).describe(rpc_timeout=_LOOK)
        except UnknownWorkflowError as error:
            raise TemporalUnavailableError from error

    async def _status(
        self,
        handle: WorkflowHandle[Registration, RegistrationStatus],
        description: WorkflowExecutionDescription,
    ) -> RegistrationStatus | None:
        """The workflow's own word, or None where nobody can give it now."""
        try:
            match description.status:
                case WorkflowExecutionStatus.COMPLETED:
                    return await handle.result(rpc_timeout=_LOOK)
                case WorkflowExecutionStatus.RUNNING:
                    return await handle.query(Registration.status, rpc_timeout=_LOOK)
        except (RPCError, TimeoutError):
            return None
        # A terminated registration would still answer, with the stage that it died in.
        return None

    def _handle(self, radicado: str) -> WorkflowHandle[Registration, RegistrationStatus]:
        return self._client.get_workflow_handle_for(Registration.run, registration_workflow_id(radicado))


def _start(request: RegistrationRequest) -> WithStartWorkflowOperation[Registration, RegistrationStatus]:
    return WithStartWorkflowOperation(
        Registration.run,
        request,
        id=registration_workflow_id(request.radicado),
        task_queue=REGISTRATIONS_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        static_summary=_summary(request),
        search_attributes=_first_attributes(request),
    )


def _summary(request: RegistrationRequest) -> str:
    return f"Registro de {request.submission.user_type.label}"


def _first_attributes(request: RegistrationRequest) -> TypedSearchAttributes:
    return TypedSearchAttributes(
        [
            SearchAttributePair(REGISTRATION_STAGE, Stage.CHECKING),
            SearchAttributePair(USER_TYPE, request.submission.user_type),
        ]
    )


def _resend_refusal(error: WorkflowUpdateFailedError) -> Exception:
    cause = error.cause
    match cause.type if isinstance(cause, ApplicationError) else None:
        case names.TOO_SOON if isinstance(cause, ApplicationError):
            return TooSoonError(int(cause.details[0]))
        case names.WRONG_STAGE:
            return WrongStageError()
    # The registration ended while it was asked.
    return UnknownWorkflowError()


def _view(
    radicado: str, description: WorkflowExecutionDescription, status: RegistrationStatus | None
) -> RegistrationView:
    attributes = description.typed_search_attributes
    user_type = attributes.get(USER_TYPE)
    return RegistrationView(
        radicado=radicado,
        user_type=UserType(user_type) if user_type else None,
        stage=status.stage if status else _stage_without_worker(description),
        waiting_on=status.waiting_on
        if status
        else tuple(WaitingOn(name) for name in attributes.get(WAITING_ON) or ()),
        submitted_at=description.start_time,
        updated_at=datetime.fromisoformat(status.updated_at) if status else description.start_time,
        outcome=status.outcome if status else None,
    )


def _stage_without_worker(description: WorkflowExecutionDescription) -> Stage:
    """The stage that the workflow last published; a terminated one has none of its own."""
    if description.status in {WorkflowExecutionStatus.TERMINATED, WorkflowExecutionStatus.CANCELED}:
        return Stage.CANCELLED
    return Stage(description.typed_search_attributes.get(REGISTRATION_STAGE) or Stage.CHECKING)
