"""miseguridadsocial: who is a person, and whom an entity has named as its delegate."""

from typing import Annotated

from pydantic import StringConstraints

from mipres.domain.documents import Document, normalise_number
from mipres.domain.errors import RegistryUnavailableError
from mipres.domain.nit import normalise_nit
from mipres.domain.people import Delegation, EntityRecord, Person
from mipres.domain.submissions import Entity
from mipres.registries.client import RegistryClient, RegistryModel

_Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)]


class _PersonAnswer(RegistryModel):
    type: _Text
    number: _Text
    given_names: _Text
    surnames: _Text
    email: _Email

    def is_about(self, document: Document) -> bool:
        try:
            return (self.type.upper(), normalise_number(self.number)) == (document.type, document.number)
        except ValueError:
            return False


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
        return None if answer is None else self._person(answer, document)

    async def find_delegation(self, document: Document, entity: Entity) -> Delegation | None:
        params = {"kind": str(entity.kind)}
        if entity.regime:
            params["regime"] = entity.regime
        path = f"/entidades/{entity.nit}/delegados/{document.type}/{document.number}"
        answer = await self._client.find(path, _DelegationAnswer, params)
        if answer is None or not _is_for(answer, entity):
            return None
        if normalise_nit(answer.nit) != entity.nit:
            raise RegistryUnavailableError(self._client.name, "the answer is about another entity")
        record = EntityRecord(nit=answer.nit, name=answer.name, kind=answer.kind, regime=answer.regime)
        return Delegation(person=self._person(answer.delegate, document), entity=record)

    async def find_provider(self, document: Document, entity: Entity) -> Person | None:
        params = {"departamento": entity.department or "", "municipio": entity.municipality or ""}
        path = f"/proveedores/{document.type}/{document.number}"
        answer = await self._client.find(path, _PersonAnswer, params)
        return None if answer is None else self._person(answer, document)

    def _person(self, answer: _PersonAnswer, document: Document) -> Person:
        """The person, if the answer is about whom was asked for: a mail must never reach somebody else."""
        if not answer.is_about(document):
            raise RegistryUnavailableError(self._client.name, "the answer is about another document")
        return Person(given_names=answer.given_names, surnames=answer.surnames, email=answer.email)


def _is_for(answer: _DelegationAnswer, entity: Entity) -> bool:
    """A delegate of the same NIT's other regime is not a delegate of this entity."""
    return answer.kind == entity.kind and (entity.regime is None or answer.regime == entity.regime)
