"""One registration, from the submitted form to the created password."""

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.accounts import (
        ExpireLinkInput,
        ExpireLinkResult,
        RegisterAccountInput,
        RegisterAccountResult,
    )
    from activities.emails import (
        ConfirmPasswordInput,
        ConfirmPasswordResult,
        SendLinkInput,
        SendReminderInput,
        SendUpdateNoticeInput,
    )
    from activities.errors import MAIL_ADDRESS_REJECTED
    from activities.registries import CheckInput, IdentityResult, PlacementResult, ProfessionResult
    from mipres.domain.outcomes import Outcome, OutcomeStatus, Refusal, Stage
    from mipres.domain.people import Person
    from mipres.domain.submissions import UserType
    from mipres.ports import ProfileFacts
    from workflows import policies, steps
    from workflows.contract import (
        REGISTRATION_STAGE,
        REGISTRIES,
        STUCK_SINCE,
        WAITING_ON,
        RegistrationRequest,
        RegistrationStatus,
    )
    from workflows.details import details_of


@workflow.defn(name="Registration")
class Registration:
    """Checks a person against the registries, creates the account and waits for its password."""

    @workflow.init
    def __init__(self, request: RegistrationRequest) -> None:
        self._request = request
        self._stage = Stage.CHECKING
        self._stage_since = workflow.now()
        self._waiting_on: str | None = None
        self._outcome: Outcome | None = None
        self._password_announced = False
        self._links_sent = 0

    @workflow.run
    async def run(self, _request: RegistrationRequest) -> RegistrationStatus:
        """Tell the whole story; the result is the last status."""
        try:
            person, facts, refusal = await self._check_registries()
            if refusal or person is None:
                self._answer(Outcome(status=OutcomeStatus.REFUSED, refusal=refusal), Stage.REFUSED)
            else:
                account = await self._register_account(person, facts)
                await (self._welcome_back(account) if account.has_password else self._get_password(account))
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            # A step was retried for days and nobody mended what it needs.
            self._enter(Stage.EXPIRED)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.status()

    @workflow.update(description="Espera y entrega la primera respuesta del registro (la usa el formulario).")
    async def first_outcome(self) -> Outcome:
        """The outcome, or `in_progress` as soon as a step has to wait for something that is down."""
        await workflow.wait_condition(lambda: self._is_answerable)
        return self._outcome or Outcome(status=OutcomeStatus.IN_PROGRESS)

    @workflow.signal(description="La persona creó su contraseña. Sin contenido; la base de datos decide.")
    def password_set(self) -> None:
        """A hint only: the workflow asks the database."""
        self._password_announced = True

    @workflow.query(description="En qué va el registro. No contiene datos personales.")
    def status(self) -> RegistrationStatus:
        return RegistrationStatus(
            radicado=self._request.radicado,
            user_type=self._request.submission.user_type,
            stage=self._stage,
            waiting_on=(self._waiting_on,) if self._waiting_on else (),
            updated_at=self._stage_since.isoformat(),
            outcome=self._outcome,
        )

    # ---- The story, step by step

    async def _check_registries(self) -> tuple[Person | None, ProfileFacts, Refusal | None]:
        check = CheckInput(submission=self._request.submission)
        identity: IdentityResult = await self._do(steps.CHECK_PERSON, check)
        if identity.refusal:
            return None, ProfileFacts(), identity.refusal
        facts, refusal = await self._check_by_type(check)
        return identity.person, facts, refusal

    async def _check_by_type(self, check: CheckInput) -> tuple[ProfileFacts, Refusal | None]:
        match check.submission.user_type:
            case UserType.DELEGATE:
                return await self._check_delegation(check)
            case UserType.PROFESSIONAL:
                found: ProfessionResult = await self._do(steps.CHECK_PROFESSION, check)
                return _profession_facts(found), found.refusal
            case UserType.SOCIAL_SERVICE:
                placed: PlacementResult = await self._do(steps.CHECK_PLACEMENT, check)
                return _placement_facts(placed), placed.refusal
            case UserType.OTHER:
                other: ProfessionResult = await self._do(steps.CHECK_OTHER_USER, check)
                return ProfileFacts(), other.refusal

    async def _check_delegation(self, check: CheckInput) -> tuple[ProfileFacts, Refusal | None]:
        entity = check.submission.entity
        if entity is None or entity.is_natural_person:
            return ProfileFacts(), None
        found: IdentityResult = await self._do(steps.CHECK_DELEGATION, check)
        return ProfileFacts(entity_name=found.entity.name if found.entity else None), found.refusal

    async def _register_account(self, person: Person, facts: ProfileFacts) -> RegisterAccountResult:
        account: RegisterAccountResult = await self._do(
            steps.REGISTER_ACCOUNT,
            RegisterAccountInput(
                radicado=self._request.radicado,
                submission=self._request.submission,
                person=person,
                facts=facts,
                consent=self._request.consent,
            ),
        )
        return account

    async def _welcome_back(self, account: RegisterAccountResult) -> None:
        """The person had a password: the data are fresh, and the address on file is told."""
        outcome = Outcome(status=OutcomeStatus.UPDATED, email_hint=account.email_hint)
        self._answer(outcome, Stage.COMPLETED)
        notice = SendUpdateNoticeInput(account_id=account.account_id, message_key=self._key("aviso"))
        await self._do(steps.SEND_UPDATE_NOTICE, notice)

    async def _get_password(self, account: RegisterAccountResult) -> None:
        """Mail a link and wait until the password exists or the link's time is over."""
        outcome = Outcome(status=OutcomeStatus.REGISTERED, email_hint=account.email_hint)
        self._answer(outcome, Stage.AWAITING_PASSWORD)
        await self._send_link(account)
        deadline = workflow.now() + self._link_lifetime
        if not await self._announced_within(self._link_lifetime * policies.REMINDER_AT, "recordatorio"):
            await self._remind(account)
        while True:
            announced = await self._announced_within(deadline - workflow.now(), "vencimiento del enlace")
            if announced and await self._confirm_password(account):
                return self._enter(Stage.COMPLETED)
            if not announced:
                return await self._settle(account)
            # The signal was mistaken: the database knows no password. Go on waiting.
            self._password_announced = False

    async def _settle(self, account: RegisterAccountResult) -> None:
        """The time is over: the database, not the signal, tells whether the password exists."""
        request = ExpireLinkInput(account_id=account.account_id, radicado=self._request.radicado)
        result: ExpireLinkResult = await self._do(steps.EXPIRE_LINK, request)
        if result.password_set:
            await self._confirm_password(account)
        self._enter(Stage.COMPLETED if result.password_set else Stage.EXPIRED)

    async def _send_link(self, account: RegisterAccountResult) -> None:
        self._links_sent += 1
        request = SendLinkInput(
            account_id=account.account_id,
            radicado=self._request.radicado,
            issue_key=self._key(f"enlace-{self._links_sent}"),
        )
        try:
            await self._do(steps.SEND_LINK, request)
        except FailureError as failure:
            if _type_of(failure) != MAIL_ADDRESS_REJECTED:
                raise
            # Nothing to retry until somebody corrects the address; the page and the UI tell it.
            self._wait_for(steps.MAIL)

    async def _remind(self, account: RegisterAccountResult) -> None:
        request = SendReminderInput(
            account_id=account.account_id,
            radicado=self._request.radicado,
            message_key=self._key("recordatorio"),
        )
        try:
            await self._do(steps.SEND_REMINDER, request)
        except FailureError as failure:
            if is_cancelled_exception(failure):
                raise
            workflow.logger.warning("the reminder of %s was not sent", self._request.radicado)

    async def _confirm_password(self, account: RegisterAccountResult) -> bool:
        request = ConfirmPasswordInput(account_id=account.account_id, message_key=self._key("confirmacion"))
        try:
            result: ConfirmPasswordResult = await self._do(steps.CONFIRM_PASSWORD, request)
        except FailureError as failure:
            if _type_of(failure) != MAIL_ADDRESS_REJECTED:
                raise
            # A confirmation is only sent where the password exists, so the registration is complete.
            return True
        return result.password_set

    # ---- How a step is done

    async def _do(self, step: steps.Step, request: object) -> Any:
        """Fast, then durable: one short attempt, and if it fails technically, patience for days."""
        try:
            return await self._first_attempt(step, request)
        except FailureError as failure:
            if is_cancelled_exception(failure) or _is_final(failure):
                raise
        return await self._durably(step, request)

    async def _first_attempt(self, step: steps.Step, request: object) -> Any:
        if step.starts_local:
            return await workflow.execute_local_activity_method(
                step.activity,
                request,
                start_to_close_timeout=policies.FAST_ATTEMPT,
                schedule_to_close_timeout=policies.FAST_ATTEMPT,
                retry_policy=policies.FAST_RETRY,
                activity_id=step.id,
                summary=step.summary,
            )
        return await workflow.execute_activity_method(
            step.activity,
            request,
            start_to_close_timeout=step.attempt,
            retry_policy=policies.FAST_RETRY,
            activity_id=step.id,
            summary=step.summary,
        )

    async def _durably(self, step: steps.Step, request: object) -> Any:
        self._wait_for(step.waits_on)
        handle = workflow.start_activity_method(
            step.activity,
            request,
            task_queue=step.queue,
            start_to_close_timeout=step.attempt,
            schedule_to_close_timeout=policies.GIVE_UP_AFTER,
            retry_policy=policies.PATIENT_RETRY,
            activity_id=step.id,
            summary=step.summary,
        )
        since = workflow.now()
        try:
            await workflow.wait_condition(
                handle.done,
                timeout=policies.STUCK_AFTER,
                timeout_summary="Avisar a soporte si sigue esperando",
            )
        except TimeoutError:
            workflow.upsert_search_attributes([STUCK_SINCE.value_set(since)])
        result = await handle
        self._stop_waiting()
        return result

    async def _announced_within(self, patience: timedelta, purpose: str) -> bool:
        """Wait for the signal; False when the time passes first."""
        try:
            await workflow.wait_condition(
                lambda: self._password_announced, timeout=patience, timeout_summary=f"Hasta el {purpose}"
            )
        except TimeoutError:
            return False
        return True

    # ---- What others can see

    @property
    def _is_answerable(self) -> bool:
        return self._outcome is not None or self._waiting_on is not None or self._stage is Stage.EXPIRED

    def _answer(self, outcome: Outcome, stage: Stage) -> None:
        self._outcome = outcome
        self._enter(stage)

    def _wait_for(self, what: str) -> None:
        self._waiting_on = what
        workflow.upsert_search_attributes([WAITING_ON.value_set([what])])
        self._enter(Stage.WAITING_REGISTRY if what in REGISTRIES else self._stage)

    def _stop_waiting(self) -> None:
        self._waiting_on = None
        workflow.upsert_search_attributes([WAITING_ON.value_unset(), STUCK_SINCE.value_unset()])
        self._enter(Stage.CHECKING if self._stage is Stage.WAITING_REGISTRY else self._stage)

    def _enter(self, stage: Stage) -> None:
        if stage is not self._stage:
            workflow.upsert_search_attributes([REGISTRATION_STAGE.value_set(stage)])
        self._stage, self._stage_since = stage, workflow.now()
        workflow.set_current_details(details_of(stage, self._waiting_on, self._stage_since))

    @property
    def _link_lifetime(self) -> timedelta:
        return timedelta(hours=self._request.link_hours)

    def _key(self, purpose: str) -> str:
        """Names one mail of one run, so that a retried activity is recognised as the same mail."""
        return f"{self._request.radicado}.{workflow.info().run_id}.{purpose}"


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


def _type_of(failure: FailureError) -> str | None:
    """Type of the application error in a failure; local activities raise it bare, regular ones wrapped."""
    error = failure.cause if isinstance(failure, ActivityError) else failure
    return error.type if isinstance(error, ApplicationError) else None


def _is_final(failure: FailureError) -> bool:
    error = failure.cause if isinstance(failure, ActivityError) else failure
    return isinstance(error, ApplicationError) and error.non_retryable
