"""One registration, from the submitted form to the created password."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.accounts import (
        DiscardAccountInput,
        ExpireLinkInput,
        ExpireLinkResult,
        NoteRefusalInput,
        RegisterAccountInput,
        RegisterAccountResult,
    )
    from activities.emails import (
        ConfirmPasswordInput,
        ConfirmPasswordResult,
        NoticeInput,
        RefusalNoticeInput,
        SendLinkInput,
        SendLinkResult,
        SendReminderInput,
        SendUpdateNoticeInput,
        SupportNoticeInput,
    )
    from activities.registries import CheckInput, IdentityResult, PlacementResult, ProfessionResult
    from mipres.domain.accounts import ProfileFacts
    from mipres.domain.links import LinkPurpose
    from mipres.domain.outcomes import Outcome, OutcomeStatus, Refusal
    from mipres.domain.people import Person
    from mipres.domain.stages import REGISTRIES, Stage, WaitingOn
    from mipres.domain.submissions import UserType
    from mipres.temporal import names
    from workflows import contract, metrics, policies, steps
    from workflows.details import Situation, details_of
    from workflows.durable_steps import StepRunner, notified
    from workflows.resending import LinkBudget


@workflow.defn(name="Registration")
class Registration:
    """Checks a person against the registries, creates the account and waits for its password."""

    @workflow.init
    def __init__(self, request: contract.RegistrationRequest) -> None:
        self._request = request
        self._progress = Stage.CHECKING
        self._published: _Published = (Stage.CHECKING, "", None)
        self._changed_at = workflow.now()
        self._steps = StepRunner(
            on_change=self._publish, on_stuck=self._tell_delay, interrupted=lambda: self._is_interrupted
        )
        self._links = LinkBudget()
        self._story: asyncio.Task[Any] | None = None
        self._delay_notice: asyncio.Task[None] | None = None
        self._person: Person | None = None
        self._facts = ProfileFacts()
        self._account: RegisterAccountResult | None = None
        self._outcome: Outcome | None = None
        self._address_rejected = False
        self._password_announced = False
        self._resend_asked = False
        self._cancel_asked = False
        self._is_undoing = False
        self._explain()

    @workflow.run
    async def run(self, _request: contract.RegistrationRequest) -> contract.RegistrationStatus:
        """Tell the whole story; the result is the last status."""
        self._story = asyncio.current_task()
        try:
            await self._tell_story()
        except (FailureError, asyncio.CancelledError) as error:
            if is_cancelled_exception(error):
                await self._undo()
            else:
                await self._give_up()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.status()

    @workflow.update(description="Espera y entrega la primera respuesta del registro (la usa el formulario).")
    async def first_outcome(self) -> Outcome:
        """The outcome, or `in_progress` as soon as a step has to wait for something that is down."""
        if self._resend_problem() is None:
            # The person registers again because the mail of a while ago is not at hand.
            self._resend_asked = True
        await workflow.wait_condition(lambda: self._is_answerable)
        return self._outcome or Outcome(status=OutcomeStatus.IN_PROGRESS)

    @workflow.update(
        description="Envía otro enlace para crear la contraseña; el anterior deja de servir. Entrada: el motivo."
    )
    async def resend_link(self, reason: str) -> None:  # noqa: ARG002 - the validator asks for it.
        """Supersede the link by a new one and start its lifetime anew."""
        workflow.logger.info("another link was asked for")
        self._resend_asked = True

    @resend_link.validator
    def _validate_resend(self, reason: str) -> None:
        if not reason.strip():
            raise ApplicationError("Escriba el motivo", type=names.REASON_MISSING)
        problem = self._resend_problem()
        if problem is not None:
            raise problem

    @workflow.update(description="Reintenta ya lo que el registro está esperando. Entrada: el motivo.")
    async def retry_now(self, reason: str) -> None:  # noqa: ARG002 - the validator asks for it.
        """Skip the pause before the next attempt; returns once the attempt is due, not its result."""
        workflow.logger.info("an attempt at once was asked for")
        await self._steps.retry_now()

    @retry_now.validator
    def _validate_retry(self, reason: str) -> None:
        if not reason.strip():
            raise ApplicationError("Escriba el motivo", type=names.REASON_MISSING)
        if not self._steps.is_pending:
            raise ApplicationError("Este registro no espera ningún reintento", type=names.WRONG_STAGE)

    @workflow.update(
        description="Cancela el registro y deshace lo que creó; nunca toca una cuenta en uso. Entrada: el motivo."
    )
    async def cancel_registration(self, reason: str) -> None:  # noqa: ARG002 - the validator asks for it.
        """Stop wherever the registration is; returns when it has been undone."""
        workflow.logger.info("the registration is cancelled")
        await workflow.wait_condition(lambda: self._story is not None)
        self._cancel_asked = True
        if self._story is not None and not self._is_undoing:
            self._story.cancel()
        await workflow.wait_condition(lambda: self._has_ended)

    @cancel_registration.validator
    def _validate_cancel(self, reason: str) -> None:
        if not reason.strip():
            raise ApplicationError("Escriba el motivo", type=names.REASON_MISSING)
        if self._has_ended:
            raise ApplicationError("Este registro ya terminó", type=names.WRONG_STAGE)

    @workflow.signal(description="La persona creó su contraseña. Sin contenido; la base de datos decide.")
    def password_set(self) -> None:
        """A hint only: the workflow asks the database."""
        self._password_announced = True

    @workflow.signal(
        description="La persona se registró otra vez sin que una página le responda. Sin contenido."
    )
    def asked_again(self) -> None:
        """The same as registering again with a page: another link, unless the last one is too fresh."""
        if self._resend_problem() is None:
            self._resend_asked = True

    @workflow.query(description="En qué va el registro. No contiene datos personales.")
    def status(self) -> contract.RegistrationStatus:
        return contract.RegistrationStatus(
            radicado=self._request.radicado,
            user_type=self._request.submission.user_type,
            stage=self._stage,
            waiting_on=(self._waiting_on,) if self._waiting_on else (),
            updated_at=self._changed_at.isoformat(),
            outcome=self._outcome,
        )

    # ---- The story, step by step

    async def _tell_story(self) -> None:
        facts, refusal = await self._check_registries()
        if refusal or self._person is None:
            self._answer(Outcome(status=OutcomeStatus.REFUSED, refusal=refusal), Stage.REFUSED)
            await self._note_refusal(refusal)
            await self._tell_refusal(refusal)
            return
        self._facts = facts
        account = await self._register_account(self._person, facts)
        await (self._welcome_back(account) if account.has_password else self._get_password(account))

    async def _note_refusal(self, refusal: Refusal | None) -> None:
        """Leave a trace: nothing else of a refused registration is kept."""
        # Registrations that were refused before there was a trail end as they did then.
        if refusal is None or not workflow.patched("refusal-in-the-trail"):
            return
        request = NoteRefusalInput(
            reference=self._request.radicado,
            document=self._request.submission.document,
            refusal=refusal,
            run=workflow.info().run_id,
        )
        await self._steps.do(steps.NOTE_REFUSAL, request)

    async def _check_registries(self) -> tuple[ProfileFacts, Refusal | None]:
        check = CheckInput(submission=self._request.submission)
        identity: IdentityResult = await self._steps.do(steps.CHECK_PERSON, check)
        self._person = identity.person
        if identity.refusal:
            return ProfileFacts(), identity.refusal
        return await self._check_by_type(check)

    async def _check_by_type(self, check: CheckInput) -> tuple[ProfileFacts, Refusal | None]:
        match check.submission.user_type:
            case UserType.DELEGATE:
                return await self._check_delegation(check)
            case UserType.PROFESSIONAL:
                found: ProfessionResult = await self._steps.do(steps.CHECK_PROFESSION, check)
                return _profession_facts(found), found.refusal
            case UserType.SOCIAL_SERVICE:
                placed: PlacementResult = await self._steps.do(steps.CHECK_PLACEMENT, check)
                return _placement_facts(placed), placed.refusal
            case UserType.OTHER:
                other: ProfessionResult = await self._steps.do(steps.CHECK_OTHER_USER, check)
                return ProfileFacts(), other.refusal

    async def _check_delegation(self, check: CheckInput) -> tuple[ProfileFacts, Refusal | None]:
        entity = check.submission.entity
        if entity is None or entity.is_natural_person:
            return ProfileFacts(), None
        found: IdentityResult = await self._steps.do(steps.CHECK_DELEGATION, check)
        return ProfileFacts(entity_name=found.entity.name if found.entity else None), found.refusal

    async def _register_account(self, person: Person, facts: ProfileFacts) -> RegisterAccountResult:
        request = RegisterAccountInput(
            radicado=self._request.radicado,
            submission=self._request.submission,
            person=person,
            facts=facts,
            consent=self._request.consent,
        )
        registering = asyncio.create_task(self._steps.do(steps.REGISTER_ACCOUNT, request))
        try:
            account: RegisterAccountResult = await asyncio.shield(registering)
        except asyncio.CancelledError:
            # What is undone must have ended first: an account that is born after its removal is nobody's.
            await registering
            raise
        return account

    async def _welcome_back(self, account: RegisterAccountResult) -> None:
        """The person had a password: the data are fresh, and the address on file is told."""
        outcome = Outcome(status=OutcomeStatus.UPDATED, email_hint=account.email_hint)
        self._answer(outcome, Stage.COMPLETED)
        notice = SendUpdateNoticeInput(account_id=account.account_id, message_key=self._key("aviso"))
        await self._steps.mail(steps.SEND_UPDATE_NOTICE, notice)

    async def _get_password(self, account: RegisterAccountResult) -> None:
        """Mail links until the password exists or the last link's time is over."""
        self._account = account
        outcome = Outcome(status=OutcomeStatus.REGISTERED, email_hint=account.email_hint)
        self._answer(outcome, Stage.AWAITING_PASSWORD)
        end: Stage | None = None
        while end is None:
            # Registrations whose address was rejected before it was asked for again go on as they began.
            if self._address_rejected and workflow.patched("address-is-asked-again"):
                account = await self._with_address_of_today(account)
            password_exists = await self._send_link(account)
            end = Stage.COMPLETED if password_exists else await self._follow_link(account)
        self._enter(end)

    async def _with_address_of_today(self, account: RegisterAccountResult) -> RegisterAccountResult:
        """The account, with the address that the person may have corrected in miseguridadsocial meanwhile."""
        check = CheckInput(submission=self._request.submission)
        identity: IdentityResult = await self._steps.do(steps.CHECK_PERSON, check)
        if identity.person is None or identity.person == self._person:
            return account
        self._person = identity.person
        self._account = await self._register_account(identity.person, self._facts)
        self._outcome = Outcome(status=OutcomeStatus.REGISTERED, email_hint=self._account.email_hint)
        return self._account

    async def _send_link(self, account: RegisterAccountResult) -> bool:
        """Mail a new link, unless the password exists already: then say so."""
        self._resend_asked = False
        self._links.note(workflow.now())
        request = SendLinkInput(
            account_id=account.account_id,
            reference=self._request.radicado,
            purpose=LinkPurpose.CREATE,
            lifetime=self._link_lifetime,
            issue_key=self._key(f"enlace-{self._links.count}"),
        )
        result: SendLinkResult | None = await self._steps.mail(steps.SEND_LINK, request)
        self._address_rejected = result is None
        self._publish()
        return result is not None and result.password_exists

    async def _follow_link(self, account: RegisterAccountResult) -> Stage | None:
        """How the registration ends with this link, or None when another one is asked for."""
        deadline = workflow.now() + self._link_lifetime
        reminder_at: datetime | None = workflow.now() + self._link_lifetime * policies.REMINDER_AT
        while True:
            if await self._silence_until(reminder_at or deadline):
                if reminder_at is None:
                    return await self._settle_and_confirm(account)
                reminder_at = None
                await self._remind(account)
            # The flag goes down before the database is asked, so a signal that comes meanwhile counts.
            announced, self._password_announced = self._password_announced, False
            if announced and await self._confirm_password(account):
                return Stage.COMPLETED
            if self._resend_asked:
                return None

    async def _remind(self, account: RegisterAccountResult) -> None:
        reminder = SendReminderInput(
            account_id=account.account_id,
            reference=self._request.radicado,
            message_key=self._key(f"recordatorio-{self._links.count}"),
        )
        await self._steps.mail(steps.SEND_REMINDER, reminder)

    async def _settle(self, account: RegisterAccountResult) -> Stage:
        """The time is over: the database, not the signal, tells whether the password exists."""
        request = ExpireLinkInput(account_id=account.account_id, reference=self._request.radicado)
        result: ExpireLinkResult = await self._steps.do(steps.EXPIRE_LINK, request)
        return Stage.COMPLETED if result.password_set else Stage.EXPIRED

    async def _settle_and_confirm(self, account: RegisterAccountResult) -> Stage:
        end = await self._settle(account)
        if end is Stage.COMPLETED:
            await self._confirm_password(account)
        return end

    async def _confirm_password(self, account: RegisterAccountResult) -> bool:
        """Whether the database knows a password; then the confirmation has been mailed too."""
        request = ConfirmPasswordInput(account_id=account.account_id, message_key=self._key("confirmacion"))
        result: ConfirmPasswordResult | None = await self._steps.mail(steps.CONFIRM_PASSWORD, request)
        # Without a result the address was rejected, which only happens to a mail that was due.
        return result is None or result.password_set

    # ---- Other endings

    async def _undo(self) -> None:
        """Cancelled: take back what this registration made, never an account in use."""
        self._is_undoing = True
        request = DiscardAccountInput(reference=self._request.radicado)
        await self._steps.do(steps.DISCARD_ACCOUNT, request)
        self._enter(Stage.CANCELLED)

    async def _give_up(self) -> None:
        """A step was retried for days and nobody mended what it needs."""
        waited_for = self._steps.waiting_on or "unknown"
        if self._account is not None and not self._has_ended:
            self._enter(await self._settle(self._account))
        elif not self._has_ended:
            self._enter(Stage.EXPIRED)
            await self._notify_person(steps.SEND_GIVEN_UP_NOTICE, "sin-terminar")
        # Registrations that were given up before support was told end as they began.
        if workflow.patched("support-is-told"):
            notice = SupportNoticeInput(
                reference=self._request.radicado,
                waiting_on=waited_for,
                message_key=self._key("soporte"),
            )
            await self._notify(steps.TELL_SUPPORT, notice)

    def _tell_delay(self) -> None:
        if self._person is not None and self._outcome is None and self._delay_notice is None:
            self._delay_notice = asyncio.create_task(self._notify_person(steps.SEND_DELAY_NOTICE, "demora"))

    async def _tell_refusal(self, refusal: Refusal | None) -> None:
        """Where no page shows the answer, mail it; whom nobody knows an address of cannot be told."""
        if not self._request.tell_by_mail or self._person is None or refusal is None:
            return
        notice = RefusalNoticeInput(
            person=self._person,
            login=self._request.submission.document.login,
            reference=self._request.radicado,
            message_key=self._key("rechazo"),
            refusal=refusal,
        )
        await self._notify(steps.SEND_REFUSAL_NOTICE, notice)

    async def _notify_person(self, step: steps.Step, purpose: str) -> None:
        """Mail somebody who has no account yet, if the address is known."""
        if self._person is None:
            return
        notice = NoticeInput(
            person=self._person,
            login=self._request.submission.document.login,
            reference=self._request.radicado,
            message_key=self._key(purpose),
        )
        await self._notify(step, notice)

    async def _notify(self, step: steps.Step, notice: NoticeInput | SupportNoticeInput) -> None:
        """Do a step that the registration does not depend on."""
        if not await notified(step, notice):
            workflow.logger.warning("a notice of %s was not sent", self._request.radicado)

    # ---- Waiting

    async def _silence_until(self, moment: datetime) -> bool:
        """Wait for news of the person: True when the moment comes first."""
        try:
            await workflow.wait_condition(
                lambda: self._password_announced or self._resend_asked or self._is_interrupted,
                timeout=max(moment - workflow.now(), timedelta(0)),
                timeout_summary="Hasta el recordatorio o el vencimiento del enlace",
            )
        except TimeoutError:
            return True
        if self._is_interrupted:
            raise asyncio.CancelledError
        return False

    def _resend_problem(self) -> ApplicationError | None:
        if self._progress is not Stage.AWAITING_PASSWORD:
            return ApplicationError("Este registro no espera contraseña", type=names.WRONG_STAGE)
        wait = self._links.wait(workflow.now())
        if wait > timedelta(0):
            seconds = int(wait.total_seconds()) + 1
            return ApplicationError("Espere para pedir otro enlace", seconds, type=names.TOO_SOON)
        return None

    # ---- What others can see

    @property
    def _stage(self) -> Stage:
        waits_for_registry = self._steps.waiting_on in REGISTRIES and self._progress is Stage.CHECKING
        return Stage.WAITING_REGISTRY if waits_for_registry else self._progress

    @property
    def _waiting_on(self) -> WaitingOn | None:
        return WaitingOn.MAIL_ADDRESS if self._address_rejected else self._steps.waiting_on

    @property
    def _is_interrupted(self) -> bool:
        return (self._cancel_asked or workflow.cancellation_reason() is not None) and not self._is_undoing

    @property
    def _has_ended(self) -> bool:
        return self._progress.has_ended

    @property
    def _is_answerable(self) -> bool:
        return self._outcome is not None or self._steps.waiting_on is not None or self._has_ended

    def _answer(self, outcome: Outcome, stage: Stage) -> None:
        self._outcome = outcome
        metrics.outcome_known(outcome, self._request.submission.user_type)
        self._enter(stage)

    def _enter(self, stage: Stage) -> None:
        self._progress = stage
        if self._has_ended:
            metrics.registration_ended(stage, self._request.submission.user_type)
        self._publish()

    def _publish(self) -> None:
        """Show what changed, in one command."""
        now = (self._stage, self._waiting_on or "", self._steps.stuck_since)
        if now == self._published:
            return
        workflow.upsert_search_attributes(_changes(self._published, now))
        # That a wait has become long changes nothing of when it began.
        if now[:2] != self._published[:2]:
            self._changed_at = workflow.now()
        self._published = now
        self._explain()

    def _explain(self) -> None:
        """Tell support, in words, where the registration stands. Not a command: words may change."""
        situation = Situation(
            radicado=self._request.radicado,
            stage=self._stage,
            waiting_on=self._waiting_on,
            since=self._changed_at,
            stuck_since=self._steps.stuck_since,
        )
        workflow.set_current_details(details_of(situation))

    @property
    def _link_lifetime(self) -> timedelta:
        return timedelta(hours=self._request.link_hours)

    def _key(self, purpose: str) -> str:
        """Names one mail of one run, so that a retried activity is recognised as the same mail."""
        return f"{self._request.radicado}.{workflow.info().run_id}.{purpose}"


_Published = tuple[Stage, str, datetime | None]


def _changes(before: _Published, after: _Published) -> list[SearchAttributeUpdate[Any]]:
    (old_stage, old_waiting, old_stuck), (stage, waiting, stuck) = before, after
    changes: list[SearchAttributeUpdate[Any]] = []
    if stage is not old_stage:
        changes.append(names.REGISTRATION_STAGE.value_set(stage))
    if waiting != old_waiting:
        changes.append(names.WAITING_ON.value_set([waiting]) if waiting else names.WAITING_ON.value_unset())
    if stuck != old_stuck:
        changes.append(names.STUCK_SINCE.value_set(stuck) if stuck else names.STUCK_SINCE.value_unset())
    return changes


def _profession_facts(found: ProfessionResult) -> ProfileFacts:
    if found.profession is None:
        return ProfileFacts()
    return ProfileFacts(
        profession_code=found.profession.code,
        profession_name=found.profession.name,
        professional_registration=found.profession.registration,
    )


def _placement_facts(found: PlacementResult) -> ProfileFacts:
    if found.placement is None:
        return ProfileFacts()
    return ProfileFacts(profession_name=found.placement.profession, placement=found.placement)
