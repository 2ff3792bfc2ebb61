"""Fields of the registries' answers.

Harmless dirt is read, what is unknown or impossible is a fault.

The message of a ValueError states a fault: it names the kind of fault and never the value.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

from mipres.domain.addresses import usable_address
from mipres.domain.eligibility import today_in_bogota
from mipres.domain.identifiers import folded_words, has_control_character, visible

MAX_TEXT: Final = 200
_DAY: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:Z|[+-]\d{2}(?::?\d{2})?)?)?",
    re.ASCII | re.IGNORECASE,
)
# What other systems write for a day that they do not have: 0001-01-01, 1899-12-30, 1900-01-01, 1970-01-01.
_LATEST_EMPTY_DAY: Final = date(1970, 1, 1)
_OF_A_SPREADSHEET: Final = re.compile(r"^(\d+)\.00?$", re.ASCII)
_T = TypeVar("_T")


class RegistryModel(BaseModel):
    """Base of the registries' answers.

    Unknown fields are ignored: registries may add some.
    """

    # Pydantic would print the person's data into the error otherwise.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


TWO_VALUES: Final = object()
"""Stands for two different values under one name."""


def fault(kind: str) -> PydanticCustomError:
    """The error of a field that cannot be read; support sees its `kind`."""
    return PydanticCustomError("registry_fault", "{kind}", {"kind": kind})


def as_text(value: object) -> str:
    """Read a text; what is missing is empty.

    A number is a text already: `RegistryClient` reads it so. `1020304050.0` as a text is what a spreadsheet makes of one.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _misfit(value, "not a text")
    text = visible(value)
    if has_control_character(text):
        raise fault("control character")
    if len(text) > MAX_TEXT:
        raise fault("too long")
    return _OF_A_SPREADSHEET.sub(r"\1", " ".join(text.split()))


def as_needed_text(value: object) -> str:
    """Read a text that a rule needs."""
    text = as_text(value)
    if not text:
        raise fault("missing")
    return text


def as_optional_text(value: object) -> str:
    """Read a text that no rule needs: what is no text is empty."""
    return as_text(value) if isinstance(value, str) else ""


def as_label(value: object) -> str:
    """Read the name or code of a thing, which no rule needs.

    The end of a long one is left out.
    """
    return as_optional_text(visible(value)[:MAX_TEXT] if isinstance(value, str) else value)


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

    Pydantic alone would read a number as seconds since 1970, and a sanction would be over. A moment of another
    time zone is the day that it was in Colombia; midnight in any zone only says which day is meant.
    """
    if value is None or (isinstance(value, str) and not visible(value)):
        raise fault("missing")
    if not isinstance(value, str) or not _DAY.fullmatch(visible(value)):
        raise _misfit(value, "not a day")
    try:
        moment = datetime.fromisoformat(visible(value).upper())
        return moment.date() if moment.tzinfo is None or moment.time() == time() else today_in_bogota(moment)
    except (ValueError, OverflowError):
        raise fault("not a day") from None


def as_first_day(value: object) -> date:
    """Read a day on which something begins, never the calendar's last one."""
    day = as_day(value)
    if day == date.max:
        raise fault("stands for no day")
    return day


def as_known_last_day(value: object) -> date:
    """Read the day on which something ends."""
    day = as_day(value)
    if day <= _LATEST_EMPTY_DAY:
        raise fault("stands for no day")
    return day


def as_last_day(value: object) -> date | None:
    """Read a day that may be open.

    The calendar's last one is how other systems write that.
    """
    if value is None or (isinstance(value, str) and not visible(value)):
        return None
    day = as_known_last_day(value)
    return None if day == date.max else day


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
        raise _misfit(value, "not a list")
    return [row for row in value if not _says_nothing(row)]


def _misfit(value: object, kind: str) -> PydanticCustomError:
    return fault("two values" if value is TWO_VALUES else kind)


def _says_nothing(row: Any) -> bool:
    if isinstance(row, dict):
        return all(_says_nothing(value) for value in row.values())
    return row is None or (isinstance(row, str) and not visible(row)) or row == []


Text = Annotated[str, BeforeValidator(as_text)]
NeededText = Annotated[str, BeforeValidator(as_needed_text)]
OptionalText = Annotated[str, BeforeValidator(as_optional_text)]
Label = Annotated[str, BeforeValidator(as_label)]
Aside = Annotated[str, BeforeValidator(as_aside)]
MailAddress = Annotated[str, BeforeValidator(as_address)]
Day = Annotated[date, BeforeValidator(as_day)]
FirstDay = Annotated[date, BeforeValidator(as_first_day)]
KnownLastDay = Annotated[date, BeforeValidator(as_known_last_day)]
LastDay = Annotated[date | None, BeforeValidator(as_last_day)]
