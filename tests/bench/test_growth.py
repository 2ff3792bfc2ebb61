"""What `make bench-growth` says of its figures, and the rows that it makes up."""

import dataclasses
from typing import Any

import asyncpg
import pytest

from bench.growth import Level, Parked, Review, growth_table, growth_targets
from bench.made_up import ROWS

REVIEW = Review(profiles=2000, outcome_before=40, outcome_beside=42, sums_before=20, sums_beside=21)
PARKED = Parked(
    parked=600,
    outcome_of_others_before=40,
    outcome_of_others=41,
    drained=600,
    drain_seconds=140,
    peak_calls_per_second=5,
    still_waiting=0,
)
FIRST = Level(
    waiting=1000,
    real=1000,
    worker_memory=200,
    outcome=40,
    arithmetic=2,
    status_page=10,
    support_search=9,
)


def beside(**changes: Any) -> list[str]:
    """The targets that are missed when the last level differs from the first."""
    last = dataclasses.replace(FIRST, waiting=200_000, **changes)
    return [target.name for target in growth_targets([FIRST, last], REVIEW) if not target.is_met]


@pytest.mark.parametrize(
    "changes", [{"outcome": 45}, {"worker_memory": 230}, {"status_page": 51}, {"support_search": 51}]
)
def test_what_grows_with_those_who_wait_misses_its_target(changes: dict[str, float]) -> None:
    assert len(beside(**changes)) == 1


def test_a_machine_that_is_slower_is_no_growth() -> None:
    assert beside(outcome=80, arithmetic=4) == []


def test_a_review_that_slows_newcomers_misses_its_target() -> None:
    [missed] = [
        target.name
        for target in growth_targets([FIRST], dataclasses.replace(REVIEW, sums_beside=23))
        if not target.is_met
    ]
    assert "review of 2000" in missed


def test_the_table_says_what_the_arithmetic_says() -> None:
    results = {
        "levels": [dataclasses.asdict(FIRST)],
        "review": dataclasses.asdict(REVIEW),
        "parked": dataclasses.asdict(PARKED),
        "turned_away": 0,
    }
    table = growth_table(results)
    assert "600 calls in 140 s" in table
    assert "arithmetic says 133 s" in table
    assert "37 minutes for 10,000" in table


async def test_the_rows_of_those_who_wait_fit_the_schema(database_url: str) -> None:
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""), ssl=False)
    for statement in ROWS:
        await connection.execute(statement, 1, 20)
    open_links = await connection.fetchval("SELECT count(*) FROM password_links WHERE closed_at IS NULL")
    await connection.close()
    assert open_links == 20
