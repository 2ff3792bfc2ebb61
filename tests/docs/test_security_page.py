"""Check that the security page has every requirement, and that its tests exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "security.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([A-Z]-?\d+) \| (\w+) \| (.+) \|$", PAGE, re.MULTILINE)
NAMED = re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)
REQUIREMENTS = {
    "V": 10,
    "C": 7,
    "E": 7,
    "R": 8,
    "T": 11,
    "P": 11,
    "S": 7,
    "M-": 4,
    "L": 2,
    "H": 3,
    "A": 5,
    "K": 2,
    "D": 1,
    "Z": 8,
    "X": 2,
}


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, functions))


def test_every_requirement_has_its_row() -> None:
    wanted = [f"{chapter}{number + 1}" for chapter, most in REQUIREMENTS.items() for number in range(most)]
    assert [row[0] for row in ROWS] == wanted


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED)))
def test_every_test_that_is_named_exists(path: str, name: str) -> None:
    assert name.startswith("test_")
    assert name in names_in(path)


@pytest.mark.parametrize(("number", "holds", "proof"), ROWS, ids=[row[0] for row in ROWS])
def test_what_holds_is_proved_and_what_does_not_is_explained(number: str, holds: str, proof: str) -> None:
    words = re.sub(r"`[^`]+`", "", proof).split()
    assert holds in {"yes", "partly", "no"}
    if holds == "yes":
        assert re.search(r"\.py::test_", proof), number
    else:
        assert len(words) >= 8, number
