"""Who may register: decisions over what the registries say. `today` is the calendar date in Bogotá."""

import unicodedata
from datetime import date, datetime
from zoneinfo import ZoneInfo

from mipres.domain.outcomes import Refusal
from mipres.domain.people import PRESCRIBING_PROFESSIONS, HealthProfessional, Placement, Profession

BOGOTA = ZoneInfo("America/Bogota")


def today_in_bogota(now: datetime) -> date:
    return now.astimezone(BOGOTA).date()


def has_ended(last_day: date | None, *, today: date) -> bool:
    """Whether what lasts until a day, that day included, is over. Without a last day it never is."""
    return last_day is not None and last_day < today


def may_prescribe(profession_name: str) -> bool:
    return _folded(profession_name) in PRESCRIBING_PROFESSIONS


def find_profession(professional: HealthProfessional, registration: str) -> Profession | None:
    """The person's profession with this registration number; punctuation and case do not count."""
    wanted = _alphanumeric(registration)
    matches = [item for item in professional.professions if _alphanumeric(item.registration) == wanted]
    # One number may be written for two professions; the one that may prescribe is the one meant.
    return next((item for item in matches if may_prescribe(item.name)), matches[0] if matches else None)


def professional_refusal(
    professional: HealthProfessional | None, *, registration: str, today: date
) -> Refusal | None:
    """Refusal of a Profesional de la Salud, or None when the person may register."""
    if professional is None:
        return Refusal.NOT_IN_RETHUS
    profession = find_profession(professional, registration)
    if profession is None:
        return Refusal.NOT_IN_RETHUS
    if any(sanction.in_force(today) for sanction in professional.sanctions):
        return Refusal.SANCTIONED
    return None if may_prescribe(profession.name) else Refusal.PROFESSION_NOT_AUTHORIZED


def social_service_refusal(placement: Placement | None, *, today: date) -> Refusal | None:
    """Refusal of a Servicio Social Obligatorio: a placement in force today, in a profession that prescribes."""
    if placement is None or not placement.in_force(today):
        return Refusal.NOT_IN_SSO
    return None if may_prescribe(placement.profession) else Refusal.PROFESSION_NOT_AUTHORIZED


def other_user_refusal(professional: HealthProfessional | None) -> Refusal | None:
    """Refusal of an Otro Usuario: those who may prescribe register as professionals instead."""
    if professional is not None and any(may_prescribe(item.name) for item in professional.professions):
        return Refusal.PROFESSION_NOT_AUTHORIZED
    return None


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(char for char in decomposed if not unicodedata.combining(char)).split())


def _alphanumeric(text: str) -> str:
    return "".join(char for char in text.upper() if char.isalnum())
