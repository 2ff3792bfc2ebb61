"""Reads `seed.toml`: the people at the start, and the forms to try with them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from dev.registry_simulator.people import (
    Document,
    Entity,
    Municipality,
    Nit,
    Person,
    Place,
    Placement,
    Profession,
    RethusEntry,
    Sanction,
)

# Colombia has no daylight saving time, and a bare container may have no time-zone database.
BOGOTA = timezone(timedelta(hours=-5))

UserType = Literal["delegado", "profesional", "sso", "otro"]
Outcome = Literal[
    "registered",
    "not_in_miseguridadsocial",
    "entity_not_in_miseguridadsocial",
    "not_in_rethus",
    "sanctioned",
    "profession_not_authorized",
    "not_in_sso",
    "no_valid_email",
]

USER_TYPE_LABELS: Mapping[UserType, str] = {
    "delegado": "Delegado administrativo",
    "profesional": "Profesional de la salud",
    "sso": "Servicio social obligatorio",
    "otro": "Otro usuario",
}
FIELD_LABELS = {
    "tipo_entidad": "Tipo de entidad",
    "regimen": "Régimen",
    "tiene_nit": "¿Cuenta con NIT?",
    "nit": "NIT",
    "departamento": "Departamento",
    "municipio": "Municipio",
    "registro_profesional": "Registro profesional",
}


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Days(_Table):
    """An interval in days from today; without an end it goes on."""

    start: int
    end: int | None = None


class _PlacementDays(_Table):
    profession: str
    start: int
    end: int


class _Try(_Table):
    user_type: Annotated[UserType, Field(alias="as")]
    form: dict[str, str] = {}
    expected: Outcome
    shows: str


class _SeedPerson(_Table):
    """A person of the table; without names the registries do not know the document."""

    document: str
    names: tuple[str, str] | None = None
    email: str = ""
    professions: list[tuple[str, str, str]] = []
    sanction: _Days | None = None
    placement: _PlacementDays | None = None
    delegate_of: list[Nit] = []
    provider_in: Municipality | None = None
    tries: list[_Try] = Field(min_length=1)


class _Seed(_Table):
    entity: list[Entity]
    person: list[_SeedPerson]

    def entities(self, nits: list[Nit]) -> list[Entity]:
        by_nit = {entity.nit: entity for entity in self.entity}
        return [by_nit[nit] for nit in nits]


@dataclass(frozen=True, kw_only=True)
class SeedRow:
    """One form to try.

    Attributes:
        document: Type and number, as `CC 1020304050`.
        user_type: Last part of the form's address.
        fields: The form's fields beside the document, by their names in the web form.
        expected: What the product answers to the form.
        purpose: What the row shows, in one Spanish sentence.
    """

    document: str
    user_type: UserType
    fields: Mapping[str, str]
    expected: Outcome
    purpose: str

    @property
    def form_text(self) -> str:
        parts = (f"{FIELD_LABELS[name]}: {value}" for name, value in self.fields.items())
        return " · ".join(parts) or "solo el documento"


def today_in_bogota() -> date:
    return datetime.now(UTC).astimezone(BOGOTA).date()


@cache
def seed_rows() -> tuple[SeedRow, ...]:
    """Every form of the table, in its order."""
    return tuple(
        SeedRow(
            document=person.document,
            user_type=attempt.user_type,
            fields=attempt.form,
            expected=attempt.expected,
            purpose=attempt.shows,
        )
        for person in _seed().person
        for attempt in person.tries
    )


@lru_cache(maxsize=1)
def seeded_people(today: date) -> Mapping[str, Person]:
    """Everyone in the table by document, as the registries know them on that day."""
    return {entry.document: _person(entry, entry.names, today) for entry in _seed().person if entry.names}


@cache
def _seed() -> _Seed:
    text = (Path(__file__).parent / "seed.toml").read_text(encoding="utf-8")
    return _Seed.model_validate(tomllib.loads(text))


def _person(entry: _SeedPerson, names: tuple[str, str], today: date) -> Person:
    document_type, number = entry.document.split()
    return Person(
        document=Document.model_validate({"type": document_type, "number": number}),
        given_names=names[0],
        surnames=names[1],
        email=entry.email,
        rethus=_rethus(entry, today),
        sso=_placement(entry.placement, today),
        delegate_of=_seed().entities(entry.delegate_of),
        provider_in=_place(entry.provider_in),
    )


def _rethus(entry: _SeedPerson, today: date) -> RethusEntry | None:
    if not entry.professions:
        return None
    professions = [
        Profession(code=code, name=name, registration=registration)
        for code, name, registration in entry.professions
    ]
    return RethusEntry(professions=professions, sanctions=_sanctions(entry.sanction, today))


def _sanctions(days: _Days | None, today: date) -> list[Sanction]:
    if days is None:
        return []
    return [
        Sanction(
            authority="Tribunal de Ética Médica de Ejemplo",
            kind="Suspensión en el ejercicio de la profesión",
            start=today + timedelta(days=days.start),
            end=None if days.end is None else today + timedelta(days=days.end),
        )
    ]


def _placement(days: _PlacementDays | None, today: date) -> Placement | None:
    if days is None:
        return None
    return Placement(
        profession=days.profession,
        site_code="940010012301",
        site_name="Hospital de Ejemplo de Inírida",
        municipality="94001",
        start=today + timedelta(days=days.start),
        end=today + timedelta(days=days.end),
    )


def _place(municipality: Municipality | None) -> Place | None:
    # The first two digits of a DIVIPOLA municipality are its department.
    return Place(department=municipality[:2], municipality=municipality) if municipality else None
