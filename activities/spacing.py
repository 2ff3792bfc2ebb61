"""Calls to a registry one after the other, not in bursts."""

import asyncio
from typing import Any

from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor


class SpacedCalls(Interceptor):
    """Lets the activities of one worker begin no closer than a limit asks for.

    Temporal's own limit holds in the mean: every part of a task queue hands out its share, and all of
    them at the same moment.

    Args:
        per_second: How many may begin, on average and at most.
    """

    def __init__(self, *, per_second: float) -> None:
        self._pause = 1 / per_second
        self._free_at = 0.0
        self._order = asyncio.Lock()

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name.
        return _InTurn(next, self)

    async def turn(self) -> None:
        """Wait until the next call may be made."""
        loop = asyncio.get_running_loop()
        async with self._order:
            await asyncio.sleep(self._free_at - loop.time())
            # From the real beginning: a call that was woken late must not have the next one close behind.
            self._free_at = loop.time() + self._pause


class _InTurn(ActivityInboundInterceptor):
    def __init__(self, inner: ActivityInboundInterceptor, pace: SpacedCalls) -> None:
        super().__init__(inner)
        self._pace = pace

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name.
        await self._pace.turn()
        return await self.next.execute_activity(input)
