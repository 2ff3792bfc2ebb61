"""SSO: placements of the obligatory social service."""

from mipres.domain.documents import Document
from mipres.domain.people import Placement
from mipres.registries.client import Day, RegistryClient, RegistryModel


class _PlacementAnswer(RegistryModel):
    profession: str
    site_code: str
    site_name: str
    municipality: str
    start: Day
    end: Day


class HttpSocialServiceRegistry:
    """Implements ports.SocialServiceRegistry."""

    def __init__(self, client: RegistryClient) -> None:
        self._client = client

    async def find_placement(self, document: Document) -> Placement | None:
        answer = await self._client.find(f"/plazas/{document.type}/{document.number}", _PlacementAnswer)
        return None if answer is None else Placement(**answer.model_dump())
