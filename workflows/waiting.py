"""Waiting inside a workflow: no cancellation is swallowed or heeded too early."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow

T = TypeVar("T")


async def comes_true(condition: Callable[[], bool], *, within: timedelta, summary: str) -> bool:
    """Wait until a condition holds; False when the time is over first.

    Args:
        condition: Looked at after each event of the workflow.
        within: The time it has; none or less means now or never.
        summary: What Temporal's interface shows beside the timer.
    """
    try:
        await workflow.wait_condition(condition, timeout=max(within, timedelta(0)), timeout_summary=summary)
    except TimeoutError:
        return False
    heed_cancellation()
    return True


def heed_cancellation() -> None:
    """Raise the cancellation that came in the same moment as what was waited for.

    `asyncio.wait_for` in Python 3.11 swallows it, and so does the SDK's wait for an activity.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def to_its_end(work: Coroutine[Any, Any, T] | asyncio.Task[T]) -> asyncio.Task[T]:
    """Have work done to its end, however often the workflow is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError, Exception):
            await asyncio.shield(task)
    return task
