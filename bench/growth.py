"""`make bench-growth`: whether many who wait slow others down.

BENCH_WAITING (default `1000,10000,50000,200000`) says how many wait for their password; BENCH_REAL (default 1000) of
them registered over HTTP and have a workflow that waits, and the others are rows (bench/made_up.py). BENCH_PROFILES
(default 2000) profiles are reviewed meanwhile, BENCH_PARKED (default 600) people wait behind registries that are
down, and BENCH_DRAIN_SECONDS (default 180) is how long the drain is watched at most.
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
from bench.in_use import in_use, until_it_asks
from bench.machine import describe_machine, load_average
from bench.made_up import make_up
from bench.people import new_delegates, new_professionals, set_registry
from bench.product import measured_stack, stop_purges
from bench.statistics import median, quantile, ratio
from dev.citizen import Citizen
from dev.private_stack import PrivateStack
from mipres import composition
from mipres.arguments import take_none
from mipres.domain.documents import parse_document
from mipres.settings.names import DEVELOPMENT_KEY
from mipres.temporal.connection import connect
from mipres.temporal.names import ACCESS_REVIEW_ID, WorkflowType
from workflows.policies import HANDED_OUT_PER_SECOND

SAMPLES = 40
NEWCOMERS = 100
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
_REGISTRIES = ("miseguridadsocial", "rethus", "sso")
_PARKED = "RegistrationStage = 'waiting_registry'"
MOST_GROWTH = 1.10
MOST_PAGE_MS = 50.0


@dataclass(frozen=True, kw_only=True)
class Level:
    """What is seen while so many wait for their password.

    Times are in ms, memory in MiB.

    Attributes:
        real: How many of them have a workflow that waits.
        outcome: From the submission to the outcome, of newcomers: median.
        arithmetic: What a fixed sum took between them: how fast the machine was in those moments.
        status_page: 95 of 100 are not slower.
        support_search: The same.
    """

    waiting: int
    real: int
    worker_memory: float
    outcome: float
    arithmetic: float
    status_page: float
    support_search: float

    @property
    def outcome_in_sums(self) -> float:
        return ratio(self.outcome, self.arithmetic)


@dataclass(frozen=True, kw_only=True)
class Review:
    """Newcomers before a review and beside it: medians in ms and in sums."""

    profiles: int
    outcome_before: float
    outcome_beside: float
    sums_before: float
    sums_beside: float


@dataclass(frozen=True, kw_only=True)
class Parked:
    """What is seen while so many wait for registries, and when these come back.

    Attributes:
        outcome_of_others: Of delegates, while half of the people wait for ReTHUS alone.
        drained: Calls that ReTHUS got.
        still_waiting: When the watch ended.
    """

    parked: int
    outcome_of_others_before: float
    outcome_of_others: float
    drained: int
    drain_seconds: float
    peak_calls_per_second: int
    still_waiting: int

    @property
    def arithmetic_seconds(self) -> float:
        """When the rate that is allowed lets the last one pass."""
        return self.parked / HANDED_OUT_PER_SECOND


async def measure() -> dict[str, object]:
    """All of it, on one fresh stack: first what really runs, then the rows."""
    levels = sorted(int(level) for level in _wanted("BENCH_WAITING", "1000,10000,50000,200000").split(","))
    real = min(int(_wanted("BENCH_REAL", "1000")), levels[-1])
    began, loads = time.monotonic(), [load_average()]
    async with measured_stack() as stack:
        await stop_purges(await connect(composition.temporal_connection(stack.settings), identity="bench"))
        submit = Submitter(stack)
        await _outcomes(submit, await new_professionals(stack.settings.registry_port, SAMPLES))
        await submit.many(await new_professionals(stack.settings.registry_port, real), at_once=FILLING)
        review = await _beside_a_review(stack, submit, int(_wanted("BENCH_PROFILES", "2000")))
        behind = await _parked(stack, submit, int(_wanted("BENCH_PARKED", "600")))
        waiting = [await _level(stack, submit, level) for level in levels]
    loads.append(load_average())
    return {
        "machine": describe_machine() | {"load_before_and_after": loads},
        "seconds": round(time.monotonic() - began),
        "levels": [dataclasses.asdict(level) for level in waiting],
        "review": dataclasses.asdict(review),
        "parked": dataclasses.asdict(behind),
        "turned_away": submit.turned_away,
    }


def _wanted(name: str, default: str) -> str:
    return os.environ.get(name) or default


class Submitter:
    """Submits over a few kept connections, and knows how many it has submitted."""

    def __init__(self, stack: PrivateStack) -> None:
        self.port = stack.settings.api_port
        self.count = 0
        self.made_up = 0
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
    missing = max(0, wanted - submit.count - submit.made_up)
    _say(f"{wanted} que esperan su contraseña: faltan {missing}…")
    if missing:
        await make_up(stack, submit.made_up + 1, submit.made_up + missing)
        submit.made_up += missing
    real = submit.count
    await asyncio.sleep(_REST_SECONDS)
    people = await new_professionals(stack.settings.registry_port, NEWCOMERS)
    outcome, arithmetic = await _newcomers(submit, people)
    level = Level(
        waiting=real + submit.made_up,
        real=real,
        worker_memory=round(_memory(stack) / MEBIBYTE, 1),
        outcome=outcome,
        arithmetic=arithmetic,
        status_page=await _status_pages(stack, submit.radicado),
        support_search=await _support_searches(stack),
    )
    _say(str(level))
    return level


async def _beside_a_review(stack: PrivateStack, submit: Submitter, profiles: int) -> Review:
    """Newcomers before and during a review, which ends with the measurement."""
    _say(f"{profiles} perfiles en revisión…")
    await in_use(stack, profiles)
    port = stack.settings.registry_port
    before, sums_before = await _newcomers(submit, await new_professionals(port, NEWCOMERS))
    client = await connect(composition.temporal_connection(stack.settings), identity="bench")
    registries = Connection(port=port)
    expect(await registries.delete("/_control/calls"), 204)
    await client.get_schedule_handle(ACCESS_REVIEW_ID).trigger()
    await until_it_asks(registries)
    registries.close()
    beside, sums_beside = await _newcomers(submit, await new_professionals(port, NEWCOMERS))
    running = f'WorkflowType="{WorkflowType.ACCESS_REVIEW}" AND ExecutionStatus="Running"'
    async for run in client.list_workflows(running):
        await client.get_workflow_handle(run.id).terminate("bench")
    return Review(
        profiles=profiles,
        outcome_before=before,
        outcome_beside=beside,
        sums_before=round(before / sums_before, 1),
        sums_beside=round(beside / sums_beside, 1),
    )


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
    port = stack.settings.registry_port
    before = await _outcomes(submit, await new_delegates(port, SAMPLES))
    _say(f"{count} detrás de registros caídos…")
    await set_registry(port, "rethus", {"mode": "down"})
    await submit.many(await new_professionals(port, count // 2), at_once=PARKING)
    during = await _outcomes(submit, await new_delegates(port, SAMPLES))
    for registry in _REGISTRIES:
        await set_registry(port, registry, {"mode": "down"})
    await submit.many(await new_professionals(port, count - count // 2), at_once=PARKING)
    drained, seconds, peak, left = await _drain(stack)
    return Parked(
        parked=count,
        outcome_of_others_before=before,
        outcome_of_others=during,
        drained=drained,
        drain_seconds=round(seconds, 1),
        peak_calls_per_second=peak,
        still_waiting=left,
    )


async def _drain(stack: PrivateStack) -> tuple[int, float, int, int]:
    """Let the registries come back and watch what ReTHUS gets.

    Calls in all, for how long, at most in a second, and how many people still wait.
    """
    client = await connect(composition.temporal_connection(stack.settings), identity="bench")
    registries = Connection(port=stack.settings.registry_port)
    for registry in _REGISTRIES:
        await set_registry(stack.settings.registry_port, registry, {"mode": "up"})
    expect(await registries.delete("/_control/calls"), 204)
    began = time.perf_counter()
    limit = began + float(_wanted("BENCH_DRAIN_SECONDS", "180"))
    while (left := (await client.count_workflows(_PARKED)).count) and time.perf_counter() < limit:
        await asyncio.sleep(_PAUSE_SECONDS)
    seconds = time.perf_counter() - began
    calls = (await registries.get("/_control/calls/peak")).json()["rethus"]
    registries.close()
    return int(calls["total"]), seconds, int(calls["peak_per_second"]), left


async def _timed(action: Callable[[], Awaitable[None]]) -> float:
    """What 95 of 100 are not slower than."""
    times = []
    for _ in range(SAMPLES):
        began = time.perf_counter()
        await action()
        times.append(time.perf_counter() - began)
    return round(quantile(times, 0.95) * 1000, 2)


def _memory(stack: PrivateStack) -> int:
    return int(psutil.Process(stack.supervisor.process_ids()["worker"]).memory_info().rss)


def growth_table(results: Mapping[str, object]) -> str:
    """What is printed and documented."""
    levels = [Level(**level) for level in _rows(results["levels"])]
    [review] = [Review(**row) for row in _rows([results["review"]])]
    [parked] = [Parked(**row) for row in _rows([results["parked"]])]
    lines = [
        "| waiting for their password | of these with a workflow | worker memory MiB | new: submit → outcome p50 ms | a fixed sum meanwhile p50 ms | outcome, in sums | status page p95 ms | support search p95 ms |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(
            f"| {item.waiting} | {item.real} | {item.worker_memory} | {item.outcome} | {item.arithmetic} | {item.outcome_in_sums:.1f} | {item.status_page} | {item.support_search} |"
            for item in levels
        ),
        "",
        (
            f"A review of {review.profiles} profiles: newcomers get their outcome in {review.outcome_beside} ms (p50) beside it, "
            f"in {review.outcome_before} ms before; in sums {review.sums_beside} and {review.sums_before}."
        ),
        "",
        (
            f"{parked.parked} professionals parked, half behind ReTHUS, half behind all registries. Behind ReTHUS alone, new delegates get their "
            f"outcome in {parked.outcome_of_others} ms (p50) instead of {parked.outcome_of_others_before} ms. When all are back, ReTHUS gets "
            f"{parked.drained} calls in {parked.drain_seconds} s, at most {parked.peak_calls_per_second} in any second; {parked.still_waiting} still "
            f"wait. At {HANDED_OUT_PER_SECOND:g} calls a second the arithmetic says {parked.arithmetic_seconds:.0f} s, and "
            f"{10_000 / HANDED_OUT_PER_SECOND / 60:.0f} minutes for 10,000. Submissions turned away (503) and repeated: {results['turned_away']}."
        ),
        "",
        "| target | measured | bound | met |",
        "|---|---:|---:|---|",
        *(report.target_row(target) for target in growth_targets(levels, review)),
    ]
    return "\n".join(lines)


def growth_targets(levels: Sequence[Level], review: Review) -> list[report.Target]:
    """What must hold however many wait: the last level beside the first."""
    first, last = levels[0], levels[-1]
    beside = round(ratio(last.outcome_in_sums, first.outcome_in_sums), 2)
    reviewed = round(ratio(review.sums_beside, review.sums_before), 2)
    memory = round(ratio(last.worker_memory, first.worker_memory), 2)
    measured = {
        f"outcome in sums, {last.waiting} waiting beside {first.waiting}, times": (beside, MOST_GROWTH),
        "worker memory, the same, times": (memory, MOST_GROWTH),
        "slowest status page, p95 in ms": (max(item.status_page for item in levels), MOST_PAGE_MS),
        "slowest support search, p95 in ms": (max(item.support_search for item in levels), MOST_PAGE_MS),
        f"outcome in sums beside a review of {review.profiles}, times": (reviewed, MOST_GROWTH),
    }
    return [report.at_most(name, value, bound) for name, (value, bound) in measured.items()]


def _rows(value: object) -> list[dict[str, Any]]:
    return value if isinstance(value, list) else []


def _ms(times: Sequence[float]) -> float:
    return round(median(times) * 1000, 2)


def _say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    """Measure and print; only the default levels reach the documentation."""
    take_none("python -m bench.growth", __doc__)
    results = asyncio.run(measure())
    print(growth_table(results))
    if "BENCH_WAITING" in os.environ:
        return
    page = report.PAGE.read_text(encoding="utf-8")
    report.PAGE.write_text(report.with_block(page, "growth", growth_table(results)), encoding="utf-8")
    print(report.keep_plain(results, "growth"))


if __name__ == "__main__":
    main()
