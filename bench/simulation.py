"""A country-wide opening day, minute by minute: `python -m bench.simulation`.

A queue with the measured costs: how many come, how many the registries let pass, how long the last one waits,
and how many processors that takes.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench import report
from bench.rounds import OURS
from mipres.arguments import take_none

MINUTES = 24 * 60
DEPLOYMENT_PAGE = report.ROOT / "docs" / "deployment.md"
# Shares of a day by hour, as offices work: little at night, most before and after noon.
HOURS = (1, 1, 1, 1, 1, 2, 4, 8, 14, 16, 15, 12, 8, 10, 14, 13, 11, 8, 6, 5, 4, 3, 2, 1)
REGISTRATIONS = 1_000_000
CALLS_A_REGISTRATION = 1.0
"""Of each registry that is asked; the slowest is what holds people back."""
SLOW_CALLS_PER_SECOND = 5.0
SLOW_HOURS = (9, 11)
BUSY_SHARE = 0.6
"""How busy a processor may be on average before people wait for it."""


@dataclass(frozen=True, kw_only=True)
class Day:
    """What the day asks for.

    Attributes:
        capacity: Calls a second that a registry takes, by minute; infinity for as many as asked.
    """

    registrations: int
    capacity: Callable[[int], float]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the day was like.

    Attributes:
        peak_per_second: Registrations that came in the busiest minute.
        most_waiting: Registrations behind the registry at once.
        longest_wait_minutes: Of the person who came at the worst moment.
        done: Registrations that passed within the day.
    """

    peak_per_second: float
    most_waiting: int
    longest_wait_minutes: int
    done: int


def arrivals(registrations: int) -> list[float]:
    """Registrations by minute; they sum up to the day's."""
    weight = sum(HOURS)
    return [registrations * HOURS[minute // 60] / weight / 60 for minute in range(MINUTES)]


def live(day: Day) -> Outcome:
    """Let the day go by."""
    came = arrivals(day.registrations)
    waiting, done, most = 0.0, 0.0, 0.0
    arrived_by, passed_by = [], []
    for minute, new in enumerate(came):
        waiting += new
        passed = min(waiting, day.capacity(minute) * 60 / CALLS_A_REGISTRATION)
        waiting -= passed
        done += passed
        most = max(most, waiting)
        arrived_by.append(waiting + done)
        passed_by.append(done)
    return Outcome(
        peak_per_second=round(max(came) / 60, 1),
        most_waiting=round(most),
        longest_wait_minutes=_longest_wait(arrived_by, passed_by),
        done=round(done),
    )


def _longest_wait(arrived_by: Sequence[float], passed_by: Sequence[float]) -> int:
    """First come, first served: when as many have passed as had come when one arrived."""
    longest, passing = 0, 0
    for minute, arrived in enumerate(arrived_by):
        passing = max(passing, minute)
        while passing < len(passed_by) and passed_by[passing] < arrived - 1e-6:
            passing += 1
        longest = max(longest, passing - minute)
    return longest


def slow_registries(minute: int) -> float:
    """5 calls a second for two hours of the morning, as quick as asked otherwise."""
    return SLOW_CALLS_PER_SECOND if SLOW_HOURS[0] <= minute // 60 < SLOW_HOURS[1] else math.inf


def always_slow(_minute: int) -> float:
    return SLOW_CALLS_PER_SECOND


def all_quick(_minute: int) -> float:
    return math.inf


def processes(milliseconds: float, per_second: float) -> int:
    """Processes of one processor each for so much work a registration."""
    return max(2, math.ceil(milliseconds / 1000 * per_second / BUSY_SHARE))


def sizing_table(cost: Mapping[str, Any]) -> str:
    """The day under three registries, and what has to run at its peak."""
    names = {
        "as quick as asked": all_quick,
        "5 calls/s from 9 to 11": slow_registries,
        "5 calls/s all day": always_slow,
    }
    outcomes = {
        name: live(Day(registrations=REGISTRATIONS, capacity=capacity)) for name, capacity in names.items()
    }
    lines = [
        "| the registries | come at the peak | wait at most at once | longest wait | done within the day |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {name} | {item.peak_per_second}/s | {item.most_waiting:,} | {_wait(item)} | {item.done:,} |"
        for name, item in outcomes.items()
    ]
    peak = outcomes["as quick as asked"].peak_per_second
    spent: Mapping[str, float] = cost["processor_ms"]
    history = cost["histories"][OURS]
    lines += [
        "",
        f"| part | processor time a registration | processes at {peak}/s, {BUSY_SHARE:.0%} busy |",
        "|---|---:|---:|",
    ]
    lines += [
        f"| {part} | {spent[part]} ms | {processes(spent[part], peak)} |"
        for part in ("api", "worker", "temporal", "postgres")
        if part in spent
    ]
    gigabytes = history["history_bytes"] * REGISTRATIONS / 1e9
    actions = history["billed"] * REGISTRATIONS / 1e6
    return "\n".join(
        [
            *lines,
            "",
            f"Histories of the day: {gigabytes:.1f} GB. Temporal Cloud actions: {actions:.0f} million.",
        ]
    )


def _wait(item: Outcome) -> str:
    if item.done < REGISTRATIONS:
        return "beyond the day"
    hours, minutes = divmod(item.longest_wait_minutes, 60)
    return f"{hours} h {minutes:02} min"


def publish() -> str:
    """Put the table that follows from the kept results into the documentation.

    The table.
    """
    kept = json.loads((report.RESULTS / "bench.json").read_text(encoding="utf-8"))
    table = sizing_table(kept["cost"])
    page = DEPLOYMENT_PAGE.read_text(encoding="utf-8")
    DEPLOYMENT_PAGE.write_text(report.with_block(page, "simulation", table), encoding="utf-8")
    return table


if __name__ == "__main__":
    take_none("python -m bench.simulation", __doc__)
    print(publish())
