"""The cheapest contender, really run: the measuring loop against a real server."""

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from bench.floor import FloorDriver
from bench.floor_workflow import QUEUE, Floor, nothing
from bench.http import UnexpectedAnswerError
from bench.product import stop_purges
from bench.report import compare
from bench.rounds import Contender, Register, interleave
from bench.visits import Timed
from mipres.temporal.names import RETENTION_ID
from workflows.schedules import ensure_schedules


async def test_rounds_are_interleaved_and_compared(temporal_env: WorkflowEnvironment) -> None:
    order: list[str] = []

    def contender(name: str) -> Contender:
        async def prepare(concurrency: int, _count: int) -> list[Register]:
            order.append(name)
            return [FloorDriver(temporal_env.client).register] * concurrency

        return Contender(name=name, prepare=prepare)

    worker = Worker(
        temporal_env.client, task_queue=QUEUE, workflows=[Floor], activities=[nothing], max_cached_workflows=8
    )
    async with worker:
        rounds = await interleave([contender("floor"), contender("ours")], concurrency=2, count=4, rounds=2)
    assert order == ["floor", "ours"] * 3
    assert {name: [len(item.wholes) for item in kept] for name, kept in rounds.items()} == {
        "floor": [4, 4],
        "ours": [4, 4],
    }
    compared = compare(2, rounds)
    assert all(item.failures == 0 and item.per_second > 0 for item in compared)
    assert compared[0].outcome_times_floor == 1


async def test_a_registration_without_an_outcome_is_a_failure_and_no_time() -> None:
    async def prepare(_concurrency: int, _count: int) -> list[Register]:
        async def register() -> Timed:
            raise UnexpectedAnswerError("202 en proceso")

        return [register]

    rounds = await interleave([Contender(name="ours", prepare=prepare)], concurrency=1, count=3, rounds=1)
    assert (rounds["ours"][0].failures, rounds["ours"][0].wholes) == (3, ())
    assert rounds["ours"][0].reasons == {"202 en proceso": 3}


async def test_no_purge_closes_the_links_of_those_without_a_workflow(scheduling: Client) -> None:
    await ensure_schedules(scheduling, reviews=False)
    await stop_purges(scheduling)
    purge = await scheduling.get_schedule_handle(RETENTION_ID).describe()
    assert purge.schedule.state.paused
