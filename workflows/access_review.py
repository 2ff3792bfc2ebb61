"""Holding every profile in use against its registry, a portion a run."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.reviews import (
        AccessReviews,
        DuePage,
        DueRequest,
        HeldFinding,
        ReviewAnswer,
        ReviewRequest,
        ReviewStoppedNotice,
    )
    from mipres.domain.review import DueProfile, Guard, ReviewOutcome, ReviewStage
    from mipres.domain.stages import WaitingOn
    from mipres.temporal import names
    from mipres.temporal.names import registry_queue
    from mipres.temporal.trust import fault_of
    from workflows import admission, metrics, policies
    from workflows.details import review_details
    from workflows.review_contract import AccessReviewRequest, ReviewState
    from workflows.waiting import to_its_end

_QUESTIONS: dict[WaitingOn, Any] = {
    WaitingOn.MISEGURIDADSOCIAL: AccessReviews.review_delegation,
    WaitingOn.RETHUS: AccessReviews.review_profession,
    WaitingOn.SSO: AccessReviews.review_placement,
}
# Letters, because an activity's id is unique among those under way.
_PLACES = "abcdefghijklmnopqrstuvwxyz"[: policies.REVIEW_BATCH]


@workflow.defn(name="AccessReview")
class AccessReview:
    """One review: each run takes one portion and hands the rest on."""

    @workflow.init
    def __init__(self, request: AccessReviewRequest | None = None) -> None:
        self._request = request or AccessReviewRequest()
        # A payload that is refused stands here as a mark; the start fails before anything reads it.
        self._state: ReviewState = getattr(request, "state", None) or ReviewState()

    @workflow.run
    async def run(self, _request: AccessReviewRequest | None = None) -> ReviewState:
        """Take one portion; the result is what the whole review came to."""
        self._enter(ReviewStage.REVIEWING)
        page = await self._due()
        self._state.since = page.since
        self._guard = Guard(percent=self._request.guard_percent or page.guard_percent)
        for start in range(0, len(page.profiles), policies.REVIEW_BATCH):
            await self._review(page.profiles[start : start + policies.REVIEW_BATCH])
            self._explain()
        await self._settle()
        if self._state.stage is ReviewStage.REVIEWING and len(page.profiles) == self._request.portion:
            await workflow.wait_condition(workflow.all_handlers_finished)
            workflow.continue_as_new(
                replace(self._request, state=self._state.next_run(page.profiles[-1].profile_id))
            )
        if self._state.stage is ReviewStage.REVIEWING:
            self._enter(ReviewStage.REVIEWED)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._state

    # ---- What support sends

    @workflow.update(description="La revisión sigue y retira lo que el freno detuvo. Entrada: el motivo.")
    async def go_on(self, reason: object = None) -> None:  # noqa: ARG002 - the validator asks for it.
        """Accept what was found; the guard stays open for that registry until the end."""
        self._state.is_guard_open = True

    @go_on.validator
    def _validate_go_on(self, reason: object = None) -> None:
        self._require_stop(reason)

    @workflow.update(
        description="La revisión se abandona y no retira nada de lo que el freno detuvo. Entrada: el motivo."
    )
    async def abandon(self, reason: object = None) -> None:  # noqa: ARG002 - the validator asks for it.
        """Drop what was found; the next review asks about it again."""
        self._state.is_abandon_asked = True

    @abandon.validator
    def _validate_abandon(self, reason: object = None) -> None:
        self._require_stop(reason)

    def _require_stop(self, reason: object) -> None:
        admission.require_reason(reason)
        if self._state.stage is not ReviewStage.STOPPED or self._is_decided:
            raise ApplicationError("El freno no ha detenido esta revisión", type=names.WRONG_STAGE)

    @property
    def _is_decided(self) -> bool:
        return self._state.is_guard_open or self._state.is_abandon_asked

    @workflow.query(description="En qué va la revisión. No contiene datos personales.")
    def progress(self) -> ReviewState:
        return self._state.without_findings()

    # ---- The questions

    async def _due(self) -> DuePage:
        request = DueRequest(
            days=self._request.days,
            limit=self._request.portion,
            since=self._state.since,
            after=self._state.after,
        )
        page: DuePage = await _own(
            AccessReviews.find_due_profiles, request, "buscar-perfiles", "Buscar a quiénes toca revisar"
        )
        return page

    async def _review(self, batch: Sequence[DueProfile]) -> None:
        """Ask about some profiles at once, at the pace of the review."""
        asked = [item for item in batch if item.registry not in self._state.left_out]
        for item in batch:
            if item.registry in self._state.left_out:
                self._count(item, ReviewAnswer(outcome=ReviewOutcome.UNCLEAR))
        if not asked:
            return
        pace = timedelta(seconds=len(asked) / policies.REVIEW_CALLS_PER_SECOND)
        resting = asyncio.create_task(
            workflow.sleep(pace, summary="Al ritmo de la revisión, por debajo del de los registros")
        )
        answers = await asyncio.gather(*(self._ask(*one) for one in zip(asked, _PLACES, strict=False)))
        await resting
        for item, answer in zip(asked, answers, strict=True):
            self._count(item, answer)

    async def _ask(self, profile: DueProfile, place: str) -> ReviewAnswer:
        request = ReviewRequest(profile_id=profile.profile_id, since=self._state.since or workflow.now())
        while True:
            try:
                answer: ReviewAnswer = await workflow.execute_activity_method(
                    _QUESTIONS[profile.registry],
                    request,
                    task_queue=registry_queue(profile.registry),
                    start_to_close_timeout=policies.REGISTRY_ATTEMPT,
                    retry_policy=policies.REVIEW_RETRY,
                    priority=Priority(priority_key=policies.REVIEW_PRIORITY),
                    activity_id=f"revisar-{profile.registry}-{place}",
                    summary="Comprobar un perfil en uso",
                )
            except ActivityError as failure:
                if is_cancelled_exception(failure):
                    raise
                workflow.logger.error("a profile could not be judged: %s", profile.profile_id)
                return ReviewAnswer(outcome=ReviewOutcome.UNCLEAR)
            # A result that the product did not write for this workflow is none.
            if fault_of(answer) is None:
                return answer

    def _count(self, profile: DueProfile, answer: ReviewAnswer) -> None:
        registry = profile.registry
        tally, portion = self._state.tally(registry), self._state.portion_tally(registry)
        for one in (tally, portion):
            one.add(answer.outcome)
        if answer.outcome is ReviewOutcome.CLOSES and answer.finding is not None:
            held = HeldFinding(profile_id=profile.profile_id, finding=answer.finding, since=self._state.since)
            self._state.held.append(held)
        if answer.outcome is ReviewOutcome.UNCLEAR:
            self._state.unclear_in_a_row[registry] = self._state.unclear_in_a_row.get(registry, 0) + 1
        elif answer.outcome is not ReviewOutcome.SKIPPED:
            self._state.unclear_in_a_row[registry] = 0
        is_away = self._state.unclear_in_a_row.get(registry, 0) >= policies.REVIEW_UNCLEAR_ENOUGH
        if is_away and registry not in self._state.left_out:
            self._state.left_out.append(registry)
            workflow.logger.warning("the review leaves out %s: it gives no clear answers", registry)
        metrics.profile_reviewed(registry, answer.outcome)

    # ---- The guard

    async def _settle(self) -> None:
        """Take away what was found, once the guard or support lets it."""
        while not self._is_decided and (suspect := self._suspect()):
            await self._stop(suspect)
        if self._state.is_abandon_asked:
            self._state.held = []
            self._enter(ReviewStage.ABANDONED)
            return
        if self._state.held:
            await _own(
                AccessReviews.close_profiles, self._state.held, "cerrar-accesos", "Retirar lo que terminó"
            )
            self._state.held = []

    def _suspect(self) -> WaitingOn | None:
        """The registry that takes away too much, in all or in this portion."""
        for registry in (each for each in WaitingOn if each not in self._state.let_go):
            for tally in (self._state.tallies.get(registry), self._state.portion.get(registry)):
                if tally and self._guard.stops(looked=tally.looked, closing=tally.closing):
                    return registry
        return None

    async def _stop(self, registry: WaitingOn) -> None:
        self._enter(ReviewStage.STOPPED)
        tally = self._state.tally(registry)
        notice = ReviewStoppedNotice(
            review=workflow.info().workflow_id,
            registry=registry,
            looked=tally.looked,
            closing=tally.closing,
        )
        telling = asyncio.create_task(
            _own(
                AccessReviews.notify_review_stopped,
                notice,
                names.MailStep.SUPPORT,
                "Avisar que el freno se activó",
            )
        )
        await workflow.wait_condition(lambda: self._is_decided)
        if not telling.done():
            telling.cancel()
        await to_its_end(telling)
        if self._state.is_guard_open:
            if workflow.patched("guard-opens-for-one-registry"):
                # What support knows of one registry says nothing of another one's data.
                self._state.is_guard_open = False
                self._state.let_go.append(registry)
            self._enter(ReviewStage.REVIEWING)

    # ---- What others see

    def _enter(self, stage: ReviewStage) -> None:
        self._state.stage = stage
        workflow.upsert_search_attributes(
            [
                names.REVIEW_STAGE.value_set(stage),
                names.REVIEWED_PROFILES.value_set(self._state.looked),
            ]
        )
        self._explain()

    def _explain(self) -> None:
        workflow.set_current_details(review_details(self._state))


async def _own(activity: Any, request: object, id_: str, summary: str) -> Any:
    """Do a step that needs no registry, for as long as it takes."""
    while True:
        result = await workflow.execute_activity_method(
            activity,
            request,
            start_to_close_timeout=policies.REVIEW_STEP_ATTEMPT,
            heartbeat_timeout=None,
            retry_policy=policies.PATIENT_RETRY,
            activity_id=id_,
            summary=summary,
        )
        if fault_of(result) is None:
            return result
