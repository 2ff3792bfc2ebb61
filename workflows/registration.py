"""One registration, from the submitted form to the created password."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.accounts import RecordRefusalInput, RegisterAccountResult
    from activities.emails import SendUpdateNoticeInput
    from mipres.domain import sentences
    from mipres.domain.links import LinkPurpose
    from mipres.domain.outcomes import Outcome, OutcomeStatus, Refusal
    from mipres.domain.people import Person
    from mipres.domain.stages import Stage, WaitingOn
    from workflows import admission, checks, contract, metrics, policies, resending, steps
    from workflows.address_notices import notify_addresses
    from workflows.checks import Verdict
    from workflows.details import registration_details
    from workflows.durable_steps import StepFailedError, StepLeftError, StepRunner
    from workflows.fast_path import FastPathInput
    from workflows.links import PasswordLinks
    from workflows.notices import Notices, message_key
    from workflows.password_wait import PasswordWait
    from workflows.publishing import Position, Publisher
    from workflows.waiting import to_its_end
    from workflows.watching import RegistryWatch


@workflow.defn(name="Registration")
class Registration:
    """Checks a person, creates the account and waits for its password."""

    @workflow.init
    def __init__(self, request: contract.RegistrationRequest) -> None:
        self._request = request
        # A payload that is refused stands here as a mark; the start fails before anything reads it.
        self._state = getattr(request, "state", None) or contract.RegistrationState()
        self._steps = StepRunner(on_change=self._on_change, left=self._state.pending)
        self._state.pending = None
        self._watch = RegistryWatch(request, self._state)
        self._delay_notice: asyncio.Task[None] | None = None
        self._publisher = Publisher(
            describe=lambda position, since: registration_details(request.radicado, position, since),
            published=self._position,
            since=self._state.since or workflow.now(),
        )

    @workflow.run
    async def run(self, _request: contract.RegistrationRequest) -> contract.RegistrationStatus:
        """Tell the whole story; the result is the last status."""
        self._notices = Notices(self._request)
        self._links = PasswordLinks(
            self._steps,
            reference=self._request.radicado,
            purpose=LinkPurpose.CREATE,
            lifetime=timedelta(hours=self._request.link_hours),
        )
        self._wait = PasswordWait(self._state, self._links, on_change=self._publish)
        self._publisher.explain()
        story = await self._until_cancelled(self._tell_or_leave())
        if not story.cancelled() and isinstance(story.exception(), StepFailedError):
            story = await self._until_cancelled(self._give_up())
        goes_on = not story.cancelled() and story.result()
        if goes_on and not self._state.is_cancel_asked:
            workflow.continue_as_new(
                replace(self._request, state=replace(self._state, since=self._publisher.since))
            )
        if goes_on or story.cancelled():
            (await to_its_end(self._undo())).result()
        await to_its_end(workflow.wait_condition(workflow.all_handlers_finished))
        return self.status()

    # ---- What others send

    @workflow.update(description="Espera y entrega la primera respuesta del registro (la usa el formulario).")
    async def first_outcome(self) -> Outcome:
        """The outcome, or `in_progress` once a step waits for something that is down."""
        asked_at = workflow.now()
        self._register_again()
        await workflow.wait_condition(self._can_answer)
        if self._state.stage is Stage.EXPIRED:
            # It only mails that any more, and what it answered before is not true again.
            raise admission.already_ended()
        if self._state.outcome is None or workflow.now() - asked_at > policies.PAGE_PATIENCE:
            # The page said "en proceso", so the person learns of a refusal by mail or not at all.
            self._state.must_mail_refusal = True
        return self._state.outcome or Outcome(status=OutcomeStatus.IN_PROGRESS)

    @workflow.signal(
        description="La persona se registró otra vez sin que una página le responda. Sin contenido."
    )
    def asked_again(self) -> None:
        """The same as registering again with a page.

        Another link, unless the last one is too fresh.
        """
        self._state.must_mail_refusal = True
        self._register_again()

    @workflow.signal(description=f"La persona creó su contraseña. {sentences.DATABASE_DECIDES}")
    def password_set(self) -> None:
        """A hint only: the workflow asks the database."""
        self._state.is_password_announced = True

    @workflow.update(
        description="Envía otro enlace para crear la contraseña; el anterior deja de servir. Entrada: el motivo."
    )
    async def resend_link(self, reason: object = None) -> None:  # noqa: ARG002 - the validator asks for it.
        """Supersede the link by a new one and start its lifetime again."""
        workflow.logger.info("another link was asked for")
        self._state.is_link_asked = True

    @resend_link.validator
    def _validate_resend(self, reason: object = None) -> None:
        admission.require_reason(reason)
        problem = admission.resend_problem(self._state, workflow.now())
        if problem is not None:
            raise problem

    @workflow.update(description="Reintenta ya lo que el registro está esperando. Entrada: el motivo.")
    async def retry_now(self, reason: object = None) -> None:  # noqa: ARG002 - the validator asks for it.
        """Skip the pause before the next attempt.

        Returns once the attempt is due, not its result.
        """
        workflow.logger.info("an attempt at once was asked for")
        await self._steps.retry_now()

    @retry_now.validator
    def _validate_retry(self, reason: object = None) -> None:
        admission.require_reason(reason)
        if not self._steps.is_pending:
            raise admission.nothing_to_retry()

    @workflow.update(
        description="Cancela el registro y deshace lo que creó; nunca toca una cuenta en uso. Entrada: el motivo."
    )
    async def cancel_registration(self, reason: object = None) -> None:  # noqa: ARG002 - the validator asks for it.
        """Stop wherever the registration is; returns when it has been undone."""
        workflow.logger.info("the registration is cancelled")
        self._state.is_cancel_asked = True
        await workflow.wait_condition(lambda: self._state.stage.has_ended)
        if self._state.stage is not Stage.CANCELLED:
            raise admission.already_ended()

    @cancel_registration.validator
    def _validate_cancel(self, reason: object = None) -> None:
        admission.require_reason(reason)
        if self._state.stage.has_ended:
            raise admission.already_ended()

    @workflow.update(description="La persona ya no espera a que un registro la incluya. Entrada: el motivo.")
    async def stop_watching(self, reason: object = None) -> None:  # noqa: ARG002 - the validator asks for it.
        """End the waiting; returns when the registration has ended with its refusal."""
        self._state.is_watch_ended = True
        await workflow.wait_condition(lambda: self._state.stage is not Stage.WATCHING)

    @stop_watching.validator
    def _validate_stop_watching(self, reason: object = None) -> None:
        admission.require_reason(reason)
        if self._state.stage is not Stage.WATCHING:
            raise admission.not_watching()

    @workflow.query(description="En qué va el registro. No contiene datos personales.")
    def status(self) -> contract.RegistrationStatus:
        position = self._position
        return contract.RegistrationStatus(
            radicado=self._request.radicado,
            user_type=self._request.submission.user_type,
            stage=position.stage or self._state.stage,
            waiting_on=(position.waiting_on,) if position.waiting_on else (),
            updated_at=self._publisher.since.isoformat(),
            outcome=self._state.outcome,
            watched_until=self._watched_until,
            link_expires_at=self._link_expires_at,
            resend_at=self._resend_at,
        )

    @property
    def _resend_at(self) -> str | None:
        allowed_at = resending.possible_at(self._state.links_sent_at)
        return allowed_at.isoformat() if allowed_at and self._state.stage is Stage.AWAITING_PASSWORD else None

    @property
    def _link_expires_at(self) -> str | None:
        expires_at = self._state.link_expires_at
        is_usable = self._state.stage is Stage.AWAITING_PASSWORD and not self._state.is_link_asked
        return expires_at.isoformat() if expires_at and is_usable else None

    @property
    def _watched_until(self) -> str | None:
        ends_at = self._watch.ends_at
        return ends_at.isoformat() if ends_at and self._state.stage is Stage.WATCHING else None

    # ---- The story, step by step

    async def _tell_or_leave(self) -> bool:
        """Whether the registration continues in another run: this one has grown long."""
        try:
            return await self._tell_story()
        except StepLeftError as left:
            self._state.pending = left.pending
            return True

    async def _tell_story(self) -> bool:
        """Whether the registration continues in another run: this one has grown long."""
        if self._state.account is not None:
            # An earlier run has registered the person and handed the wait on.
            return await self._get_password(self._state.account)
        verdict = await self._first_verdict()
        if verdict.may_appear and self._request.wait_for_registry:
            self._enter(Stage.WATCHING)
            decided = await self._watch.until_decided(verdict)
            if decided is None:
                await workflow.wait_condition(workflow.all_handlers_finished)
                return True
            verdict = decided
        self._state.facts = verdict.facts
        if verdict.refusal is not None or self._state.person is None:
            await self._refuse(verdict)
            return False
        return await self._register(self._state.person)

    async def _first_verdict(self) -> Verdict:
        if self._state.watched_since is not None:
            # An earlier run has asked, and handed the waiting on.
            return Verdict(refusal=self._state.refusal, may_appear=True, appears_on=self._state.appears_on)
        if self._request.is_fast and not self._steps.is_pending:
            await self._before_any_undo(
                self._steps.try_path(
                    FastPathInput(
                        radicado=self._request.radicado,
                        submission=self._request.submission,
                        consent=self._request.consent,
                        first_link=self._links.first,
                    )
                )
            )
        refusal = None
        if self._state.person is None:
            self._state.person, refusal = await checks.identify(self._steps, self._request.submission)
            self._state.identified_at = workflow.now()
        if refusal is not None:
            return Verdict(refusal=refusal)
        verdict = await checks.check_by_type(self._steps, self._request.submission)
        return await self._about_the_person_of_today(verdict)

    async def _about_the_person_of_today(self, verdict: Verdict) -> Verdict:
        """The verdict, about the person as miseguridadsocial knows them now.

        The other registry may have been away for days, in which people correct their address. Without an answer the
        older one counts.
        """
        asked_at = self._state.identified_at
        is_old = asked_at is not None and workflow.now() - asked_at >= policies.ANSWER_HOLDS
        if verdict.refusal is not None or not is_old or not workflow.patched("person-asked-again"):
            return verdict
        identity = await self._steps.try_once(steps.CHECK_PERSON, self._request.submission)
        if identity is None:
            return verdict
        self._state.person = identity.person or self._state.person
        return replace(verdict, refusal=identity.refusal)

    async def _register(self, person: Person) -> bool:
        """Create the account, and see the registration through to its password."""
        account = await self._register_account(person)
        if account.refusal is not None:
            await self._refuse(Verdict(refusal=account.refusal))
            return False
        if account.has_password:
            await self._welcome_back(account)
            return False
        self._state.account = account
        self._answer(registered(account), Stage.AWAITING_PASSWORD)
        return await self._get_password(account)

    async def _refuse(self, verdict: Verdict) -> None:
        refusal = verdict.refusal
        outcome = Outcome(status=OutcomeStatus.REFUSED, refusal=refusal, may_wait=verdict.may_appear)
        self._answer(outcome, Stage.REFUSED)
        if refusal is None:
            return
        entry = RecordRefusalInput(
            reference=self._request.radicado,
            document=self._request.submission.document,
            refusal=refusal,
            run=workflow.info().run_id,
            submission=self._request.submission,
        )
        await self._steps.do(steps.RECORD_REFUSAL, entry)
        if refusal is Refusal.DATA_ERASED:
            # Nothing of the person is used any more, their address neither.
            return
        if self._state.person and self._is_refusal_mailed:
            waited = verdict.may_appear and self._state.watched_since is not None
            notice = self._notices.wait_ended if waited else self._notices.refusal
            await notice(self._state.person, refusal, may_wait=verdict.may_appear)

    @property
    def _is_refusal_mailed(self) -> bool:
        """No page shows the answer; who ended the waiting knows it."""
        state = self._state
        by_mail = state.must_mail_refusal or (self._request.tell_by_mail and not self._is_quiet)
        return (by_mail or state.watched_since is not None) and not state.is_watch_ended

    async def _register_account(self, person: Person) -> RegisterAccountResult:
        registration = checks.new_registration(
            self._request, person=person, facts=self._state.facts, first_link=self._links.first
        )
        account: RegisterAccountResult = await self._before_any_undo(
            self._steps.do(steps.REGISTER_ACCOUNT, registration)
        )
        return account

    async def _before_any_undo(self, registering: Coroutine[Any, Any, Any]) -> Any:
        """Have what creates an account end before a cancellation is heeded.

        Otherwise the account could be created after the undo, and never be cleaned up.
        """
        task = asyncio.create_task(registering)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await to_its_end(task)
            raise

    async def _welcome_back(self, account: RegisterAccountResult) -> None:
        """The data are fresh, and the address on file learns of it."""
        self._answer(Outcome(status=OutcomeStatus.UPDATED, email_hint=account.email_hint), Stage.COMPLETED)
        if account.address_change is not None:
            reference = self._request.radicado
            await notify_addresses(self._steps, account.address_change, reference=reference)
            return
        if self._is_quiet:
            return
        notice = SendUpdateNoticeInput(
            account_id=account.account_id, message_key=message_key(self._request.radicado, "aviso")
        )
        await self._steps.mail(steps.SEND_UPDATE_NOTICE, notice)

    async def _get_password(self, account: RegisterAccountResult) -> bool:
        """Mail links until the password exists or the last link's time is over."""
        self._state.is_link_asked = self._state.is_link_asked or self._state.link_expires_at is None
        while True:
            end = None
            if self._state.is_look_asked:
                account = await self._with_corrected_address(account)
            if self._state.is_link_asked:
                account = await self._with_address_of_today(account)
                end = await self._wait.send_link(account.account_id)
            end = end or await self._wait.follow_link(account.account_id)
            if end is not None:
                self._enter(end)
                return False
            if workflow.info().is_continue_as_new_suggested() and await self._is_left_alone():
                return True

    async def _is_left_alone(self) -> bool:
        """Whether the next run can go on: no page waits for a look of this one."""
        await workflow.wait_condition(lambda: workflow.all_handlers_finished() or self._state.is_look_asked)
        if self._state.is_look_asked and workflow.patched("looks-before-handing-on"):
            return False
        # A run from before the patch leaves the look to the next one, once no page waits for it.
        await workflow.wait_condition(workflow.all_handlers_finished)
        return True

    async def _with_corrected_address(self, account: RegisterAccountResult) -> RegisterAccountResult:
        """Another address gets its link at once; the same one got a mail just now."""
        known, self._state.looked_at = self._state.person, workflow.now()
        self._state.is_address_doubtful = True
        account = await self._with_address_of_today(account)
        is_corrected = (
            known is not None and self._state.person is not None and known.email != self._state.person.email
        )
        self._state.is_link_asked = self._state.is_link_asked or is_corrected
        self._state.is_look_asked = False
        return account

    async def _with_address_of_today(self, account: RegisterAccountResult) -> RegisterAccountResult:
        """The account, with the address that miseguridadsocial has now."""
        if not self._state.is_address_doubtful:
            return account
        self._state.is_address_doubtful = False
        # A registry that is down must not keep the person from another link.
        identity = await self._steps.try_once(steps.CHECK_PERSON, self._request.submission)
        if identity is None or identity.person is None or identity.person == self._state.person:
            return account
        known, account = account, await self._register_account(identity.person)
        if account.refusal is not None:
            return known
        self._state.person, self._state.account = identity.person, account
        self._state.outcome = registered(account)
        return account

    # ---- Other endings

    async def _until_cancelled(self, work: Coroutine[Any, Any, bool]) -> asyncio.Task[bool]:
        """Wait for work; at the first cancellation cancel it once and wait for its end."""
        task = asyncio.create_task(work)
        try:
            await workflow.wait_condition(lambda: task.done() or self._state.is_cancel_asked)
        except asyncio.CancelledError:
            # Temporal's own *Request Cancellation* means the same as support's update.
            self._state.is_cancel_asked = True
        if self._state.is_cancel_asked and not self._state.stage.has_ended:
            task.cancel()
        return await to_its_end(task)

    async def _undo(self) -> None:
        """Take back what this registration made, never an account in use."""
        # A regular activity: the server may throw the task that closes the workflow away, and what a local
        # one did in it would stay done without a trace in the history.
        while not self._state.stage.has_ended:
            try:
                await StepRunner(on_change=self._publish).do(steps.DISCARD_ACCOUNT, self._request.radicado)
            except StepFailedError:
                # Only the database can undo it, so support looks at the database; then it is tried again.
                await self._notices.support(WaitingOn.DATABASE)
                await workflow.sleep(policies.UNDO_AGAIN, summary="Deshacer otra vez")
            else:
                self._enter(Stage.CANCELLED)
                await self._tell_of_the_cancelling()

    async def _tell_of_the_cancelling(self) -> None:
        """Support's decision reaches the person, whose link works no more."""
        if self._state.person is None or self._is_quiet:
            return
        apart = workflow.patched("cancelling-is-mailed-apart")
        if apart or workflow.patched("cancelling-is-mailed"):
            await self._notices.cancelled(self._state.person, apart=apart)

    async def _give_up(self) -> bool:
        """A step was retried for days and nobody mended what it needs."""
        waited_for = self._steps.waiting_on or metrics.UNKNOWN
        metrics.registration_given_up(waited_for)
        if self._state.account is not None and not self._state.stage.has_ended:
            with suppress(StepFailedError):
                self._enter(await self._wait.settle(self._state.account.account_id))
        if not self._state.stage.has_ended:
            self._enter(Stage.EXPIRED)
            if self._state.person is not None and self._state.account is None and not self._is_quiet:
                await self._notices.given_up(self._state.person)
        await self._notices.support(waited_for)
        return False

    # ---- What is allowed, and what others see

    def _register_again(self) -> None:
        """Send another link to a person who registers again.

        The mail of a while ago is not at hand, or it went to an address that they corrected since.
        """
        self._state.is_asked_openly = True
        now = workflow.now()
        if admission.resend_problem(self._state, now) is None:
            self._state.is_link_asked = self._state.is_address_doubtful = True
        elif admission.may_look_at_address(self._state, now):
            self._state.is_look_asked = workflow.patched("address-looked-at-between-links")
        self._watch.ask_again()

    @property
    def _is_quiet(self) -> bool:
        """Whether all who asked were beyond the document's budget, so no mail tells of it."""
        return self._request.is_quiet and not self._state.is_asked_openly

    def _can_answer(self) -> bool:
        state = self._state
        if state.stage.has_ended or self._steps.waiting_on is not None:
            return True
        is_answered = state.outcome is not None or state.stage is Stage.WATCHING
        return is_answered and not state.is_look_asked

    @property
    def _position(self) -> Position:
        state, waiting_on = self._state, self._steps.waiting_on
        if state.is_address_rejected:
            waiting_on = WaitingOn.MAIL_ADDRESS
        waits_for_registry = waiting_on is not None and waiting_on.is_registry
        stage = (
            Stage.WAITING_REGISTRY if waits_for_registry and state.stage is Stage.CHECKING else state.stage
        )
        return Position(stage=stage, waiting_on=waiting_on, stuck_since=self._steps.stuck_since)

    def _on_change(self) -> None:
        """Publish what a step waits for, and notify the person once it takes long."""
        self._publish()
        person = self._state.person
        is_new = self._steps.stuck_since and not self._state.outcome and not self._delay_notice
        if is_new and person and not self._is_quiet:
            self._delay_notice = asyncio.create_task(self._notices.delay(person))

    def _answer(self, outcome: Outcome, stage: Stage) -> None:
        self._state.outcome = outcome
        if self._delay_notice is not None:
            # News of a delay must not follow the answer.
            self._delay_notice.cancel()
        metrics.outcome_known(outcome, self._request.submission.user_type)
        self._enter(stage)

    def _enter(self, stage: Stage) -> None:
        self._state.stage = stage
        if stage.has_ended:
            metrics.registration_ended(stage, self._request.submission.user_type)
        self._publish()

    def _publish(self) -> None:
        self._publisher.publish(self._position)


def registered(account: RegisterAccountResult) -> Outcome:
    return Outcome(status=OutcomeStatus.REGISTERED, email_hint=account.email_hint)
