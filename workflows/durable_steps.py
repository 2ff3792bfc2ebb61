"""How a step is done: fast, then durable. The one place that knows it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

from activities.errors import MAIL_ADDRESS_REJECTED
from activities.retries import StepRetries
from mipres.domain.errors import MipresError
from mipres.domain.stages import WaitingOn
from mipres.temporal.trust import fault_of
from workflows import policies
from workflows.contract import PendingStep
from workflows.fast_path import FastPath, FastPathInput, FastPathResult
from workflows.steps import Step
from workflows.waiting import heed_cancellation

_NOT_TRIED = object()
# A step that is left at the very end of its days has a moment to fail by itself.
_LEAST = timedelta(seconds=1)


class StepFailedError(MipresError):
    """A step failed for good.

    Retrying cannot help, or nobody mended what it needs for days.

    Attributes:
        type: Type of the application error, the same for local and regular activities.
        is_final: Whether no retry could have helped.
    """

    def __init__(self, type_: str | None, *, is_final: bool) -> None:
        self.type = type_
        self.is_final = is_final
        super().__init__(type_)


class StepLeftError(MipresError):
    """A check is left to the next run, because this one has grown long.

    Attributes:
        pending: What the next run goes on with.
    """

    def __init__(self, pending: PendingStep) -> None:
        self.pending = pending
        super().__init__(pending.activity)


class StepRunner:
    """Does one step at a time and knows what it waits for.

    Args:
        on_change: Called when waiting begins, when it becomes long enough for support to look, and when
            it ends.
        left: The step that an earlier run has left: the first one to be done, and durable at once.
    """

    def __init__(self, *, on_change: Callable[[], None], left: PendingStep | None = None) -> None:
        self._on_change = on_change
        self._pending: Step | None = None
        self._left = left
        self._was_left = left is not None
        self._said: dict[str, Any] = {left.activity: None} if left else {}
        self.waiting_on: WaitingOn | None = left.waiting_on if left else None
        self.stuck_since: datetime | None = left.stuck_since if left else None

    async def do(self, step: Step, request: object) -> Any:
        """Do a step, for as long as it takes.

        One short attempt answers a person who looks at the page; if it fails technically, or no page waits
        any more, the same activity goes on by itself on its own queue, for days, where support sees its
        last error.

        Raises:
            StepFailedError: the failure is final, or nobody mended what the step needs for days.
            StepLeftError: it is a check, and the next run goes on with it.
            asyncio.CancelledError: the caller was cancelled meanwhile.
        """
        try:
            answer = self._said.pop(step.activity.__name__, _NOT_TRIED)
            if answer is _NOT_TRIED and not (step.is_check and self._keeps_to_limits()):
                return await self._first_attempt(step, request)
        except StepFailedError as failure:
            if failure.is_final:
                raise
        else:
            if answer is not _NOT_TRIED and answer is not None:
                return answer
        self._pending = step
        try:
            return await self._patiently(step, request)
        finally:
            self._pending = None

    async def try_path(self, request: FastPathInput) -> None:
        """Try the straight path in one local activity.

        `do` then has the answer of each step that was done, and goes on durably where one failed.
        """
        if self._keeps_to_limits():
            return
        with suppress(StepFailedError):
            result: FastPathResult = await _result_of(
                lambda: workflow.start_local_activity_method(
                    FastPath.check_and_register,
                    request,
                    start_to_close_timeout=policies.FAST_PATH,
                    schedule_to_close_timeout=policies.FAST_PATH,
                    retry_policy=policies.FAST_RETRY,
                    activity_id="registrar",
                    summary="Consultar los registros y crear la cuenta, un intento de cada paso",
                )
            )
            self._said = result.said()

    async def try_once(self, step: Step, request: object) -> Any:
        """Do a step if what it needs answers now; None where it does not."""
        try:
            return await self._first_attempt(step, request)
        except StepFailedError:
            return None

    async def mail(self, step: Step, request: object) -> Any:
        """Do a step that mails; None when the server rejects the address for good."""
        try:
            return await self.do(step, request)
        except StepFailedError as failure:
            if failure.type != MAIL_ADDRESS_REJECTED:
                raise
        return None

    @property
    def is_pending(self) -> bool:
        """Whether a step waits for its next attempt, or is in the middle of one."""
        return self._pending is not None or self._left is not None

    def wait_no_longer(self) -> None:
        """Show that the step that was waited for has been given up for another."""
        self._show(None)

    async def retry_now(self) -> None:
        """Try the pending step at once, and begin with the short pauses again."""
        if self._pending is None:
            return
        # The server does it: the attempt that may be under way ends first, so nothing is done twice.
        await workflow.execute_activity_method(
            StepRetries.retry_step,
            self._pending.id,
            start_to_close_timeout=policies.RETRY_ATTEMPT,
            schedule_to_close_timeout=policies.RETRY_WORTH_MAKING,
            summary="Reintentar ya lo que está pendiente",
        )

    def _keeps_to_limits(self) -> bool:
        """Whether no page waits any more, so that checks keep to their queues.

        All who waited for one registry reach the next one together, and so do all who came while no worker ran.
        """
        waited = workflow.now() - workflow.info().workflow_start_time
        is_late = self._was_left or waited > policies.PAGE_PATIENCE
        return is_late and workflow.patched("late-checks-in-turn")

    async def _first_attempt(self, step: Step, request: object) -> Any:
        if not step.starts_local:
            return await _result_of(
                lambda: _start(step, request, within=policies.GIVE_UP_AFTER, retry=policies.FAST_RETRY)
            )
        return await _result_of(
            lambda: workflow.start_local_activity_method(
                step.activity,
                request,
                start_to_close_timeout=policies.FAST_ATTEMPT,
                schedule_to_close_timeout=policies.FAST_ATTEMPT,
                retry_policy=policies.FAST_RETRY,
                activity_id=step.id,
                summary=step.summary,
            )
        )

    async def _patiently(self, step: Step, request: object) -> Any:
        left, self._left = self._left, None
        self._show(step.waits_on, stuck_since=left.stuck_since if left else None)
        given_up_at = (left.since if left else workflow.now()) + policies.GIVE_UP_AFTER
        may_be_left = step.is_check and workflow.patched("registry-wait-handed-on")

        async def wait(activity: asyncio.Task[Any]) -> None:
            since = left.since if left else workflow.now()
            await self._until_done(activity, step, since=since, may_be_left=may_be_left)

        result = await _result_of(
            lambda: _start(
                step,
                request,
                within=max(given_up_at - workflow.now(), _LEAST),
                retry=policies.PATIENT_RETRY,
                queue=step.queue,
            ),
            wait=wait,
        )
        # A step that is given up stays named, so that support finds what was never mended.
        self._show(None)
        return result

    async def _until_done(
        self, activity: asyncio.Task[Any], step: Step, *, since: datetime, may_be_left: bool
    ) -> None:
        """Wait for a patient step, and show support when it takes long.

        Raises:
            StepLeftError: the run has grown long, and nobody waits for its answer.
        """

        def is_over() -> bool:
            return activity.done() or (may_be_left and _has_grown_long())

        try:
            await workflow.wait_condition(
                is_over,
                timeout=max(since + policies.STUCK_AFTER - workflow.now(), timedelta(0)),
                timeout_summary="Avisar a soporte si sigue esperando",
            )
        except TimeoutError:
            self._show(step.waits_on, stuck_since=since)
            await workflow.wait_condition(is_over)
        if not activity.done():
            # The server drops what a closed run waits for, and to ask a registry changes nothing.
            raise StepLeftError(
                PendingStep(
                    activity=step.activity.__name__,
                    waiting_on=step.waits_on,
                    since=since,
                    stuck_since=self.stuck_since,
                )
            )

    def _show(self, waiting_on: WaitingOn | None, *, stuck_since: datetime | None = None) -> None:
        self.waiting_on, self.stuck_since = waiting_on, stuck_since
        self._on_change()


class GentleRunner:
    """Asks when the registry has time, for a day, and shows nothing."""

    async def do(self, step: Step, request: object) -> Any:
        """Do a step.

        Raises:
            StepFailedError: there was no answer for a day.
        """
        return await _result_of(
            lambda: _start(
                step,
                request,
                within=policies.LOOK_WORTH_MAKING,
                retry=policies.PATIENT_RETRY,
                queue=step.queue,
            )
        )


async def notified(step: Step, notice: object) -> bool:
    """Do a step that nothing depends on.

    False when it failed for as long as it was worth doing.
    """
    try:
        await _result_of(
            lambda: _start(step, notice, within=policies.NOTICE_WORTH_SENDING, retry=policies.PATIENT_RETRY)
        )
    except StepFailedError:
        return False
    return True


async def _result_of(
    start: Callable[[], asyncio.Task[Any]],
    *,
    wait: Callable[[asyncio.Task[Any]], Awaitable[None]] | None = None,
) -> Any:
    """The result of an activity; a failure has one shape, local or regular.

    A result that the product did not write for this workflow is none: then the activity is done again.
    """
    while True:
        activity = start()
        try:
            if wait is not None:
                await wait(activity)
        except asyncio.CancelledError:
            activity.cancel()
            raise
        try:
            result = await activity
        except FailureError as failure:
            if is_cancelled_exception(failure):
                raise asyncio.CancelledError from failure
            raise _failed(failure) from failure
        heed_cancellation()
        if fault_of(result) is None:
            return result
        workflow.logger.error("the result of an activity was refused: it is done again")


def _has_grown_long() -> bool:
    return workflow.info().is_continue_as_new_suggested() and workflow.all_handlers_finished()


def _start(
    step: Step, request: object, *, within: timedelta, retry: RetryPolicy, queue: str | None = None
) -> workflow.ActivityHandle[Any]:
    """Schedule a step outside the workflow task.

    By default on the workflow's own queue.
    """
    return workflow.start_activity_method(
        step.activity,
        request,
        task_queue=queue,
        start_to_close_timeout=step.attempt,
        heartbeat_timeout=step.heartbeat,
        schedule_to_close_timeout=within,
        retry_policy=retry,
        activity_id=step.id,
        summary=step.summary,
    )


def _failed(failure: FailureError) -> StepFailedError:
    # Local activities raise the application error bare, regular ones wrapped.
    error = failure.cause if isinstance(failure, ActivityError) else failure
    if not isinstance(error, ApplicationError):
        return StepFailedError(None, is_final=False)
    return StepFailedError(error.type, is_final=error.non_retryable)
