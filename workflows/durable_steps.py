"""How a step is done: fast, then durable. The one place that knows it."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

from activities.errors import MAIL_ADDRESS_REJECTED
from activities.retries import RetryStepInput, StepRetries
from mipres.domain.stages import WaitingOn
from workflows import policies
from workflows.steps import Step


class StepRunner:
    """Does one step at a time and knows what it waits for.

    Args:
        on_change: Called whenever waiting begins, becomes worth a look by support, or ends.
        on_stuck: Called when a step has been waited for long enough to tell the person.
        interrupted: Whether the story is to end; asked after each step, because a cancellation that
            comes in the same moment as an activity's result is swallowed by the wait for it.
    """

    def __init__(
        self,
        *,
        on_change: Callable[[], None],
        on_stuck: Callable[[], None] = lambda: None,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self._on_change = on_change
        self._on_stuck = on_stuck
        self._interrupted = interrupted
        self.waiting_on: WaitingOn | None = None
        self.stuck_since: datetime | None = None
        self._pending: Step | None = None

    async def do(self, step: Step, request: object) -> Any:
        """The step's result.

        One short attempt answers a person who looks at the page; if it fails technically, the same
        activity goes on by itself on its own queue, for days, where support sees its last error.

        Raises:
            FailureError: the failure is final, or nobody mended what the step needs for days.
        """
        result = await self._fast_or_durably(step, request)
        if self._interrupted():
            raise asyncio.CancelledError
        return result

    async def mail(self, step: Step, request: object) -> Any:
        """Do a step that mails; None when the server rejects the address for good."""
        try:
            return await self.do(step, request)
        except FailureError as failure:
            if _type_of(failure) != MAIL_ADDRESS_REJECTED:
                raise
        return None

    @property
    def is_pending(self) -> bool:
        """Whether a step waits for its next attempt, or is in the middle of one."""
        return self._pending is not None

    async def retry_now(self) -> None:
        """Have the pending step tried at once, and its pauses begin anew with the short ones."""
        if self._pending is None:
            return
        # The server does it: the attempt that may be under way ends first, so nothing is done twice.
        await workflow.execute_activity_method(
            StepRetries.retry_step,
            RetryStepInput(activity_id=self._pending.id),
            start_to_close_timeout=policies.RETRY_ATTEMPT,
            schedule_to_close_timeout=policies.RETRY_WORTH_MAKING,
            summary="Reintentar ya lo que está pendiente",
        )

    async def _fast_or_durably(self, step: Step, request: object) -> Any:
        try:
            return await self._first_attempt(step, request)
        except FailureError as failure:
            if is_cancelled_exception(failure) or _is_final(failure):
                raise
        return await self._durably(step, request)

    async def _first_attempt(self, step: Step, request: object) -> Any:
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
        return await _start(step, request, within=policies.GIVE_UP_AFTER, retry=policies.FAST_RETRY)

    async def _durably(self, step: Step, request: object) -> Any:
        self._pending = step
        try:
            return await self._patiently(step, request)
        finally:
            self._pending = None

    async def _patiently(self, step: Step, request: object) -> Any:
        self._note(step.waits_on)
        handle = _start(
            step, request, within=policies.GIVE_UP_AFTER, retry=policies.PATIENT_RETRY, queue=step.queue
        )
        since = workflow.now()
        try:
            await workflow.wait_condition(
                handle.done,
                timeout=policies.STUCK_AFTER,
                timeout_summary="Avisar a soporte si sigue esperando",
            )
        except TimeoutError:
            self._note(step.waits_on, stuck_since=since)
            self._on_stuck()
        # A step that is given up stays named, so that support finds what was never mended.
        result = await handle
        self._note(None)
        return result

    def _note(self, waiting_on: WaitingOn | None, *, stuck_since: datetime | None = None) -> None:
        self.waiting_on, self.stuck_since = waiting_on, stuck_since
        self._on_change()


async def notified(step: Step, notice: object) -> bool:
    """Do a step that nothing depends on; False when it failed for as long as it was worth doing.

    Raises:
        FailureError: it was cancelled.
    """
    try:
        await _start(step, notice, within=policies.NOTICE_WORTH_SENDING, retry=policies.PATIENT_RETRY)
    except FailureError as failure:
        if is_cancelled_exception(failure):
            raise
        return False
    return True


def _start(
    step: Step, request: object, *, within: timedelta, retry: RetryPolicy, queue: str | None = None
) -> workflow.ActivityHandle[Any]:
    """Schedule a step outside the workflow task; by default on the workflow's own queue."""
    return workflow.start_activity_method(
        step.activity,
        request,
        task_queue=queue,
        start_to_close_timeout=step.attempt,
        schedule_to_close_timeout=within,
        retry_policy=retry,
        activity_id=step.id,
        summary=step.summary,
    )


def _type_of(failure: FailureError) -> str | None:
    """Type of the application error in a failure; local activities raise it bare, regular ones wrapped."""
    error = failure.cause if isinstance(failure, ActivityError) else failure
    return error.type if isinstance(error, ApplicationError) else None


def _is_final(failure: FailureError) -> bool:
    """Whether retrying cannot help."""
    error = failure.cause if isinstance(failure, ActivityError) else failure
    return isinstance(error, ApplicationError) and error.non_retryable
