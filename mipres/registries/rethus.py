"""ReTHUS: professions and sanctions."""

from typing import Annotated, Self, TypeVar

from pydantic import BeforeValidator, model_validator

from mipres.domain.documents import Document
from mipres.domain.errors import RegistryUnavailableError
from mipres.domain.people import HealthProfessional, Profession, Sanction
from mipres.registries.client import PersonalAnswer, RegistryClient
from mipres.registries.fields import (
    Aside,
    FirstDay,
    LastDay,
    OptionalText,
    RegistryModel,
    Text,
    as_rows,
    fault,
)

_M = TypeVar("_M", bound=RegistryModel)


class _ProfessionAnswer(RegistryModel):
    code: Text = ""
    name: Text = ""
    registration: OptionalText = ""

    @model_validator(mode="after")
    def _says_which_profession(self) -> Self:
        if not self.name and not self.code:
            raise fault("neither name nor code")
        return self


class _RegistrationAnswer(RegistryModel):
    """The part of a profession that only a Profesional de la Salud is asked for."""

    registration: Text = ""


class _SanctionAnswer(RegistryModel):
    authority: Aside = ""
    kind: Text = ""
    start: FirstDay
    end: LastDay = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.end is not None and self.end < self.start:
            raise fault("end lies before start")
        return self


class _ProfessionalAnswer(PersonalAnswer):
    # A missing list could hide a sanction; an empty one, also as null, says that there is none.
    professions: Annotated[tuple[object, ...], BeforeValidator(as_rows)]
    sanctions: Annotated[tuple[object, ...], BeforeValidator(as_rows)]


class HttpHealthTalentRegistry:
    """Implements ports.HealthTalentRegistry."""

    def __init__(self, client: RegistryClient) -> None:
        self._client = client

    async def find_professional(self, document: Document) -> HealthProfessional | None:
        answer = await self._client.find(
            f"/profesionales/{document.type}/{document.number}", _ProfessionalAnswer, document
        )
        if answer is None:
            return None
        self._client.check_person(answer, document)
        read, faults = self._rows("professions", answer.professions, _ProfessionAnswer)
        if faults and not read:
            raise faults[0]
        _, of_registrations = self._rows("professions", answer.professions, _RegistrationAnswer)
        sanctions, of_sanctions = self._rows("sanctions", answer.sanctions, _SanctionAnswer)
        return HealthProfessional(
            professions=tuple(Profession(**row.model_dump()) for row in read),
            sanctions=tuple(Sanction(**row.model_dump()) for row in sanctions),
            unreadable=faults[0].cause if faults else None,
            unreadable_registration=of_registrations[0].cause if of_registrations else None,
            unreadable_sanction=of_sanctions[0].cause if of_sanctions else None,
        )

    def _rows(
        self, field: str, rows: tuple[object, ...], answer: type[_M]
    ) -> tuple[list[_M], list[RegistryUnavailableError]]:
        """The rows that can be read, and the faults of the others.

        One odd row sinks no answer.
        """
        read, faults = [], []
        for index, row in enumerate(rows):
            try:
                read.append(self._client.read(answer, row, path=f"{field}[{index}]"))
            except RegistryUnavailableError as error:
                faults.append(error)
        return read, faults
