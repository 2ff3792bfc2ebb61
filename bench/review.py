"""A review of many profiles with real servers: `python -m bench.review`.

BENCH_PROFILES (default 2000) says how many, BENCH_CRASHES (default 0) how often the worker is killed meanwhile. One in two
hundred has left ReTHUS, as many are sanctioned; both stay below the guard. People register meanwhile.
"""

import asyncio
import os
import time
from typing import Any

from temporalio.client import Client, WorkflowExecutionStatus

from bench.growth import Submitter
from bench.http import Connection, expect
from bench.in_use import in_use, until_it_asks
from bench.people import new_professionals
from bench.product import measured_stack
from bench.statistics import median
from mipres import composition
from mipres.arguments import take_none
from mipres.temporal import names
from mipres.temporal.connection import connect

NEWCOMERS = 40
_LOOK_SECONDS = 2.0
_BETWEEN_CRASHES_SECONDS = 15.0
_CAME_TO = """
SELECT count(*) FILTER (WHERE reviewed_at > now() - interval '1 day') AS reviewed,
       count(ended_at) AS ended, count(sanctioned_at) AS suspended FROM profiles
WHERE account_id IN (SELECT id FROM accounts WHERE document_number = ANY($1))
"""


async def measure(count: int) -> dict[str, Any]:
    """Review so many profiles, and register people before and meanwhile."""
    async with measured_stack() as stack:
        people = await in_use(stack, count)
        client = await connect(composition.temporal_connection(stack.settings), identity="bench")
        submit = Submitter(stack)
        before = await submit.many(
            await new_professionals(stack.settings.registry_port, NEWCOMERS), at_once=1
        )
        registries = Connection(port=stack.settings.registry_port)
        expect(await registries.delete("/_control/calls"), 204)
        began = time.perf_counter()
        await client.get_schedule_handle(names.ACCESS_REVIEW_ID).trigger()
        await until_it_asks(registries)
        meanwhile = await submit.many(
            await new_professionals(stack.settings.registry_port, NEWCOMERS), at_once=1
        )
        for _ in range(int(os.environ.get("BENCH_CRASHES", "0"))):
            await stack.crash("worker")
            await stack.restart("worker")
            await asyncio.sleep(_BETWEEN_CRASHES_SECONDS)
        runs, events = await _finished(client)
        seconds = time.perf_counter() - began
        calls = (await registries.get("/_control/calls/peak")).json()["rethus"]
        asked = (await registries.get("/_control/calls")).json()["rethus"]
        twice = sum(asked.get(f"CC {person.number}", 0) > 1 for person in people)
        async with stack.database() as database:
            came_to = dict(await database.fetchrow(_CAME_TO, [person.number for person in people]))
    return {
        "profiles": len(people),
        "seconds": round(seconds, 1),
        "profiles_a_second": round(len(people) / seconds, 2),
        "peak_calls_a_second": calls["peak_per_second"],
        "calls": calls["total"],
        "people_asked_about_more_than_once": twice,
        "runs": runs,
        "events": events,
        "outcome_before_ms": round(median(before) * 1000, 1),
        "outcome_meanwhile_ms": round(median(meanwhile) * 1000, 1),
        **came_to,
    }


async def _finished(client: Client) -> tuple[int, int]:
    """Wait for the end of the review: its runs, and the events of all of them."""
    query = f'WorkflowType="{names.WorkflowType.ACCESS_REVIEW}"'
    while True:
        runs = [run async for run in client.list_workflows(query)]
        if runs and all(run.status is not WorkflowExecutionStatus.RUNNING for run in runs):
            return len(runs), sum(run.history_length for run in runs)
        print(f"{max((_looked(run) for run in runs), default=0)} revisados…", flush=True)
        await asyncio.sleep(_LOOK_SECONDS)


def _looked(run: Any) -> int:
    return int(run.typed_search_attributes.get(names.REVIEWED_PROFILES) or 0)


def main() -> None:
    take_none("python -m bench.review", __doc__)
    for name, value in asyncio.run(measure(int(os.environ.get("BENCH_PROFILES", "2000")))).items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
