"""Who may register: decisions over what the registries say.

`today` is the calendar date in Bogotá.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from mipres.domain.errors import RegistryUnavailableError
from mipres.domain.identifiers import folded_registration
from mipres.domain.outcomes import Refusal
from mipres.domain.people import HealthProfessional, Placement, Profession
from mipres.domain.professions import Prescribing, ProfessionTable, shipped_professions
from mipres.domain.sanctions import SanctionTable, shipped_sanctions

BOGOTA = ZoneInfo("America/Bogota")
_RETHUS = "rethus"
_SSO = "sso"
_UNTOLD = "professions: neither readable name nor known code"
_UNREADABLE_PLACEMENT = "profession: no readable name"
_UNREADABLE_KIND = "sanctions: no readable kind"


def today_in_bogota(now: datetime) -> date:
    return now.astimezone(BOGOTA).date()


def has_ended(last_day: date | None, *, today: date) -> bool:
    """Whether what lasts until a day, that day included, is over.

    Without a last day it never is.
    """
    return last_day is not None and last_day < today


@dataclass(frozen=True, kw_only=True)
class EligibilityRules:
    """The decisions that follow the tables of professions and of sanctions.

    Args:
        professions: Which professions prescribe.
        sanctions: Which sanctions bar.
    """

    professions: ProfessionTable = field(default_factory=shipped_professions)
    sanctions: SanctionTable = field(default_factory=shipped_sanctions)

    def find_profession(self, professional: HealthProfessional, registration: str) -> Profession | None:
        """The person's profession with this registration number, in any spelling."""
        wanted = folded_registration(registration)
        matches = [
            item
            for item in professional.professions
            if wanted and folded_registration(item.registration) == wanted
        ]
        # One number may be written for two professions; the one that prescribes is the one meant.
        return next(
            (item for item in matches if self._prescribing(item) is Prescribing.YES),
            matches[0] if matches else None,
        )

    def professional_refusal(
        self, professional: HealthProfessional | None, *, registration: str, today: date
    ) -> Refusal | None:
        """Refusal of a Profesional de la Salud, or None when the person may register.

        Raises:
            RegistryUnavailableError: the profession that was asked for, or what a sanction is, could not be read.
        """
        if professional is None:
            return Refusal.NOT_IN_RETHUS
        profession = self.find_profession(professional, registration)
        if profession is None:
            _check_readable(professional.hidden_registration)
            return Refusal.NOT_IN_RETHUS
        bars = self.bars_in_force(professional, today=today)
        if True in bars:
            return Refusal.SANCTIONED
        if None in bars:
            raise RegistryUnavailableError(_RETHUS, professional.unreadable_sanction or _UNREADABLE_KIND)
        prescribing = self._prescribing(profession)
        if prescribing is Prescribing.UNTOLD:
            raise RegistryUnavailableError(_RETHUS, _UNTOLD)
        return None if prescribing is Prescribing.YES else Refusal.PROFESSION_NOT_AUTHORIZED

    def bars_in_force(self, professional: HealthProfessional, *, today: date) -> set[bool | None]:
        """What the table of sanctions says of each that is in force today, or may be."""
        bars = {self.sanctions.bars(item.kind) for item in professional.sanctions if item.in_force(today)}
        return bars | {None} if professional.unreadable_sanction else bars

    def next_barred_day(self, professional: HealthProfessional, *, today: date) -> date | None:
        """The first day of the next sanction that bars and has been announced."""
        coming = (item.start for item in professional.sanctions if self.sanctions.bars(item.kind))
        return min((start for start in coming if start > today), default=None)

    def social_service_refusal(self, placement: Placement | None, *, today: date) -> Refusal | None:
        """Refusal of a Servicio Social Obligatorio.

        A placement in force today, in a profession that prescribes.

        Raises:
            RegistryUnavailableError: the profession could not be read.
        """
        if placement is None or not placement.in_force(today):
            return Refusal.NOT_IN_SSO
        prescribing = self.professions.prescribing(placement.profession)
        if prescribing is Prescribing.UNTOLD:
            raise RegistryUnavailableError(_SSO, _UNREADABLE_PLACEMENT)
        return None if prescribing is Prescribing.YES else Refusal.PROFESSION_NOT_AUTHORIZED

    def other_user_refusal(self, professional: HealthProfessional | None) -> Refusal | None:
        """Refusal of an Otro Usuario.

        A person whose profession prescribes, or might, registers as professional.

        Raises:
            RegistryUnavailableError: a profession could not be read, so it may be one that prescribes.
        """
        if professional is None:
            return None
        judged = {self._prescribing(item) for item in professional.professions}
        if judged & {Prescribing.YES, Prescribing.UNCERTAIN}:
            return Refusal.PROFESSION_NOT_AUTHORIZED
        if Prescribing.UNTOLD in judged:
            raise RegistryUnavailableError(_RETHUS, _UNTOLD)
        _check_readable(professional.unreadable)
        return None

    def _prescribing(self, profession: Profession) -> Prescribing:
        return self.professions.prescribing(profession.name, code=profession.code)


def _check_readable(unreadable: str | None) -> None:
    if unreadable:
        raise RegistryUnavailableError(_RETHUS, unreadable)
