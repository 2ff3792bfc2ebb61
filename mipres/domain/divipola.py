"""Departments and municipalities of Colombia.

DANE's DIVIPOLA, vendored in divipola.csv.

docs/data-sources.md says where the table comes from and how to bring in a newer edition.
"""

import csv
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

_DEPARTMENT_CODE_LENGTH = 2
# DANE renumbered these; the ministry's copies keep the older code. docs/data-sources.md has the sources.
_OLDER_CODES: Final = {"27493": "27086", "94885": "94663"}
_CURRENT_CODES: Final = {older: current for current, older in _OLDER_CODES.items()}


@dataclass(frozen=True, kw_only=True)
class Department:
    """One of the 32 departments, or Bogotá D.C., which DANE codes as one."""

    code: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Municipality:
    """A municipality, a non-municipalised area or the island of San Andrés.

    What people choose as municipio.
    """

    code: str
    name: str
    department_code: str


def departments() -> tuple[Department, ...]:
    """All departments, in Spanish alphabetical order."""
    return _departments()


def municipalities(department_code: str) -> tuple[Municipality, ...]:
    """The municipalities of a department, in Spanish alphabetical order.

    None if there is no such department.
    """
    return _municipalities_by_department().get(department_code, ())


def is_municipality_of(municipality: str, department: str) -> bool:
    """Whether the code of a municipality belongs to the code of a department."""
    found = _municipalities_by_code().get(municipality)
    return found is not None and found.department_code == department


def current_code(municipality: str) -> str:
    """The code that this table has for a municipality, also for an older one."""
    return _CURRENT_CODES.get(municipality, municipality)


def codes_of(municipality: str) -> tuple[str, ...]:
    """Every code by which a registry may know a municipality, the current one first."""
    current = current_code(municipality)
    return (current, _OLDER_CODES[current]) if current in _OLDER_CODES else (current,)


def department_of(municipality: str) -> str:
    """Code of the department that a municipality's code begins with."""
    return municipality[:2]


def department_name(code: str) -> str:
    """Name of a department; KeyError if DIVIPOLA has no such code."""
    return {department.code: department.name for department in departments()}[code]


def municipality_name(code: str) -> str:
    """Name of a municipality; KeyError if DIVIPOLA has no such code."""
    return _municipalities_by_code()[current_code(code)].name


def municipality_and_department(code: str) -> str:
    """`Medellín, Antioquia`; KeyError if DIVIPOLA has no such code."""
    name, department = municipality_name(code), department_name(code[:_DEPARTMENT_CODE_LENGTH])
    return name if name == department else f"{name}, {department}"


@cache
def _names_by_code() -> Mapping[str, str]:
    source = resources.files("mipres.domain").joinpath("divipola.csv")
    rows = csv.DictReader(source.read_text(encoding="utf-8").splitlines())
    return {row["code"]: row["name"] for row in rows}


@cache
def _departments() -> tuple[Department, ...]:
    found = (
        Department(code=code, name=name)
        for code, name in _names_by_code().items()
        if len(code) == _DEPARTMENT_CODE_LENGTH
    )
    return tuple(sorted(found, key=lambda department: _alphabetical(department.name)))


@cache
def _municipalities_by_code() -> Mapping[str, Municipality]:
    return {
        code: Municipality(code=code, name=name, department_code=code[:_DEPARTMENT_CODE_LENGTH])
        for code, name in _names_by_code().items()
        if len(code) > _DEPARTMENT_CODE_LENGTH
    }


@cache
def _municipalities_by_department() -> Mapping[str, tuple[Municipality, ...]]:
    in_order = sorted(_municipalities_by_code().values(), key=lambda item: _alphabetical(item.name))
    return {
        department.code: tuple(item for item in in_order if item.department_code == department.code)
        for department in departments()
    }


def _alphabetical(name: str) -> str:
    # Accents do not count in Spanish order, but ñ is a letter of its own after n; "~" sorts after every letter.
    with_own_letter = name.casefold().replace("ñ", "n~")
    decomposed = unicodedata.normalize("NFD", with_own_letter)
    return "".join(char for char in decomposed if not unicodedata.combining(char))
