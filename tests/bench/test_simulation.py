"""The opening day adds up."""

import json
import math
from pathlib import Path

from bench.report import with_block
from bench.simulation import (
    DEPLOYMENT_PAGE,
    Day,
    always_slow,
    arrivals,
    live,
    processes,
    sizing_table,
)

ROOT = Path(__file__).parents[2]


def test_everybody_comes_once() -> None:
    assert round(sum(arrivals(1_000_000))) == 1_000_000


def test_with_quick_registries_nobody_waits() -> None:
    outcome = live(Day(registrations=240_000, capacity=lambda _: math.inf))
    assert (outcome.most_waiting, outcome.longest_wait_minutes, outcome.done) == (0, 0, 240_000)


def test_a_registry_that_is_away_for_an_hour_makes_whoever_came_first_wait_that_hour() -> None:
    outcome = live(Day(registrations=240_000, capacity=lambda minute: 0 if minute < 60 else math.inf))
    assert outcome.longest_wait_minutes == 60
    assert outcome.most_waiting == round(sum(arrivals(240_000)[:60]))
    assert outcome.done == 240_000


def test_five_calls_a_second_let_432_000_pass_a_day_and_no_more() -> None:
    outcome = live(Day(registrations=10_000_000, capacity=always_slow))
    assert outcome.done <= 5 * 24 * 60 * 60
    assert outcome.most_waiting + outcome.done <= 10_000_000


def test_processes_are_counted_by_the_work_and_never_one_alone() -> None:
    assert processes(1, 1) == 2
    assert processes(60, 30) == 3


def test_the_committed_sizing_is_that_of_the_committed_results() -> None:
    kept = json.loads((ROOT / "bench" / "results" / "bench.json").read_text(encoding="utf-8"))
    page = DEPLOYMENT_PAGE.read_text(encoding="utf-8")
    assert with_block(page, "simulation", sizing_table(kept["cost"])) == page
