"""The floor: the workflow tasks of a registration and nothing else."""

from datetime import timedelta

from temporalio import activity, workflow

QUEUE = "bench-floor"


@activity.defn
async def nothing() -> None:
    """Stands where a registration has work to do."""


@workflow.defn(name="Floor")
class Floor:
    """Answers its update at once, runs two empty activities, ends with its signal.

    A registration has three workflow tasks: the answer, the mail, the password. Here the signal comes at
    once and shares a task with one of the activities, so the second makes them three.
    """

    def __init__(self) -> None:
        self._is_told = False

    @workflow.run
    async def run(self) -> None:
        for _ in range(2):
            await workflow.execute_activity(nothing, start_to_close_timeout=timedelta(seconds=10))
        await workflow.wait_condition(lambda: self._is_told)

    @workflow.update
    async def outcome(self) -> str:
        return "registered"

    @workflow.signal
    def tell(self) -> None:
        self._is_told = True
