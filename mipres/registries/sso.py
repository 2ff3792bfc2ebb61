"""SSO: placements of the obligatory social service."""

from typing import Self

from pydantic import model_validator

from mipres.domain.documents import Document
from mipres.domain.people import Placement
from mipres.registries.client import PersonalAnswer, RegistryClient
from mipres.registries.fields import Day, KnownLastDay, Label, NeededText, fault


class _PlacementAnswer(PersonalAnswer):
    profession: NeededText
    site_code: Label = ""
    site_name: Label = ""
    municipality: Label = ""
    start: Day
    end: KnownLastDay

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.end < self.start:
            raise fault("end lies before start")
        return self


class HttpSocialServiceRegistry:
    """Implements ports.SocialServiceRegistry."""

    def __init__(self, client: RegistryClient) -> None:
        self._client = client

    async def find_placement(self, document: Document) -> Placement | None:
        answer = await self._client.find(
            f"/plazas/{document.type}/{document.number}", _PlacementAnswer, document
        )
        if answer is None:
            return None
        self._client.check_person(answer, document)
        return Placement(**answer.model_dump(exclude={"type", "number"}))
