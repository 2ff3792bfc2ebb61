"""miseguridadsocial: who is a person, and whom an entity has named as its delegate."""

from typing import Annotated

from pydantic import StringConstraints

from mipres.adapters.registries.client import RegistryClient, RegistryModel
from mipres.domain.documents import Document
from mipres.domain.people import EntityRecord, Person
from mipres.domain.submissions import Entity
from mipres.ports import Delegation

_Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)]


class _PersonAnswer(RegistryModel):
    type: _Text
    number: _Text
    given_names: _Text
    surnames: _Text
    email: _Email

    def person(self) -> Person:
        return Person(given_names=self.given_names, surnames=self.surnames, email=self.email)


class _DelegationAnswer(RegistryModel):
    nit: _Text
    name: _Text
    kind: _Text
    regime: str | None = None
    delegate: _PersonAnswer


class HttpSocialSecurityRegistry:
    """Implements ports.SocialSecurityRegistry."""

    def __init__(self, client: RegistryClient) -> None:
        self._client = client

    async def find_person(self, document: Document) -> Person | None:
        answer = await self._client.find(f"/personas/{document.type}/{document.number}", _PersonAnswer)
        return None if answer is None else answer.person()

    async def find_delegation(self, document: Document, entity: Entity) -> Delegation | None:
        params = {"kind": str(entity.kind)}
        if entity.regime:
            params["regime"] = entity.regime
        path = f"/entidades/{entity.nit}/delegados/{document.type}/{document.number}"
        answer = await self._client.find(path, _DelegationAnswer, params)
        if answer is None or not _is_for(answer, entity):
            return None
        record = EntityRecord(nit=answer.nit, name=answer.name, kind=answer.kind, regime=answer.regime)
        return Delegation(person=answer.delegate.person(), entity=record)

    async def find_provider(self, document: Document, entity: Entity) -> Person | None:
        params = {"departamento": entity.department or "", "municipio": entity.municipality or ""}
        path = f"/proveedores/{document.type}/{document.number}"
        answer = await self._client.find(path, _PersonAnswer, params)
        return None if answer is None else answer.person()


def _is_for(answer: _DelegationAnswer, entity: Entity) -> bool:
    """A delegate of the same NIT's other regime is not a delegate of this entity."""
    return answer.kind == entity.kind and (entity.regime is None or answer.regime == entity.regime)
