"""What the registries know about people, as control takes it and they answer.

The shapes are the outside world's, so nothing here is shared with the product: a rule that both sides
imported could never be found wrong. An e-mail address is any text, because registries hold bad ones too.
"""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Nit = Annotated[str, StringConstraints(pattern=r"^[0-9]{9}$")]
Department = Annotated[str, StringConstraints(pattern=r"^[0-9]{2}$")]
Municipality = Annotated[str, StringConstraints(pattern=r"^[0-9]{5}$")]
DocumentNumber = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,20}$")]
DocumentType = Literal["CC", "CE", "CD", "PA", "PE", "PT", "SC"]
EntityKind = Literal["IPS", "EPS", "PROVIDER"]
Regime = Literal["CONTRIBUTIVO", "SUBSIDIADO"]


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Document(Record):
    type: DocumentType
    number: DocumentNumber

    def __str__(self) -> str:
        return f"{self.type} {self.number}"


class Profession(Record):
    code: Text
    name: Text
    registration: Text


class Sanction(Record):
    """A sanction from `start` to `end`, both days included.

    Without an end, until further notice.
    """

    authority: Text
    kind: Text
    start: date
    end: date | None = None

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> Self:
        if self.end is not None and self.end < self.start:
            raise ValueError("a sanction cannot end before it starts")
        return self


class RethusEntry(Record):
    professions: list[Profession] = Field(min_length=1)
    sanctions: list[Sanction] = []


class Placement(Record):
    """A social-service placement from `start` to `end`, both days included."""

    profession: Text
    site_code: Text
    site_name: Text
    municipality: Municipality
    start: date
    end: date

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> Self:
        if self.end < self.start:
            raise ValueError("a placement cannot end before it starts")
        return self


class Entity(Record):
    """An entity that has named the person as its delegate."""

    nit: Nit
    name: Text
    kind: EntityKind
    regime: Regime | None = None

    @model_validator(mode="after")
    def _regime_is_of_an_eps(self) -> Self:
        if (self.kind == "EPS") != (self.regime is not None):
            raise ValueError("an EPS, and only an EPS, has a regime")
        return self


class Place(Record):
    department: Department
    municipality: Municipality

    @model_validator(mode="after")
    def _municipality_is_of_the_department(self) -> Self:
        if not self.municipality.startswith(self.department):
            raise ValueError("the municipality is not of the department")
        return self


class Person(Record):
    document: Document
    given_names: Text
    surnames: Text
    email: Annotated[str, StringConstraints(max_length=320)]
    rethus: RethusEntry | None = None
    sso: Placement | None = None
    delegate_of: list[Entity] = []
    provider_in: Place | None = None

    def entity(self, nit: str, kind: EntityKind, regime: Regime | None) -> Entity | None:
        """Find the entity this person is a delegate of; no regime asked for matches any."""
        return next(
            (
                entity
                for entity in self.delegate_of
                if (entity.nit, entity.kind) == (nit, kind) and regime in (None, entity.regime)
            ),
            None,
        )


class PersonAnswer(Record):
    """A person as miseguridadsocial answers."""

    type: DocumentType
    number: DocumentNumber
    given_names: str
    surnames: str
    email: str

    @classmethod
    def of(cls, person: Person) -> Self:
        return cls(
            type=person.document.type,
            number=person.document.number,
            given_names=person.given_names,
            surnames=person.surnames,
            email=person.email,
        )


class DelegateAnswer(Entity):
    """A delegate of an entity as miseguridadsocial answers."""

    delegate: PersonAnswer
