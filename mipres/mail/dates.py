"""Dates as people in Colombia read them."""

from datetime import date, datetime

from mipres.domain.eligibility import BOGOTA

_MONTHS = (
    "enero", "febrero", "marzo", "abril", "mayo", "junio",
    "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre",
)  # fmt: skip
_NOON = 12


def long_date(day: date) -> str:
    """`23 de noviembre de 2026`."""
    return f"{day.day} de {_MONTHS[day.month - 1]} de {day.year}"


def long_date_time(moment: datetime) -> str:
    """`23 de noviembre de 2026 a las 6:05 p. m. (hora de Colombia)`."""
    local = moment.astimezone(BOGOTA)
    half = "a. m." if local.hour < _NOON else "p. m."
    hour = local.hour % _NOON or _NOON
    at = "a la" if hour == 1 else "a las"
    return f"{long_date(local.date())} {at} {hour}:{local.minute:02} {half} (hora de Colombia)"
