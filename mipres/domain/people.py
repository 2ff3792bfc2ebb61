"""What the government registries say about a person. Dates are calendar dates in Colombia."""

from dataclasses import dataclass
from datetime import date

# Profession codes follow the simulator and the registry contract; names decide, because ReTHUS
# itself is keyed by the name of the profession and codes differ between its versions.
PRESCRIBING_PROFESSIONS = frozenset({"medicina", "odontologia", "optometria", "nutricion y dietetica"})


@dataclass(frozen=True, kw_only=True)
class Person:
    """A person as miseguridadsocial knows them; `email` is the only address mail is sent to."""

    given_names: str
    surnames: str
    email: str

    @property
    def full_name(self) -> str:
        return f"{self.given_names} {self.surnames}".strip()


@dataclass(frozen=True, kw_only=True)
class EntityRecord:
    """An entity (IPS, EPS, provider) that has named the person as its delegate."""

    nit: str
    name: str
    kind: str
    regime: str | None = None


@dataclass(frozen=True, kw_only=True)
class Profession:
    """A profession or occupation of a person in ReTHUS, with its registration number."""

    code: str
    name: str
    registration: str


@dataclass(frozen=True, kw_only=True)
class Sanction:
    """A sanction as an interval, both ends included; no end means until further notice."""

    authority: str
    kind: str
    start: date
    end: date | None = None

    def in_force(self, today: date) -> bool:
        return self.start <= today and (self.end is None or today <= self.end)


@dataclass(frozen=True, kw_only=True)
class HealthProfessional:
    """A person's entry in ReTHUS."""

    professions: tuple[Profession, ...]
    sanctions: tuple[Sanction, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Placement:
    """A social-service (SSO) placement, both ends included."""

    profession: str
    site_code: str
    site_name: str
    municipality: str
    start: date
    end: date

    def in_force(self, today: date) -> bool:
        return self.start <= today <= self.end


@dataclass(frozen=True, kw_only=True)
class Delegation:
    """A delegate together with the entity that named them."""

    person: Person
    entity: EntityRecord
