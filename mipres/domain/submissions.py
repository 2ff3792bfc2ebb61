"""What a person submits.

The four types of user, their fields, and the one place where fields are checked.
"""

import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from mipres.domain import divipola
from mipres.domain.documents import DOCUMENT_RULES, Document, parse_document
from mipres.domain.errors import FieldError, InvalidSubmissionError
from mipres.domain.identifiers import folded_registration, visible, without_registration_label
from mipres.domain.nit import parse_nit

_T = TypeVar("_T")
MAX_PROFESSIONAL_REGISTRATION = 17


class UserType(StrEnum):
    """Who registers.

    Values are those of the JSON API and of the search attribute UserType.
    """

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
    """What a delegate represents.

    Values are those of the JSON API and of the registries.
    """

    IPS = "IPS"
    EPS = "EPS"
    PROVIDER = "PROVIDER"


class Regime(StrEnum):
    """Regime of an EPS; the same NIT may have a delegate in each."""

    CONTRIBUTIVO = "CONTRIBUTIVO"
    SUBSIDIADO = "SUBSIDIADO"


ENTITY_KIND_LABELS = {
    EntityKind.IPS: "Institución Prestadora de Servicios de salud – IPS",
    EntityKind.EPS: "Entidad Promotora de Salud – EPS",
    EntityKind.PROVIDER: "Proveedor",
}
REGIME_LABELS = {Regime.CONTRIBUTIVO: "Contributivo", Regime.SUBSIDIADO: "Subsidiado"}


@dataclass(frozen=True, kw_only=True)
class Entity:
    """The entity of a delegate.

    A NIT, or for a provider who is a natural person a municipality.
    """

    kind: EntityKind
    regime: Regime | None = None
    nit: str | None = None
    department: str | None = None
    municipality: str | None = None

    @property
    def key(self) -> str:
        """Text that is the same for the same entity.

        Part of the radicado and of a profile's key.
        """
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
    """What came from outside, unchecked.

    A form maps its own names to these, and the errors back.

    Attributes:
        has_nit: Whether a provider has a NIT; None while the person has not said so.
    """

    user_type: UserType
    document_type: str = ""
    document_number: str = ""
    professional_registration: str = ""
    entity_kind: str = ""
    regime: str = ""
    has_nit: bool | None = None
    nit: str = ""
    department: str = ""
    municipality: str = ""
    terms_accepted: bool = False


_MISSING = {
    "document_type": "Seleccione el tipo de identificación",
    "document_number": "Escriba el número de identificación",
    "professional_registration": "Escriba el registro profesional",
    "entity_kind": "Seleccione el tipo de entidad",
    "regime": "Seleccione el régimen de la EPS",
    "has_nit": "Indique si el proveedor cuenta con NIT",
    "nit": "Escriba el NIT de la entidad, sin dígito de verificación",
    "department": "Seleccione el departamento",
    "municipality": "Seleccione el municipio",
    "terms_accepted": "Marque la casilla del compromiso de confidencialidad para continuar",
}
_OF_NATURAL_PROVIDERS = "solo lo lleva un proveedor sin NIT"
_OUT_OF_PLACE = {
    "professional_registration": "Quite el registro profesional: solo lo lleva un profesional de la salud",
    "entity": "Quite la entidad: solo la lleva un delegado administrativo",
    "regime": "Quite el régimen: solo lo lleva una EPS",
    "department": f"Quite el departamento: {_OF_NATURAL_PROVIDERS}",
    "municipality": f"Quite el municipio: {_OF_NATURAL_PROVIDERS}",
}
_FOREIGN_MUNICIPALITY = "El municipio no pertenece al departamento elegido; selecciónelo de la lista"
_REGISTRATION_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ./-]*")


def check_submission(raw: RawSubmission, *, is_exact: bool = False) -> Submission:
    """Check every field and make a Submission.

    Args:
        raw: What came from outside.
        is_exact: Whether a filled field that the type of user does not have is an error. A browser also sends
            the fields that its form hides, so there it counts for nothing.

    Raises:
        InvalidSubmissionError: with one error for each wrong field, in the order of the form.
    """
    checker = _Checker(raw)
    entity = checker.entity() if raw.user_type is UserType.DELEGATE else None
    document = checker.document()
    registration = checker.professional_registration() if raw.user_type is UserType.PROFESSIONAL else None
    checker.require_answer("terms_accepted", is_answered=raw.terms_accepted)
    if is_exact:
        checker.refuse_out_of_place()
    if checker.errors or document is None:
        raise InvalidSubmissionError(checker.errors)
    return Submission(
        user_type=raw.user_type,
        document=document,
        entity=entity,
        professional_registration=registration,
    )


def check_document(type_code: str, number: str) -> Document:
    """Check a document by itself, as for recovering a password.

    Raises:
        InvalidSubmissionError: with one error for each wrong field.
    """
    checker = _Checker(
        RawSubmission(user_type=UserType.OTHER, document_type=type_code, document_number=number)
    )
    document = checker.document()
    if document is None:
        raise InvalidSubmissionError(checker.errors)
    return document


class _Checker:
    """Collects the errors of one submission, so that the person sees all at once."""

    def __init__(self, raw: RawSubmission) -> None:
        self._raw = raw
        self.errors: list[FieldError] = []

    def document(self) -> Document | None:
        type_code = self._choice("document_type", DOCUMENT_RULES)
        number = self._required("document_number")
        if not type_code or not number:
            return None
        return self._parsed("document_number", lambda: parse_document(type_code, number))

    def professional_registration(self) -> str | None:
        text = self._required("professional_registration")
        if not text:
            return None
        return self._parsed("professional_registration", lambda: normalise_registration(text))

    def entity(self) -> Entity | None:
        match self._choice("entity_kind", EntityKind.__members__):
            case EntityKind.IPS:
                return self._entity_with_nit(EntityKind.IPS)
            case EntityKind.EPS:
                regime = self._choice("regime", Regime.__members__)
                return self._entity_with_nit(EntityKind.EPS, Regime(regime) if regime else None)
            case EntityKind.PROVIDER:
                return self._provider()
        return None

    def require_answer(self, field: str, *, is_answered: bool) -> None:
        if not is_answered:
            self.errors.append(FieldError(field=field, message=_MISSING[field], is_missing=True))

    def refuse_out_of_place(self) -> None:
        raw = self._raw
        is_delegate = raw.user_type is UserType.DELEGATE
        is_natural_provider = raw.entity_kind == EntityKind.PROVIDER and not raw.has_nit
        has_place = {
            "professional_registration": raw.user_type is UserType.PROFESSIONAL,
            "regime": not is_delegate or raw.entity_kind == EntityKind.EPS,
            "department": not is_delegate or is_natural_provider,
            "municipality": not is_delegate or is_natural_provider,
        }
        if raw.entity_kind and not is_delegate:
            self._fail("entity", _OUT_OF_PLACE["entity"])
        for field, is_right in has_place.items():
            if not is_right and visible(getattr(raw, field)):
                self._fail(field, _OUT_OF_PLACE[field])

    def _provider(self) -> Entity | None:
        self.require_answer("has_nit", is_answered=self._raw.has_nit is not None)
        if self._raw.has_nit is None:
            return None
        return self._entity_with_nit(EntityKind.PROVIDER) if self._raw.has_nit else self._natural_provider()

    def _entity_with_nit(self, kind: EntityKind, regime: Regime | None = None) -> Entity | None:
        text = self._required("nit")
        nit = self._parsed("nit", lambda: parse_nit(text)) if text else None
        return Entity(kind=kind, regime=regime, nit=nit) if nit else None

    def _natural_provider(self) -> Entity | None:
        department = self._choice("department", [item.code for item in divipola.departments()])
        municipality = self._required("municipality")
        if not department or not municipality:
            return None
        municipality = divipola.current_code(municipality)
        if not divipola.is_municipality_of(municipality, department):
            self._fail("municipality", _FOREIGN_MUNICIPALITY)
            return None
        return Entity(kind=EntityKind.PROVIDER, department=department, municipality=municipality)

    def _required(self, field: str) -> str:
        text: str = visible(getattr(self._raw, field))
        self.require_answer(field, is_answered=bool(text))
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
    """Fold a professional registration: capitals, spaces, dashes, words in front.

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
    if not folded_registration(folded):
        raise ValueError("Escriba el registro profesional con su número")
    return folded.upper()
