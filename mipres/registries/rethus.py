"""ReTHUS: professions and sanctions."""

from mipres.domain.documents import Document
from mipres.domain.people import HealthProfessional, Profession, Sanction
from mipres.registries.client import Day, RegistryClient, RegistryModel


class _ProfessionAnswer(RegistryModel):
    code: str
    name: str
    registration: str


class _SanctionAnswer(RegistryModel):
    authority: str
    kind: str
    start: Day
    end: Day | None = None


class _ProfessionalAnswer(RegistryModel):
    professions: tuple[_ProfessionAnswer, ...]
    sanctions: tuple[_SanctionAnswer, ...]


class HttpHealthTalentRegistry:
    """Implements ports.HealthTalentRegistry."""

    def __init__(self, client: RegistryClient) -> None:
        self._client = client

    async def find_professional(self, document: Document) -> HealthProfessional | None:
        answer = await self._client.find(
            f"/profesionales/{document.type}/{document.number}", _ProfessionalAnswer
        )
        if answer is None:
            return None
        return HealthProfessional(
            professions=tuple(Profession(**item.model_dump()) for item in answer.professions),
            sanctions=tuple(Sanction(**item.model_dump()) for item in answer.sanctions),
        )
