"""Runs of the contenders, one after the other and again: A B C D, A B C D."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.http import UnexpectedAnswerError
from bench.visits import Timed

FLOOR, OURS, NAIVE, PEER = "floor", "ours", "naive", "peer"
ROUND_SECONDS = 40.0
"""A round that takes longer is given up, so that the whole command ends."""

_REASON = 100
"""Characters of an answer that was not expected: its status and title."""

Register = Callable[[], Awaitable[Timed]]
Visitors = Callable[[int, int], Awaitable[Sequence[Register]]]
"""Prepares so many visitors with so many registrations before them.

Each call registers the next person.
"""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One way of doing a registration."""

    name: str
    prepare: Visitors


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one contender did in one round. Times are in seconds.

    Attributes:
        late: How many were answered with "in progress" first.
        failures: How many were not done at all.
        reasons: What came instead of those, as far as anything came.
    """

    elapsed: float
    outcomes: tuple[float, ...]
    wholes: tuple[float, ...]
    failures: int
    late: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        return len(self.wholes) / self.elapsed


async def run_round(contender: Contender, *, concurrency: int, count: int) -> Round:
    """So many registrations by so many visitors at once, one after the other."""
    visitors = await contender.prepare(concurrency, count)
    done: list[Timed] = []
    reasons = Counter[str]()
    left = iter(range(count))

    async def drive(register: Register) -> None:
        for _ in left:
            try:
                done.append(await register())
            except UnexpectedAnswerError as error:
                reasons[str(error)[:_REASON]] += 1

    began = time.perf_counter()
    driving = [asyncio.create_task(drive(register)) for register in visitors]
    finished, unfinished = await asyncio.wait(driving, timeout=ROUND_SECONDS)
    elapsed = time.perf_counter() - began
    for task in unfinished:
        task.cancel()
    await asyncio.gather(*unfinished, return_exceptions=True)
    for task in finished:
        task.result()
    return Round(
        elapsed=elapsed,
        outcomes=tuple(item.outcome for item in done),
        wholes=tuple(item.whole for item in done),
        failures=reasons.total() + len(unfinished),
        late=sum(item.late for item in done),
        reasons=dict(reasons),
    )


async def interleave(
    contenders: Sequence[Contender],
    *,
    concurrency: int,
    count: int,
    rounds: int,
    deadline: float = math.inf,
    tell: Callable[[str], None] = lambda _: None,
) -> Mapping[str, list[Round]]:
    """Rounds by contender. The first, which warms caches and pools, is not kept.

    Args:
        contenders: In the order of each round.
        concurrency: Visitors at once.
        count: Registrations of one contender in one round.
        rounds: How many are kept.
        deadline: When, by `time.monotonic`, no further round begins once one has been kept.
        tell: Hears of every round.
    """
    kept: dict[str, list[Round]] = {contender.name: [] for contender in contenders}
    for number in range(rounds + 1):
        if number > 1 and time.monotonic() > deadline:
            break
        for contender in contenders:
            size = count if number else max(concurrency, count // 4)
            measured = await run_round(contender, concurrency=concurrency, count=size)
            tell(
                f"{concurrency:>3} {contender.name:<6} {measured.per_second:7.1f}/s"
                f" late {measured.late} failures {measured.failures}{'' if number else ' (warm-up)'}"
                f"{''.join(f'; {many} × {reason}' for reason, many in measured.reasons.items())}"
            )
            if number:
                kept[contender.name].append(measured)
    return kept
