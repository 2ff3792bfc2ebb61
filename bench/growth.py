"""`make bench-growth`: whether thousands who wait slow others down.

BENCH_WAITING (default `1000,10000`) says how many wait for their password, BENCH_PARKED (default 2000) how many
behind a registry that is down, BENCH_DRAIN_SECONDS (default 60) how long the drain is watched.
"""

import asyncio
import dataclasses
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

from bench import report
from bench.http import Connection, expect
from bench.machine import describe_machine, load_average
from bench.people import new_delegates, new_professionals, set_registry
from bench.product import measured_stack
from bench.statistics import median, ratio
from dev.citizen import Citizen
from dev.private_stack import PrivateStack
from mipres import composition
from mipres.domain.documents import parse_document
from mipres.settings import DEVELOPMENT_KEY
from mipres.temporal.connection import connect

SAMPLES = 40
NEWCOMERS = 200
FILLING = 10
PARKING = 20
MEBIBYTE = 2**20
_IN_PROGRESS = 202
_UNAVAILABLE = 503
_MOST_TURNED_AWAY = 200
_PAUSE_SECONDS = 1.0
# Until the mails of those who came last are sent.
_REST_SECONDS = 5.0
_PERSON_SECONDS = 0.1
_ADDENDS = 200_000


@dataclass(frozen=True, kw_only=True)
class Level:
    """What is seen while so many wait for their password.

    Times are medians in ms, memory in MiB.

    Attributes:
        outcome: From the submission to the outcome, of newcomers.
        arithmetic: What a fixed sum took between them: how fast the machine was in those moments.
    """

    waiting: int
    worker_memory: float
    outcome: float
    arithmetic: float
    status_page: float
    support_search: float


@dataclass(frozen=True, kw_only=True)
class Parked:
    """What is seen while so many wait for a registry, and when it comes back."""

    parked: int
    outcome_of_others_before: float
    outcome_of_others: float
    times: float
    drained: int
    drain_seconds: float
    peak_calls_per_second: int


async def measure() -> dict[str, object]:
    """Both, on one fresh stack."""
    levels = [int(level) for level in os.environ.get("BENCH_WAITING", "1000,10000").split(",")]
    parked = int(os.environ.get("BENCH_PARKED", "2000"))
    loads = [load_average()]
    async with measured_stack() as stack:
        submit = Submitter(stack)
        await _outcomes(submit, await new_professionals(stack.settings.registry_port, SAMPLES))
        waiting = [await _level(stack, submit, level) for level in sorted(levels)]
        behind = await _parked(stack, submit, parked)
    loads.append(load_average())
    return {
        "machine": describe_machine() | {"load_before_and_after": loads},
        "levels": [dataclasses.asdict(level) for level in waiting],
        "parked": dataclasses.asdict(behind),
        "turned_away": submit.turned_away,
    }


class Submitter:
    """Submits over a few kept connections, and knows how many it has submitted."""

    def __init__(self, stack: PrivateStack) -> None:
        self.port = stack.settings.api_port
        self.count = 0
        self.turned_away = 0
        self.radicado = ""

    async def one(self, person: Citizen, connection: Connection) -> float:
        while True:
            began = time.perf_counter()
            answer = await connection.post(
                "/api/v1/registrations", json=person.request(), key=DEVELOPMENT_KEY
            )
            elapsed = time.perf_counter() - began
            # A machine that is too busy for its Temporal says so and takes nothing in; it is asked again.
            if answer.status_code != _UNAVAILABLE or self.turned_away >= _MOST_TURNED_AWAY:
                break
            self.turned_away += 1
            await asyncio.sleep(_PAUSE_SECONDS)
        self.radicado = str(expect(answer, 201, _IN_PROGRESS).json()["radicado"])
        self.count += 1
        return elapsed

    async def many(self, people: Sequence[Citizen], *, at_once: int) -> list[float]:
        left, times = iter(people), []

        async def visitor() -> None:
            connection = Connection(port=self.port)
            for person in left:
                times.append(await self.one(person, connection))  # noqa: PERF401 - one after the other.
            connection.close()

        await asyncio.gather(*(visitor() for _ in range(at_once)))
        return times


async def _level(stack: PrivateStack, submit: Submitter, wanted: int) -> Level:
    missing = max(0, wanted - submit.count)
    _say(f"{wanted} que esperan su contraseña: faltan {missing}…")
    await submit.many(await new_professionals(stack.settings.registry_port, missing), at_once=FILLING)
    waiting = submit.count
    await asyncio.sleep(_REST_SECONDS)
    outcome, arithmetic = await _newcomers(
        submit, await new_professionals(stack.settings.registry_port, NEWCOMERS)
    )
    level = Level(
        waiting=waiting,
        worker_memory=round(_memory(stack) / MEBIBYTE, 1),
        outcome=outcome,
        arithmetic=arithmetic,
        status_page=await _status_pages(stack, submit.radicado),
        support_search=await _support_searches(stack),
    )
    _say(str(level))
    return level


async def _newcomers(submit: Submitter, people: Sequence[Citizen]) -> tuple[float, float]:
    """Outcomes one after the other, and the machine's speed between them."""
    connection = Connection(port=submit.port)
    outcomes, sums = [], []
    for person in people:
        outcomes.append(await submit.one(person, connection))
        # What the product still does for this person would slow the sum.
        await asyncio.sleep(_PERSON_SECONDS)
        began = time.perf_counter()
        sum(range(_ADDENDS))
        sums.append(time.perf_counter() - began)
    connection.close()
    return _ms(outcomes), _ms(sums)


async def _outcomes(submit: Submitter, people: Sequence[Citizen]) -> float:
    return _ms(await submit.many(people, at_once=1))


async def _status_pages(stack: PrivateStack, radicado: str) -> float:
    connection = Connection(port=stack.settings.api_port)

    async def look() -> None:
        expect(await connection.get(f"/registro/estado/{radicado}"), 200)

    times = await _timed(look)
    connection.close()
    return times


async def _support_searches(stack: PrivateStack) -> float:
    """What the command `find` asks.

    The person by document in PostgreSQL, the cases in Temporal.
    """
    client = await connect(composition.temporal_connection(stack.settings), identity="bench")
    async with composition.open_database(stack.settings) as database:
        support = composition.build_support(stack.settings, database, client)
        document = parse_document("CC", "20000010")

        async def search() -> None:
            await support.find(document, actor="bench")

        return await _timed(search)


async def _parked(stack: PrivateStack, submit: Submitter, count: int) -> Parked:
    before = await _outcomes(submit, await new_delegates(stack.settings.registry_port, SAMPLES))
    _say(f"{count} detrás de un registro caído…")
    await set_registry(stack.settings.registry_port, "rethus", {"mode": "down"})
    await submit.many(await new_professionals(stack.settings.registry_port, count), at_once=PARKING)
    during = await _outcomes(submit, await new_delegates(stack.settings.registry_port, SAMPLES))
    drained, seconds, peak = await _drain(stack)
    return Parked(
        parked=count,
        outcome_of_others_before=before,
        outcome_of_others=during,
        times=round(ratio(during, before), 2),
        drained=drained,
        drain_seconds=round(seconds, 1),
        peak_calls_per_second=peak,
    )


async def _drain(stack: PrivateStack) -> tuple[int, float, int]:
    """Let the registry come back and watch what it gets.

    Calls in all, for how long, and at most in a second.
    """
    registries = Connection(port=stack.settings.registry_port)
    await set_registry(stack.settings.registry_port, "rethus", {"mode": "up"})
    expect(await registries.delete("/_control/calls"), 204)
    began = time.perf_counter()
    await asyncio.sleep(float(os.environ.get("BENCH_DRAIN_SECONDS", "60")))
    calls = (await registries.get("/_control/calls/peak")).json()["rethus"]
    registries.close()
    return int(calls["total"]), time.perf_counter() - began, int(calls["peak_per_second"])


async def _timed(action: Callable[[], Awaitable[None]]) -> float:
    times = []
    for _ in range(SAMPLES):
        began = time.perf_counter()
        await action()
        times.append(time.perf_counter() - began)
    return _ms(times)


def _memory(stack: PrivateStack) -> int:
    return int(psutil.Process(stack.supervisor.process_ids()["worker"]).memory_info().rss)


def growth_table(results: Mapping[str, object]) -> str:
    """What is printed and documented."""
    levels = [Level(**level) for level in _rows(results["levels"])]
    [parked] = [Parked(**row) for row in _rows([results["parked"]])]
    lines = [
        "| waiting for their password | worker memory MiB | new: submit → outcome p50 ms | a fixed sum meanwhile p50 ms | outcome, in sums | status page p50 ms | support search p50 ms |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {item.waiting} | {item.worker_memory} | {item.outcome} | {item.arithmetic} | {item.outcome / item.arithmetic:.1f} | {item.status_page} | {item.support_search} |"
        for item in levels
    ]
    told = (
        f"{parked.parked} professionals parked behind ReTHUS: new delegates get their outcome in "
        f"{parked.outcome_of_others} ms (p50) instead of {parked.outcome_of_others_before} ms, {parked.times} times. "
        f"When it is back it gets {parked.drained} calls in {parked.drain_seconds} s, at most "
        f"{parked.peak_calls_per_second} in any second. Submissions turned away (503) and repeated: {results['turned_away']}."
    )
    return "\n".join([*lines, "", told])


def _rows(value: object) -> list[dict[str, Any]]:
    return value if isinstance(value, list) else []


def _ms(times: Sequence[float]) -> float:
    return round(median(times) * 1000, 2)


def _say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    results = asyncio.run(measure())
    path = report.keep_plain(results, "growth")
    page = report.PAGE.read_text(encoding="utf-8")
    report.PAGE.write_text(report.with_block(page, "growth", growth_table(results)), encoding="utf-8")
    print(growth_table(results))
    print(path)


if __name__ == "__main__":
    main()
