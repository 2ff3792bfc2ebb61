"""Fields of the registries' answers.

Harmless dirt is read, what is unknown or impossible is a fault.

The message of a ValueError states a fault: it names the kind of fault and never the value.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

from mipres.domain.addresses import usable_address
from mipres.domain.identifiers import folded_words, has_control_character, visible

MAX_TEXT: Final = 200
_DAY: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?", re.ASCII
)
_T = TypeVar("_T")


class RegistryModel(BaseModel):
    """Base of the registries' answers.

    Unknown fields are ignored: registries may add some.
    """

    # Pydantic would print the person's data into the error otherwise.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


def fault(kind: str) -> PydanticCustomError:
    """The error of a field that cannot be read; support sees its `kind`."""
    return PydanticCustomError("registry_fault", "{kind}", {"kind": kind})


def as_text(value: object) -> str:
    """Read a text, or a number instead of one; what is missing is empty."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise fault("not a text")
    text = visible(str(value))
    if has_control_character(text):
        raise fault("control character")
    if len(text) > MAX_TEXT:
        raise fault("too long")
    return " ".join(text.split())


def as_needed_text(value: object) -> str:
    """Read a text that a rule needs."""
    text = as_text(value)
    if not text:
        raise fault("missing")
    return text


def as_optional_text(value: object) -> str:
    """Read a text that no rule needs: what is no text is empty."""
    return as_text(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def as_aside(value: object) -> str:
    """Read what is kept for support only, and drop what cannot be read."""
    text = value if isinstance(value, str) and not has_control_character(value) else ""
    return " ".join(visible(text).split())[:MAX_TEXT]


def as_address(value: object) -> str:
    """Read the one usable address, or empty.

    That is the person's to correct, not the registry's operator's.
    """
    return (usable_address(value) or "") if isinstance(value, str) else ""


def as_day(value: object) -> date:
    """Read a day that is written as year-month-day, with or without a time behind.

    Pydantic alone would read a number as seconds since 1970, and a sanction would be over.
    """
    if not isinstance(value, str) or not (found := _DAY.fullmatch(visible(value))):
        raise fault("missing" if value in (None, "") else "not a day")
    try:
        return date.fromisoformat(found[1])
    except ValueError:
        raise fault("not a day") from None


def as_last_day(value: object) -> date | None:
    """Read a day that may be open."""
    return None if value is None or (isinstance(value, str) and not visible(value)) else as_day(value)


def one_of(spellings: Mapping[_T, tuple[str, ...]]) -> Callable[[object], _T]:
    """Read one of the known values, by any of its spellings."""
    known = {folded_words(spelling): value for value, words in spellings.items() for spelling in words}

    def read(value: object) -> _T:
        text = as_needed_text(value)
        if folded_words(text) not in known:
            raise fault("unknown value")
        return known[folded_words(text)]

    return read


def as_rows(value: object) -> object:
    """Read a list; null is an empty one, and rows that say nothing are none."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise fault("not a list")
    return [row for row in value if not _says_nothing(row)]


def _says_nothing(row: Any) -> bool:
    if isinstance(row, dict):
        return all(_says_nothing(value) for value in row.values())
    return row is None or (isinstance(row, str) and not visible(row)) or row == []


Text = Annotated[str, BeforeValidator(as_text)]
NeededText = Annotated[str, BeforeValidator(as_needed_text)]
OptionalText = Annotated[str, BeforeValidator(as_optional_text)]
Aside = Annotated[str, BeforeValidator(as_aside)]
MailAddress = Annotated[str, BeforeValidator(as_address)]
Day = Annotated[date, BeforeValidator(as_day)]
LastDay = Annotated[date | None, BeforeValidator(as_last_day)]
