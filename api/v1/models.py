"""Bodies of the JSON API. Texts are checked by the domain, so that errors read the same everywhere."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

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
    """Entity of a delegate: a NIT without its verification digit, or department and municipality (DIVIPOLA)."""

    kind: Literal["IPS", "EPS", "PROVIDER"]
    regime: Literal["CONTRIBUTIVO", "SUBSIDIADO"] | None = Field(default=None, description="EPS only.")
    nit: Text | None = Field(default=None, examples=["900123456"])
    department: Text | None = Field(default=None, examples=["11"])
    municipality: Text | None = Field(default=None, examples=["11001"])

    @property
    def is_a_place(self) -> bool:
        """Whether a department or a municipality stands in for the NIT."""
        return self.nit is None and bool(self.department or self.municipality)


class RegistrationIn(_Model):
    """A registration."""

    user_type: UserType
    document: DocumentIn
    entity: EntityIn | None = Field(default=None, description="Delegates only.")
    professional_registration: Text | None = Field(default=None, description="Professionals only.")
    data_terms_accepted: StrictBool = Field(description="The value true, and nothing else.")

    def raw(self) -> RawSubmission:
        entity = self.entity
        return RawSubmission(
            user_type=self.user_type,
            tipo_documento=self.document.type,
            numero_documento=self.document.number,
            registro_profesional=self.professional_registration or "",
            tipo_entidad={"PROVIDER": "PROVEEDOR"}.get(entity.kind, entity.kind) if entity else "",
            regimen=(entity and entity.regime) or "",
            tiene_nit="" if entity is None else "NO" if entity.is_a_place else "SI",
            nit=(entity and entity.nit) or "",
            departamento=(entity and entity.department) or "",
            municipio=(entity and entity.municipality) or "",
            acepta_datos=self.data_terms_accepted,
        )


API_FIELDS = {
    "tipo_documento": "document.type",
    "numero_documento": "document.number",
    "registro_profesional": "professional_registration",
    "tipo_entidad": "entity.kind",
    "regimen": "entity.regime",
    "tiene_nit": "entity.nit",
    "nit": "entity.nit",
    "departamento": "entity.department",
    "municipio": "entity.municipality",
    "acepta_datos": "data_terms_accepted",
}
"""Where a field of the web form stands in RegistrationIn."""


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


class Problem(BaseModel):
    """Problem details (RFC 9457) with a stable `code`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: dict[str, str] | None = None
