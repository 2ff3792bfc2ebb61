"""miseguridadsocial: persons, and the delegates that an entity has named."""

from typing import Annotated, Final, Self

from pydantic import BeforeValidator, model_validator

from mipres.domain.divipola import codes_of, department_of
from mipres.domain.documents import Document
from mipres.domain.identifiers import spellings_of
from mipres.domain.nit import InvalidNitError, is_same_nit, nit_to_offer, parse_nit
from mipres.domain.people import Delegation, EntityRecord, Person
from mipres.domain.submissions import ENTITY_KIND_LABELS, Entity, EntityKind, Regime
from mipres.registries.client import PersonalAnswer, RegistryClient
from mipres.registries.fields import (
    Label,
    MailAddress,
    NeededText,
    OptionalText,
    RegistryModel,
    fault,
    one_of,
)

_KIND_NAMES: Final = {
    EntityKind.IPS: (
        "Institución Prestadora de Servicios",
        "Institución Prestadora de Servicios de Salud",
        "Instituciones Prestadoras de Servicios",
        "Instituciones Prestadoras de Servicios de Salud",
    ),
    EntityKind.EPS: ("Entidad Promotora de Salud", "Entidades Promotoras de Salud"),
    EntityKind.PROVIDER: ("PROVEEDOR", "Proveedores", "Proveedor de servicios y tecnologías"),
}


def _spellings(kind: EntityKind) -> tuple[str, ...]:
    return (".".join(kind), *spellings_of(kind, ENTITY_KIND_LABELS[kind], *_KIND_NAMES[kind]))


_Kind = Annotated[EntityKind, BeforeValidator(one_of({kind: _spellings(kind) for kind in EntityKind}))]
_read_regime = one_of(
    {
        Regime.CONTRIBUTIVO: ("CONTRIBUTIVO", "Régimen contributivo"),
        Regime.SUBSIDIADO: ("SUBSIDIADO", "Régimen subsidiado"),
    }
)


class _PersonAnswer(PersonalAnswer):
    type: NeededText
    number: NeededText
    given_names: OptionalText = ""
    surnames: OptionalText = ""
    email: MailAddress = ""

    @model_validator(mode="after")
    def _has_a_name(self) -> Self:
        if not self.given_names and not self.surnames:
            raise fault("neither given_names nor surnames")
        return self

    def person(self) -> Person:
        return Person(given_names=self.given_names, surnames=self.surnames, email=self.email)


class _DelegationAnswer(RegistryModel):
    nit: NeededText
    name: Label = ""
    kind: _Kind
    regime: object = None
    delegate: _PersonAnswer


class _EpsAnswer(RegistryModel):
    """What only the delegation of an EPS needs."""

    regime: Annotated[Regime, BeforeValidator(_read_regime)]


class HttpSocialSecurityRegistry:
    """Implements ports.SocialSecurityRegistry."""

    def __init__(self, client: RegistryClient) -> None:
        self._client = client

    async def find_person(self, document: Document) -> Person | None:
        return await self._person(f"/personas/{document.type}/{document.number}", document, {})

    async def find_delegation(self, document: Document, entity: Entity) -> Delegation | None:
        """Find the delegate; another known kind, regime or NIT is not this entity's."""
        params = {"kind": str(entity.kind)}
        if entity.regime:
            params["regime"] = entity.regime
        path = f"/entidades/{entity.nit}/delegados/{document.type}/{document.number}"
        answer = await self._client.find(path, _DelegationAnswer, document, params)
        if answer is None:
            return None
        self._client.check_person(answer.delegate, document, path="delegate.")
        if not self._is_for(answer, entity):
            return None
        record = EntityRecord(nit=entity.nit or "", name=answer.name, kind=entity.kind, regime=entity.regime)
        return Delegation(person=answer.delegate.person(), entity=record)

    async def find_provider(self, document: Document, entity: Entity) -> Person | None:
        """Find the provider, under every code that the municipality has had."""
        path = f"/proveedores/{document.type}/{document.number}"
        for code in codes_of(entity.municipality or ""):
            params = {"departamento": department_of(code), "municipio": code}
            person = await self._person(path, document, params)
            if person is not None:
                return person
        return None

    async def _person(self, path: str, document: Document, params: dict[str, str]) -> Person | None:
        answer = await self._client.find(path, _PersonAnswer, document, params)
        if answer is None:
            return None
        self._client.check_person(answer, document)
        return answer.person()

    def _is_for(self, answer: _DelegationAnswer, entity: Entity) -> bool:
        if not is_same_nit(entity.nit or "", answer.nit):
            if not _is_nit(answer.nit):
                raise self._client.failure("nit: unknown value")
            return False
        if answer.kind is not entity.kind:
            return False
        if entity.kind is not EntityKind.EPS:
            return True
        regime = self._client.read(_EpsAnswer, {"regime": answer.regime}).regime
        return entity.regime in (None, regime)


def _is_nit(text: str) -> bool:
    try:
        parse_nit(text.lstrip("0"))
    except InvalidNitError:
        return nit_to_offer(text) is not None
    return True
