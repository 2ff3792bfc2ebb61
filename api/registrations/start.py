"""Start registrations."""

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.service import RPCError, RPCStatusCode

from api.metrics import BY_MAIL, UNAVAILABLE, WATCHING, ApiMetrics
from mipres.database.audit_queue import AuditQueue
from mipres.database.password_links import Renewal
from mipres.domain.audit import CITIZEN, AuditEvent, AuditEventType
from mipres.domain.errors import MipresError
from mipres.domain.outcomes import Outcome, OutcomeStatus, Refusal
from mipres.domain.radicado import radicado_of
from mipres.domain.stages import Stage
from mipres.domain.submissions import Submission
from mipres.domain.terms import TERMS_SHA256, TERMS_VERSION, Consent
from mipres.logs import bind_work
from mipres.ports import Clock, Erasures
from mipres.temporal.answers import (
    TemporalUnavailableError,
    UnknownWorkflowError,
    is_unknown_workflow,
    translated,
)
from mipres.temporal.names import (
    REGISTRATION_STAGE,
    REGISTRATIONS_QUEUE,
    USER_TYPE,
    registration_workflow_id,
)
from mipres.temporal.runs import Run, describe_run, first_open, input_of
from workflows.contract import RegistrationRequest, RegistrationStatus
from workflows.registration import Registration

log = structlog.get_logger()

_ATTEMPTS = 3
_ERASED = Outcome(status=OutcomeStatus.REFUSED, refusal=Refusal.DATA_ERASED)


class NothingToWaitForError(MipresError):
    """No waiting changes how the registration ended, or it has not ended."""


class TermsChangedError(MipresError):
    """The person accepted another declaration than the one in force."""


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """An accepted registration, its consent and its first answer."""

    radicado: str
    submission: Submission
    consent: Consent
    outcome: Outcome


class RegistrationStarter:
    """Starts registrations, and joins those that run already.

    Args:
        client: Temporal.
        radicado_key: Key of the radicado's hash.
        older_radicado_keys: Keys of before a rotation, whose open runs are joined.
        clock: Time of the consent.
        erasures: Who was erased, and when.
        submit_wait: How long a submission waits for its first outcome.
        link_lifetime: Lifetime of the password link, part of the workflow's input.
        registry_wait: How long somebody may wait to appear in a registry, part of it too.
        metrics: Counts the answers.
        audit_queue: Takes what people asked for to the audit trail.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, and each a service or a setting of its own.
        self,
        client: Client,
        *,
        radicado_key: bytes,
        older_radicado_keys: Sequence[bytes] = (),
        clock: Clock,
        erasures: Erasures,
        submit_wait: timedelta,
        link_lifetime: timedelta,
        registry_wait: timedelta,
        metrics: ApiMetrics,
        audit_queue: AuditQueue,
    ) -> None:
        self._client = client
        self._key = radicado_key
        self._older_keys = tuple(older_radicado_keys)
        self._clock = clock
        self._erasures = erasures
        self._submit_wait = submit_wait
        self._link_lifetime = link_lifetime
        self._registry_wait = registry_wait
        self._metrics = metrics
        self._audit_queue = audit_queue

    async def submit(
        self,
        submission: Submission,
        *,
        channel: str,
        wait_for_registry: bool = False,
        actor: str = CITIZEN,
    ) -> Submitted:
        """Start the registration or join the open run, and wait for its outcome.

        Args:
            submission: What the person typed.
            channel: `web` or `api`.
            wait_for_registry: Wait for a registry that does not know the person yet, instead of refusing.
            actor: Who sends it, for the trail.

        Raises:
            TemporalUnavailableError: the server is not known to hold it.
        """
        request = self._request(submission, self._consent(channel))
        if not wait_for_registry:
            return await self._submit(request, actor=actor)
        submitted = await self._submit(self._waiting(request), actor=actor)
        if not submitted.outcome.may_wait:
            return submitted
        # It joined a run that was to be refused, and goes on as one that waits.
        try:
            await self.wait_for_registry(submitted.radicado)
        except (UnknownWorkflowError, NothingToWaitForError):
            # Meanwhile that run was cut off, or another one has begun.
            return submitted
        return replace(submitted, outcome=Outcome(status=OutcomeStatus.IN_PROGRESS))

    async def renew(self, renewal: Renewal) -> Submitted:
        """Start the registration of an expired link again, with its own consent.

        Raises:
            TermsChangedError: the declaration has changed, and the person has to accept the new one.
            TemporalUnavailableError: the server is not known to hold it.
        """
        if renewal.consent.terms_sha256 != TERMS_SHA256:
            raise TermsChangedError
        return await self._submit(self._request(renewal.submission, renewal.consent), actor=CITIZEN)

    async def wait_for_registry(self, radicado: str) -> None:
        """Go on with a registration that a registry refused, once it knows the person.

        Raises:
            NothingToWaitForError: it was not refused, or no waiting can change that.
            UnknownWorkflowError: no registration of this radicado is known.
            TemporalUnavailableError: the server is not known to hold it.
        """
        workflow_id = registration_workflow_id(radicado)
        with translated():
            async with asyncio.timeout(self._submit_wait.total_seconds()):
                run = await describe_run(self._client, workflow_id)
                before = await input_of(self._client, workflow_id, run.run_id, RegistrationRequest)
                if run.attributes.get(REGISTRATION_STAGE) != Stage.REFUSED:
                    if run.engine.is_open and before and before.wait_for_registry:
                        # A second press meets the run that the first one started.
                        return
                    raise NothingToWaitForError
                # A run that has refused still writes that down, and mails it.
                outcome = await self._last_outcome(workflow_id)
        if before is None or outcome is None or not outcome.may_wait:
            raise NothingToWaitForError
        await self._accept(self._waiting(replace(before, state=None, is_quiet=False)))
        event = AuditEvent(type=AuditEventType.WAIT_ASKED, actor=CITIZEN, reference=radicado)
        self._audit_queue.take(event)

    def _waiting(self, request: RegistrationRequest) -> RegistrationRequest:
        return replace(request, wait_for_registry=True, wait_days=self._registry_wait / timedelta(days=1))

    async def accept(self, submission: Submission, *, channel: str, is_quiet: bool = False) -> None:
        """Start the registration, or join the one that runs; its answer goes by mail.

        Args:
            submission: What was asked for.
            channel: Where.
            is_quiet: The document's budget is spent: nobody is mailed for it once more.

        Raises:
            TemporalUnavailableError: the server is not known to hold it.
        """
        request = replace(
            self._request(submission, self._consent(channel)), tell_by_mail=True, is_quiet=is_quiet
        )
        with self._counting_what_is_not_accepted(request):
            await self._accept(await self._of_the_open_run(request))

    async def _accept(self, request: RegistrationRequest) -> None:
        with translated():
            async with asyncio.timeout(self._submit_wait.total_seconds()):
                await self._client.start_workflow(
                    Registration.run,
                    request,
                    id=registration_workflow_id(request.radicado),
                    task_queue=REGISTRATIONS_QUEUE,
                    id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    start_signal=None if request.is_quiet else "asked_again",
                    static_summary=_summary(request),
                    search_attributes=_first_attributes(request),
                )
        self._record(request, BY_MAIL, counted_as=BY_MAIL, actor=CITIZEN)

    def _consent(self, channel: str) -> Consent:
        return Consent(
            terms_version=TERMS_VERSION,
            terms_sha256=TERMS_SHA256,
            accepted_at=self._clock.now(),
            channel=channel,
        )

    def _request(self, submission: Submission, consent: Consent) -> RegistrationRequest:
        radicado = radicado_of(submission, key=self._key)
        bind_work(radicado)
        return RegistrationRequest(
            radicado=radicado,
            submission=submission,
            consent=consent,
            link_hours=self._link_lifetime / timedelta(hours=1),
            is_fast=True,
        )

    async def _of_the_open_run(self, request: RegistrationRequest) -> RegistrationRequest:
        """Keep the radicado under which the registration began before a rotation."""
        radicados = (radicado_of(request.submission, key=key) for key in self._older_keys)
        older = await first_open(self._client, radicados, registration_workflow_id)
        if older is None:
            return request
        bind_work(older)
        return replace(request, radicado=older)

    async def _submit(self, request: RegistrationRequest, *, actor: str) -> Submitted:
        with self._counting_what_is_not_accepted(request):
            request = await self._of_the_open_run(request)
            outcome, counted_as = await self._first_outcome(request)
        self._record(request, outcome.code, counted_as=counted_as, actor=actor)
        return Submitted(
            radicado=request.radicado,
            submission=request.submission,
            consent=request.consent,
            outcome=outcome,
        )

    @contextmanager
    def _counting_what_is_not_accepted(self, request: RegistrationRequest) -> Iterator[None]:
        try:
            yield
        except TemporalUnavailableError:
            self._metrics.submitted(request.submission.user_type, request.consent.channel, UNAVAILABLE)
            raise

    def _record(self, request: RegistrationRequest, outcome: str, *, counted_as: str, actor: str) -> None:
        """Count, audit and log one accepted submission."""
        channel, user_type = request.consent.channel, request.submission.user_type
        self._metrics.submitted(user_type, channel, counted_as)
        event = AuditEvent(
            type=AuditEventType.REGISTRATION_SUBMITTED,
            actor=actor,
            reference=request.radicado,
            login=request.submission.document.login,
            details={"user_type": user_type.value, "channel": channel, "outcome": outcome},
        )
        self._audit_queue.take(event)
        log.info("registration_submitted", radicado=request.radicado, user_type=user_type, outcome=outcome)

    async def _first_outcome(self, request: RegistrationRequest) -> tuple[Outcome, str]:
        """Wait for the first outcome; without one, promise only what the server holds.

        The outcome, and as what it is counted: who waits by choice got no late answer.
        """
        try:
            with translated():
                async with asyncio.timeout(self._submit_wait.total_seconds()):
                    outcome = await self._outcome_of_some_run(request)
        except TemporalUnavailableError as error:
            log.info("first_outcome_unknown", radicado=request.radicado, reason=str(error))
            outcome = None
        if outcome is None:
            try:
                run = await describe_run(self._client, registration_workflow_id(request.radicado))
            except UnknownWorkflowError as error:
                if await self._was_erased(request):
                    return _ERASED, _ERASED.code
                raise TemporalUnavailableError("no run was started") from error
            if run.attributes.get(REGISTRATION_STAGE) == Stage.EXPIRED:
                raise TemporalUnavailableError(f"the older run is expired and {run.engine}")
            if not run.engine.is_open:
                outcome = await self._outcome_of_own(run, request)
                return outcome, outcome.code
            outcome = Outcome(status=OutcomeStatus.IN_PROGRESS)
            if run.attributes.get(REGISTRATION_STAGE) == Stage.WATCHING:
                return outcome, WATCHING
        return outcome, outcome.code

    async def _outcome_of_own(self, run: Run, request: RegistrationRequest) -> Outcome:
        """The outcome of a run that this very submission started, and that ended since.

        Raises:
            TemporalUnavailableError: it is an older registration, and will not answer this submission.
        """
        given = await input_of(self._client, run.workflow_id, run.run_id, RegistrationRequest)
        if given is not None and given.consent == request.consent:
            with suppress(UnknownWorkflowError), translated():
                async with asyncio.timeout(self._submit_wait.total_seconds()):
                    outcome = await self._last_outcome(run.workflow_id, run_id=run.run_id)
                if outcome is not None:
                    return outcome
        raise TemporalUnavailableError(f"no run was started; an older one is {run.engine}")

    async def _last_outcome(self, workflow_id: str, *, run_id: str | None = None) -> Outcome | None:
        """Wait for the end of a run, by default the newest.

        None where it was cut off before its outcome.
        """
        handle: WorkflowHandle[Registration, RegistrationStatus] = self._client.get_workflow_handle_for(
            Registration.run, workflow_id, run_id=run_id
        )
        try:
            return (await handle.result()).outcome
        except WorkflowFailureError:
            return None

    async def _outcome_of_some_run(self, request: RegistrationRequest) -> Outcome | None:
        """Join the open run or start one; None where that fails for a good reason."""
        for _ in range(_ATTEMPTS):
            try:
                return await self._outcome_of(request)
            except WorkflowUpdateFailedError:
                log.info("registration_ended_while_joining", radicado=request.radicado)
            except RPCError as error:
                # Too many submissions wait for this very registration already.
                if error.status is RPCStatusCode.RESOURCE_EXHAUSTED:
                    return None
                if not is_unknown_workflow(error):
                    raise
                log.info("registration_removed_while_joining", radicado=request.radicado)
            if await self._was_erased(request):
                return _ERASED
        return None

    async def _was_erased(self, request: RegistrationRequest) -> bool:
        """Tell whether the person was erased since: then nothing is started again."""
        login, submitted_at = request.submission.document.login, request.consent.accepted_at
        return await self._erasures.covers(login, submitted_at=submitted_at)

    async def _outcome_of(self, request: RegistrationRequest) -> Outcome:
        start: WithStartWorkflowOperation[Registration, RegistrationStatus] = WithStartWorkflowOperation(
            Registration.run,
            request,
            id=registration_workflow_id(request.radicado),
            task_queue=REGISTRATIONS_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=_summary(request),
            search_attributes=_first_attributes(request),
        )
        try:
            return await self._client.execute_update_with_start_workflow(
                Registration.first_outcome,  # type: ignore[arg-type]  # The SDK's type of a described update loses its awaitable.
                start_workflow_operation=start,
                id=str(uuid.uuid4()),
            )
        except BaseException:
            # The SDK keeps the error in the operation too, and asyncio reports an error that nothing reads.
            with suppress(Exception, asyncio.CancelledError):
                async with asyncio.timeout(0):
                    await start.workflow_handle()
            raise


def _summary(request: RegistrationRequest) -> str:
    return f"Registro de {request.submission.user_type.label}"


def _first_attributes(request: RegistrationRequest) -> TypedSearchAttributes:
    return TypedSearchAttributes(
        [
            SearchAttributePair(REGISTRATION_STAGE, Stage.CHECKING),
            SearchAttributePair(USER_TYPE, request.submission.user_type),
        ]
    )
