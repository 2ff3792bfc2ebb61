"""Calls to a registry are spaced out, whatever comes at once."""

import asyncio

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.pacing import Paced

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
    chain = Paced(per_second=PER_SECOND).intercept_activity(callee)
    began = asyncio.get_running_loop().time()
    found = await asyncio.gather(*(chain.execute_activity(call()) for _ in range(6)))
    assert found == ["found"] * 6
    # An event loop may wake a sleeper some microseconds early, and a busy machine late.
    assert all(at - began > (number - 0.1) / PER_SECOND for number, at in enumerate(callee.times))


async def test_the_first_call_after_a_rest_waits_for_nothing() -> None:
    callee = Callee()
    chain = Paced(per_second=0.001).intercept_activity(callee)
    async with asyncio.timeout(10):
        await chain.execute_activity(call())
    assert len(callee.times) == 1


def call() -> ExecuteActivityInput:
    """Some activity's call."""

    @activity.defn
    async def nothing() -> None:
        """Never run: the callee stands at the end of the chain."""

    return ExecuteActivityInput(fn=nothing, args=[], executor=None, headers={})
