"""The short version of `make chaos`.

Every part is killed once; support cancels, and people press twice.
"""

import re

import pytest

from dev.chaos.disturbances import ACTS, ROWS
from dev.chaos.matrix import Verdict, diagonal, summary, table
from dev.chaos.steps import STEPS
from tests.dev.programs import printed_by

MOST_SECONDS = 240


async def test_whatever_is_killed_nobody_is_lost_or_doubled() -> None:
    output = await printed_by("dev.chaos", "--only", "small", within=MOST_SECONDS)
    assert "11 casos, 22 personas: 0 perdidas, 0 duplicadas, " in output
    assert len(re.findall(r"0/0 ×[12]", output)) == len(diagonal()), output
    assert len(re.findall(r"^(cancelar|doble clic) .*0/0 ×1", output, re.MULTILINE)) == len(ACTS), output


def test_the_short_version_has_every_row_and_knows_its_steps() -> None:
    assert {row for row, _ in diagonal()} == set(ROWS)
    assert {step for _, step in diagonal()} <= set(STEPS)


def verdict(row: str = "worker", **findings: int) -> Verdict:
    clean = {"lost": 0, "doubled": 0, "mailed_twice": 0, "copies": 1}
    return Verdict(row=row, step="ReTHUS", seconds=12.4, **(clean | findings))


@pytest.mark.parametrize("findings", [{"lost": 1}, {"doubled": 1}, {"copies": 3}])
def test_a_bad_verdict_is_told(findings: dict[str, int]) -> None:
    assert verdict().is_good
    assert verdict(copies=2).is_good
    assert not verdict("worker", **findings).is_good


@pytest.mark.parametrize("row", ACTS)
def test_where_nothing_is_killed_no_mail_comes_twice(row: str) -> None:
    assert verdict(row).is_good
    assert not verdict(row, copies=2).is_good


def test_the_table_shows_what_ran_and_what_did_not() -> None:
    found = [verdict(lost=1, mailed_twice=1, copies=2)]
    worker = next(line for line in table(found).splitlines() if line.startswith("worker"))
    assert worker.split() == ["worker", "-", "1/0", "×2", "12", "s", *["-"] * 8]
    assert summary(found) == "1 casos, 2 personas: 1 perdidas, 0 duplicadas, 1 con un correo repetido."
