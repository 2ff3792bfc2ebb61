"""Calls to a registry are spaced out, whatever comes at once."""

import asyncio

import pytest
from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.spacing import SpacedCalls
from tests.patience import PATIENCE_SECONDS

PER_SECOND = 50.0


class Callee(ActivityInboundInterceptor):
    """Notes when each call comes."""

    def __init__(self) -> None:
        self.times: list[float] = []

    async def execute_activity(self, input: ExecuteActivityInput) -> str:  # noqa: A002 - the SDK's name.
        self.times.append(asyncio.get_running_loop().time())
        return "found"


async def test_a_burst_is_spaced_out_and_each_call_gets_its_answer() -> None:
    callee = Callee()
    chain = SpacedCalls(per_second=PER_SECOND).intercept_activity(callee)
    began = asyncio.get_running_loop().time()
    found = await asyncio.gather(*(chain.execute_activity(call()) for _ in range(6)))
    assert found == ["found"] * 6
    # An event loop may wake a sleeper some microseconds early, and a busy machine late.
    assert all(at - began > (number - 0.1) / PER_SECOND for number, at in enumerate(callee.times))


async def test_a_call_that_begins_late_does_not_bring_the_next_one_closer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    callee, sleep = Callee(), asyncio.sleep

    async def oversleep(seconds: float) -> None:
        await sleep(max(0, seconds) + (0.5 / PER_SECOND if len(callee.times) == 1 else 0))

    monkeypatch.setattr("activities.spacing.asyncio.sleep", oversleep)
    chain = SpacedCalls(per_second=PER_SECOND).intercept_activity(callee)
    await asyncio.gather(*(chain.execute_activity(call()) for _ in range(3)))
    assert callee.times[2] - callee.times[1] > 0.9 / PER_SECOND


async def test_the_first_call_after_a_rest_waits_for_nothing() -> None:
    callee = Callee()
    chain = SpacedCalls(per_second=0.001).intercept_activity(callee)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await chain.execute_activity(call())
    assert len(callee.times) == 1


def call() -> ExecuteActivityInput:
    """Some activity's call."""

    @activity.defn
    async def nothing() -> None:
        """Never run: the callee stands at the end of the chain."""

    return ExecuteActivityInput(fn=nothing, args=[], executor=None, headers={})
