"""What the government registries say about a person.

Dates are calendar dates in Colombia.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

# Places are assigned for the next months, never for the year after next.
_LONGEST_AHEAD: Final = timedelta(days=2 * 366)


@dataclass(frozen=True, kw_only=True)
class Person:
    """A person as miseguridadsocial knows them.

    Attributes:
        given_names: Empty where the registry has one name only, as may be `surnames`.
        email: The only address that mail is sent to; empty if the registry has no usable one.
    """

    given_names: str
    surnames: str
    email: str

    @property
    def has_usable_address(self) -> bool:
        return bool(self.email)

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
    """A profession or occupation of a person in ReTHUS, with its registration number.

    What is missing is empty.
    """

    code: str
    name: str
    registration: str


@dataclass(frozen=True, kw_only=True)
class Sanction:
    """A sanction as an interval, both ends included.

    No end means until further notice.
    """

    authority: str
    kind: str
    start: date
    end: date | None = None

    def __post_init__(self) -> None:
        if self.end is not None and self.end < self.start:
            raise ValueError("a sanction cannot end before it begins")

    def in_force(self, today: date) -> bool:
        return self.start <= today and (self.end is None or today <= self.end)


@dataclass(frozen=True, kw_only=True)
class HealthProfessional:
    """A person's entry in ReTHUS.

    Attributes:
        unreadable: Field and kind of fault of the first profession that could not be read.
        unreadable_registration: The same of the first registration, which only who prescribes is asked for.
        unreadable_sanction: The same of the first sanction, which bars only who prescribes.
    """

    professions: tuple[Profession, ...]
    sanctions: tuple[Sanction, ...] = ()
    unreadable: str | None = None
    unreadable_registration: str | None = None
    unreadable_sanction: str | None = None

    @property
    def hidden_registration(self) -> str | None:
        """Field and kind of fault behind which any registration may stand."""
        return self.unreadable or self.unreadable_registration


@dataclass(frozen=True, kw_only=True)
class Placement:
    """A social-service (SSO) placement, both ends included."""

    profession: str
    site_code: str
    site_name: str
    municipality: str
    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError("a placement cannot end before it begins")

    def in_force(self, today: date) -> bool:
        return self.start <= today <= self.end

    def begins_on(self, today: date) -> date | None:
        """The first day of a placement that was assigned for later.

        None where it lies so far ahead that nobody has assigned it: other systems write an unknown day so.
        """
        is_assigned = today < self.start <= today + _LONGEST_AHEAD
        return self.start if is_assigned else None


@dataclass(frozen=True, kw_only=True)
class Delegation:
    """A delegate together with the entity that named them."""

    person: Person
    entity: EntityRecord
