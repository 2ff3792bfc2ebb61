"""Bodies of the JSON API. The domain checks the texts, so errors read alike."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from mipres.domain.access import AccessState
from mipres.domain.stages import Stage
from mipres.domain.submissions import RawSubmission, UserType

Text = Annotated[str, StringConstraints(max_length=100)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class DocumentIn(_Model):
    """Identity document."""

    type: Text = Field(examples=["CC"])
    number: Text = Field(examples=["1020304050"])


class EntityIn(_Model):
    """Entity: a NIT without verification digit, or department and municipality."""

    kind: Literal["IPS", "EPS", "PROVIDER"]
    regime: Literal["CONTRIBUTIVO", "SUBSIDIADO"] | None = Field(default=None, description="EPS only.")
    nit: Text | None = Field(default=None, examples=["900123456"])
    department: Text | None = Field(default=None, examples=["11"])
    municipality: Text | None = Field(default=None, examples=["11001"])

    @property
    def is_a_place(self) -> bool:
        """Whether a department or a municipality stands in for the NIT."""
        return not self.nit and bool(self.department or self.municipality)


class RegistrationIn(_Model):
    """A registration."""

    user_type: UserType
    document: DocumentIn
    entity: EntityIn | None = Field(default=None, description="Delegates only.")
    professional_registration: Text | None = Field(default=None, description="Professionals only.")
    data_terms_accepted: StrictBool = Field(description="The value true, and nothing else.")
    wait_for_registry: StrictBool = Field(
        default=False,
        description="Wait in the stage `watching` for ReTHUS or SSO to know the person, instead of being refused.",
    )

    def raw(self) -> RawSubmission:
        entity = self.entity
        return RawSubmission(
            user_type=self.user_type,
            document_type=self.document.type,
            document_number=self.document.number,
            professional_registration=self.professional_registration or "",
            entity_kind=(entity and entity.kind) or "",
            regime=(entity and entity.regime) or "",
            has_nit=None if entity is None else not entity.is_a_place,
            nit=(entity and entity.nit) or "",
            department=(entity and entity.department) or "",
            municipality=(entity and entity.municipality) or "",
            terms_accepted=self.data_terms_accepted,
        )


PATHS = {
    "document_type": "document.type",
    "document_number": "document.number",
    "professional_registration": "professional_registration",
    "entity": "entity",
    "entity_kind": "entity.kind",
    "regime": "entity.regime",
    "nit": "entity.nit",
    "department": "entity.department",
    "municipality": "entity.municipality",
    "terms_accepted": "data_terms_accepted",
}
"""Where each field of RawSubmission, and a whole entity, stands in the body."""


class RegisteredOut(BaseModel):
    """A registration with its outcome."""

    status: Literal["registered", "updated"]
    radicado: str
    login: str
    user_type: UserType
    email_hint: str | None
    message: str
    status_url: str


class InProgressOut(BaseModel):
    """A registration that is accepted and has no outcome yet."""

    status: Literal["in_progress"]
    radicado: str
    status_url: str


class RegistrationOut(BaseModel):
    """Where a registration stands."""

    radicado: str
    stage: Stage
    waiting_on: list[str]
    user_type: UserType | None
    submitted_at: datetime
    updated_at: datetime
    outcome: str | None = Field(
        description="`registered`, `updated`, or the code of the refusal; null before."
    )
    access: AccessState | None = Field(
        description="Whether a completed registration opens anything today; null before, or while the database is away."
    )


class Problem(BaseModel):
    """Problem details (RFC 9457) with a stable `code`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: dict[str, str] | None = None
