"""Waiting by choice until a registry knows the person."""

import asyncio
import hashlib
from datetime import datetime, timedelta

from temporalio import workflow

from mipres.domain.eligibility import BOGOTA
from mipres.domain.stages import Stage
from workflows import checks, policies
from workflows.checks import Verdict
from workflows.contract import RegistrationRequest, RegistrationState
from workflows.durable_steps import GentleRunner, StepFailedError
from workflows.waiting import comes_true


class RegistryWatch:
    """Asks a registry once a day, until it knows the person or the time is over.

    Args:
        request: Whose registration it is, and how long they wait.
        state: What the registration remembers; signals and updates change it meanwhile.
    """

    def __init__(self, request: RegistrationRequest, state: RegistrationState) -> None:
        self._request = request
        self._state = state

    @property
    def ends_at(self) -> datetime | None:
        """When the waiting is over; never before an assigned placement begins.

        A registry that gives no answer at the end has days to be repaired.
        """
        planned = self._planned_end
        return planned + policies.GIVE_UP_AFTER if planned and self._state.is_watch_extended else planned

    @property
    def _planned_end(self) -> datetime | None:
        state = self._state
        if state.watched_since is None:
            return None
        over = state.watched_since + timedelta(days=self._request.wait_days)
        first_day = self._first_day()
        return max(over, first_day + policies.LOOK_EVERY) if first_day else over

    async def until_decided(self, verdict: Verdict) -> Verdict | None:
        """The verdict that ends the waiting; None when another run goes on.

        It is still a refusal that may change where the time is over or the person ended the waiting.
        """
        state = self._state
        state.watched_since = state.watched_since or workflow.now()
        while True:
            state.refusal, state.appears_on = verdict.refusal, verdict.appears_on
            if not verdict.may_appear or self._is_over():
                return verdict
            # Only now: a person who asked for the look gets the answer that follows from it.
            state.is_look_asked = False
            await comes_true(
                self._is_disturbed,
                within=self._next_look() - workflow.now(),
                summary="Hasta la próxima consulta al registro",
            )
            if workflow.info().is_continue_as_new_suggested() and not self._must_look_first():
                return None
            answer = await self._look_unless_ended()
            state.is_watch_extended = answer is None and self._may_be_extended()
            verdict = answer or verdict

    def ask_again(self) -> None:
        """The person registered again: the registry may know them by now."""
        state = self._state
        is_watching = state.stage is Stage.WATCHING and not state.is_watch_ended
        looked_at = state.looked_at or state.watched_since
        if is_watching and looked_at and workflow.now() - looked_at >= policies.RESEND_PAUSE:
            state.is_look_asked = True

    async def _look_unless_ended(self) -> Verdict | None:
        """A registry that is down does not keep the person from ending the waiting."""
        look = asyncio.create_task(self._look())
        try:
            await workflow.wait_condition(lambda: look.done() or self._state.is_watch_ended)
            return look.result() if look.done() else None
        finally:
            look.cancel()

    async def _look(self) -> Verdict | None:
        """What the registry says today; None where it gave no answer."""
        self._state.looked_at = workflow.now()
        runner, submission = GentleRunner(), self._request.submission
        try:
            verdict = await checks.check_by_type(runner, submission)
            if verdict.refusal is None:
                # Days have passed: the address may be another one.
                found, refusal = await checks.identify(runner, submission)
                # Whom the registry no longer knows gets the reason at the last address.
                if found is not None or not workflow.patched("told-at-the-last-address"):
                    self._state.person = found
                verdict = Verdict(refusal=refusal, facts=verdict.facts)
        except StepFailedError:
            return None
        return verdict

    def _must_look_first(self) -> bool:
        """Whether a page waits for what only this run does about it."""
        is_asked = self._state.is_look_asked or self._state.is_watch_ended
        return is_asked and workflow.patched("looks-before-handing-on")

    def _is_over(self) -> bool:
        ends_at = self.ends_at
        return self._state.is_watch_ended or (ends_at is not None and workflow.now() >= ends_at)

    def _may_be_extended(self) -> bool:
        """Whether the time is over, and only the silence of the registry ends the waiting."""
        planned = self._planned_end
        is_late = planned is not None and workflow.now() >= planned and not self._state.is_watch_ended
        return is_late and workflow.patched("wait-ends-with-an-answer")

    def _is_disturbed(self) -> bool:
        state = self._state
        return state.is_look_asked or state.is_watch_ended or workflow.info().is_continue_as_new_suggested()

    def _next_look(self) -> datetime:
        """Once a day, at a time of the person's own.

        So no hour has all of them.
        """
        now = workflow.now()
        first_day = self._first_day()
        if first_day is not None and first_day > now:
            return first_day
        own_time = int.from_bytes(hashlib.sha256(self._request.radicado.encode()).digest()[:4]) % 86_400
        due = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(seconds=own_time)
        while due < now + policies.LOOK_PAUSE:
            due += policies.LOOK_EVERY
        return min(due, self.ends_at or due)

    def _first_day(self) -> datetime | None:
        day = self._state.appears_on
        return datetime.combine(day, policies.FIRST_DAY_BEGINS, BOGOTA) if day else None
