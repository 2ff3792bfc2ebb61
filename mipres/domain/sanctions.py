"""Which kinds of sanctions keep a professional from registering."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

from mipres.domain.errors import UnusableTableError
from mipres.domain.identifiers import folded_words, has_lost_letters
from mipres.domain.professions import yes_or_no

SHIPPED_SANCTIONS = Path(__file__).with_name("sanctions.toml")


@dataclass(frozen=True, kw_only=True)
class SanctionTable:
    """The kinds of sanctions by folded spelling."""

    by_spelling: Mapping[str, bool]

    @classmethod
    def read(cls, file: Path = SHIPPED_SANCTIONS) -> Self:
        """Read a table.

        Raises:
            UnusableTableError: the file cannot be read, or is not such a table.
        """
        try:
            rows = tomllib.loads(file.read_text(encoding="utf-8"))["kind"]
            return cls(
                by_spelling={
                    folded_words(spelling): yes_or_no(row["bars"])
                    for row in rows
                    for spelling in (row["name"], *row.get("spellings", ()))
                }
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnusableTableError(file, type(error).__name__) from error

    def bars(self, kind: str) -> bool | None:
        """Whether a sanction of this kind bars while it is in force.

        A kind that is not in the table does. None where it lost some of its letters: it may be one that does not.
        """
        return self.by_spelling.get(folded_words(kind), None if has_lost_letters(kind) else True)


@cache
def shipped_sanctions() -> SanctionTable:
    """The table that comes with the product."""
    return SanctionTable.read()
