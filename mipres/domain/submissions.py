"""What a person submits: the four types of user, their fields, and the one place where fields are checked."""

import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from mipres.domain import divipola
from mipres.domain.documents import DOCUMENT_RULES, Document, parse_document
from mipres.domain.errors import FieldError, InvalidSubmissionError
from mipres.domain.identifiers import visible, without_registration_label
from mipres.domain.nit import parse_nit

_T = TypeVar("_T")
MAX_PROFESSIONAL_REGISTRATION = 17


class UserType(StrEnum):
    """Who registers. Values are those of the JSON API and of the search attribute UserType."""

    DELEGATE = "delegate"
    PROFESSIONAL = "professional"
    SOCIAL_SERVICE = "social_service"
    OTHER = "other"

    @property
    def slug(self) -> str:
        """Path segment of this type's form: `/registro/{slug}`."""
        return _SLUGS[self]

    @property
    def label(self) -> str:
        """Name of the type as the manual's pages write it."""
        return _LABELS[self]

    @property
    def heading(self) -> str:
        """What the manual's pages put in brackets after REGISTRAR USUARIO."""
        return _HEADINGS.get(self, self.label)

    @classmethod
    def of_slug(cls, slug: str) -> "UserType":
        """Raise KeyError for a slug that names no type of user."""
        return _BY_SLUG[slug]


_SLUGS = {
    UserType.DELEGATE: "delegado",
    UserType.PROFESSIONAL: "profesional",
    UserType.SOCIAL_SERVICE: "sso",
    UserType.OTHER: "otro",
}
_BY_SLUG = {slug: user_type for user_type, slug in _SLUGS.items()}
_LABELS = {
    UserType.DELEGATE: "Delegado Administrativo",
    UserType.PROFESSIONAL: "Profesional de la Salud",
    UserType.SOCIAL_SERVICE: "Servicio Social Obligatorio",
    UserType.OTHER: "Otro Usuario",
}
_HEADINGS = {UserType.DELEGATE: "Administrador EPS - IPS - Proveedor"}


class EntityKind(StrEnum):
    """What a delegate represents. Values are those of the JSON API and of the registries."""

    IPS = "IPS"
    EPS = "EPS"
    PROVIDER = "PROVIDER"


class Regime(StrEnum):
    """Regime of an EPS; the same NIT may have a delegate in each."""

    CONTRIBUTIVO = "CONTRIBUTIVO"
    SUBSIDIADO = "SUBSIDIADO"


@dataclass(frozen=True, kw_only=True)
class Entity:
    """The entity of a delegate: a NIT, or for a provider who is a natural person a municipality."""

    kind: EntityKind
    regime: Regime | None = None
    nit: str | None = None
    department: str | None = None
    municipality: str | None = None

    @property
    def key(self) -> str:
        """Text that is the same for the same entity: part of the radicado and of a profile's key."""
        return ":".join(part for part in (self.kind, self.regime, self.nit or self.municipality) if part)

    @property
    def is_natural_person(self) -> bool:
        return self.nit is None


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A registration whose fields are in order. Build it with `check_submission`."""

    user_type: UserType
    document: Document
    entity: Entity | None = None
    professional_registration: str | None = None

    @property
    def entity_key(self) -> str:
        return self.entity.key if self.entity else ""


@dataclass(frozen=True, kw_only=True)
class RawSubmission:
    """What came from outside, unchecked; names are the web form's, so errors can name the field."""

    user_type: UserType
    tipo_documento: str = ""
    numero_documento: str = ""
    registro_profesional: str = ""
    tipo_entidad: str = ""
    regimen: str = ""
    tiene_nit: str = ""
    nit: str = ""
    departamento: str = ""
    municipio: str = ""
    acepta_datos: bool = False


_MISSING = {
    "tipo_documento": "Seleccione el tipo de identificación",
    "numero_documento": "Escriba el número de identificación",
    "registro_profesional": "Escriba el registro profesional",
    "tipo_entidad": "Seleccione el tipo de entidad",
    "regimen": "Seleccione el régimen de la EPS",
    "tiene_nit": "Indique si el proveedor cuenta con NIT",
    "nit": "Escriba el NIT de la entidad, sin dígito de verificación",
    "departamento": "Seleccione el departamento",
    "municipio": "Seleccione el municipio",
}
_TERMS_NOT_ACCEPTED = "Marque la casilla de la declaración de protección de datos para continuar"
_REGISTRATION_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ./-]*")


def check_submission(raw: RawSubmission) -> Submission:
    """Check every field and make a Submission.

    Raises:
        InvalidSubmissionError: with one error for each wrong field, in the order of the form.
    """
    checker = _Checker(raw)
    entity = checker.entity() if raw.user_type is UserType.DELEGATE else None
    document = checker.document()
    registration = checker.professional_registration() if raw.user_type is UserType.PROFESSIONAL else None
    checker.terms()
    if checker.errors or document is None:
        raise InvalidSubmissionError(checker.errors)
    return Submission(
        user_type=raw.user_type,
        document=document,
        entity=entity,
        professional_registration=registration,
    )


def check_document(type_code: str, number: str) -> tuple[Document | None, dict[str, str]]:
    """A document by itself, as for recovering a password: the document, or its errors by field."""
    checker = _Checker(
        RawSubmission(user_type=UserType.OTHER, tipo_documento=type_code, numero_documento=number)
    )
    document = checker.document()
    return document, {error.field: error.message for error in checker.errors}


class _Checker:
    """Collects the errors of one submission, so that the person sees all of them at once."""

    def __init__(self, raw: RawSubmission) -> None:
        self._raw = raw
        self.errors: list[FieldError] = []

    def document(self) -> Document | None:
        type_code = self._choice("tipo_documento", DOCUMENT_RULES)
        number = self._required("numero_documento")
        if not type_code or not number:
            return None
        return self._parsed("numero_documento", lambda: parse_document(type_code, number))

    def professional_registration(self) -> str | None:
        text = self._required("registro_profesional")
        return self._parsed("registro_profesional", lambda: normalise_registration(text)) if text else None

    def entity(self) -> Entity | None:
        match self._choice("tipo_entidad", ("IPS", "EPS", "PROVEEDOR")):
            case "IPS":
                return self._entity_with_nit(EntityKind.IPS)
            case "EPS":
                regime = self._choice("regimen", Regime.__members__)
                return self._entity_with_nit(EntityKind.EPS, Regime(regime) if regime else None)
            case "PROVEEDOR":
                return self._provider()
        return None

    def terms(self) -> None:
        if not self._raw.acepta_datos:
            self._fail("acepta_datos", _TERMS_NOT_ACCEPTED)

    def _provider(self) -> Entity | None:
        match self._choice("tiene_nit", ("SI", "NO")):
            case "SI":
                return self._entity_with_nit(EntityKind.PROVIDER)
            case "NO":
                return self._natural_provider()
        return None

    def _entity_with_nit(self, kind: EntityKind, regime: Regime | None = None) -> Entity | None:
        text = self._required("nit")
        nit = self._parsed("nit", lambda: parse_nit(text)) if text else None
        return Entity(kind=kind, regime=regime, nit=nit) if nit else None

    def _natural_provider(self) -> Entity | None:
        department = self._choice("departamento", [item.code for item in divipola.departments()])
        municipality = self._required("municipio")
        if not department or not municipality:
            return None
        municipality = divipola.current_code(municipality)
        if not divipola.is_municipality_of(municipality, department):
            self._fail(
                "municipio", "El municipio no pertenece al departamento elegido; selecciónelo de la lista"
            )
            return None
        return Entity(kind=EntityKind.PROVIDER, department=department, municipality=municipality)

    def _required(self, field: str) -> str:
        text: str = visible(getattr(self._raw, field))
        if not text:
            self._fail(field, _MISSING[field])
        return text

    def _choice(self, field: str, allowed: Container[str]) -> str:
        text = self._required(field)
        if text and text not in allowed:
            self._fail(field, f"{_MISSING[field]} de la lista")
            return ""
        return text

    def _parsed(self, field: str, parse: Callable[[], _T]) -> _T | None:
        try:
            return parse()
        except ValueError as error:
            self._fail(field, str(error))
        return None

    def _fail(self, field: str, message: str) -> None:
        self.errors.append(FieldError(field=field, message=message))


def normalise_registration(text: str) -> str:
    """Upper-case a professional registration, fold its spaces and dashes and drop the words in front.

    Raises:
        ValueError: with the Spanish sentence to show beside the field.
    """
    folded = without_registration_label(" ".join(visible(text).split()))
    if len(folded) > MAX_PROFESSIONAL_REGISTRATION:
        raise ValueError(f"El registro profesional tiene máximo {MAX_PROFESSIONAL_REGISTRATION} caracteres")
    if not _REGISTRATION_PATTERN.fullmatch(folded):
        raise ValueError(
            "Escriba el registro profesional con letras sin tilde, dígitos, guiones, puntos o barras"
        )
    return folded.upper()
