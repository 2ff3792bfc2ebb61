"""The professions that prescribe in MIPRES, with their codes and spellings."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Self

from mipres.domain.errors import UnusableTableError
from mipres.domain.identifiers import folded_code, folded_words, has_lost_letters

SHIPPED_PROFESSIONS = Path(__file__).with_name("professions.toml")


class Prescribing(StrEnum):
    """What the table knows of a profession.

    Attributes:
        YES: It is one of those that prescribe.
        NO: It is known not to prescribe, or resembles none that does.
        UNCERTAIN: The table does not know it, and it resembles one that prescribes.
        UNTOLD: It has no name that can be read, and no code that the table knows.
    """

    YES = "yes"
    NO = "no"
    UNCERTAIN = "uncertain"
    UNTOLD = "untold"


def yes_or_no(value: object) -> bool:
    """A table's yes or no: the text "false" would count as yes otherwise."""
    if not isinstance(value, bool):
        raise TypeError("neither true nor false")
    return value


@dataclass(frozen=True, kw_only=True)
class ProfessionTable:
    """The professions by folded spelling and by code."""

    by_spelling: Mapping[str, bool]
    by_code: Mapping[str, bool]
    resembling: tuple[str, ...]
    other_levels: frozenset[str]
    placeholders: frozenset[str]

    @classmethod
    def read(cls, file: Path = SHIPPED_PROFESSIONS) -> Self:
        """Read a table.

        Raises:
            UnusableTableError: the file cannot be read, or is not such a table.
        """
        try:
            table = tomllib.loads(file.read_text(encoding="utf-8"))
            rows = [(yes_or_no(row["prescribes"]), row) for row in table["profession"]]
            return cls(
                by_spelling={
                    folded_words(spelling): prescribes
                    for prescribes, row in rows
                    for spelling in (row["name"], *row.get("spellings", ()))
                },
                by_code={
                    folded_code(code): prescribes for prescribes, row in rows for code in row.get("codes", ())
                },
                resembling=tuple(folded_words(root) for root in table["resembling"]),
                other_levels=frozenset(folded_words(word) for word in table["other_levels"]),
                placeholders=frozenset(folded_words(words) for words in table.get("placeholders", ())),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnusableTableError(file, type(error).__name__) from error

    def knows(self, name: str, *, code: str = "") -> bool:
        """Whether the table has the profession itself, and not only a guess by its name."""
        spelling = self._spelling(name)
        return spelling in self.by_spelling or (not spelling and folded_code(code) in self.by_code)

    def prescribing(self, name: str, *, code: str = "") -> Prescribing:
        """Judge a profession by its name.

        By its code where the name is missing, unknown or without some of its letters.
        """
        spelling = self._spelling(name)
        known = self.by_spelling.get(spelling)
        if known is not None:
            return Prescribing.YES if known else Prescribing.NO
        by_code = self.by_code.get(folded_code(code))
        if not spelling or has_lost_letters(name):
            return {None: Prescribing.UNTOLD, True: Prescribing.YES, False: Prescribing.NO}[by_code]
        words = spelling.split()
        resembles = words[0] not in self.other_levels and any(
            word.startswith(self.resembling) for word in words
        )
        if resembles and by_code:
            return Prescribing.YES
        return Prescribing.UNCERTAIN if resembles or by_code else Prescribing.NO

    def _spelling(self, name: str) -> str:
        """The folded name; empty for what stands where a name is missing."""
        spelling = folded_words(name)
        is_name = any(char.isalpha() for char in spelling) and spelling not in self.placeholders
        return spelling if is_name else ""


@cache
def shipped_professions() -> ProfessionTable:
    """The table that comes with the product."""
    return ProfessionTable.read()
