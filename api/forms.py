"""Between the names of the web forms and the domain's own."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from starlette.datastructures import FormData

from mipres.domain import divipola
from mipres.domain.documents import DOCUMENT_RULES
from mipres.domain.errors import FieldError, InvalidSubmissionError
from mipres.domain.passwords import normalise_password
from mipres.domain.submissions import ENTITY_KIND_LABELS, EntityKind, RawSubmission, Submission, UserType

# Longer than any field's own limit, so that each field can say what is wrong with it.
_MAX_FIELD = 500
DOCUMENT_OPTIONS = [(code.value, rule.label) for code, rule in DOCUMENT_RULES.items()]
_FORM_NAMES = {
    "entity_kind": "tipo_entidad",
    "regime": "regimen",
    "has_nit": "tiene_nit",
    "nit": "nit",
    "department": "departamento",
    "municipality": "municipio",
    "document_type": "tipo_documento",
    "document_number": "numero_documento",
    "professional_registration": "registro_profesional",
    "terms_accepted": "acepta_datos",
}
DOCUMENT_FIELDS = ("tipo_documento", "numero_documento")
REGISTRATION_FIELDS = tuple(_FORM_NAMES.values())
_TEXT_FIELDS = {
    domain: name
    for domain, name in _FORM_NAMES.items()
    if domain not in {"entity_kind", "has_nit", "terms_accepted"}
}
_PROVIDER = "PROVEEDOR"
_YES, _NO = "SI", "NO"


def _chosen(kind: EntityKind) -> str:
    return _PROVIDER if kind is EntityKind.PROVIDER else kind.value


ENTITY_KIND_OPTIONS = [(_chosen(kind), label) for kind, label in ENTITY_KIND_LABELS.items()]


def text_of(form: FormData, name: str) -> str:
    """Read a field as text: nothing of a file, and the last of repeated fields."""
    value = form.get(name)
    return value[:_MAX_FIELD] if isinstance(value, str) else ""


def whole_text_of(form: FormData, name: str) -> str:
    """Read what a script wrote, whole: the limit of bodies is its limit."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def secret_of(form: FormData, name: str) -> str:
    """Read a password in its normal form, and whole: a cut one would be another."""
    value = form.get(name)
    return normalise_password(value) if isinstance(value, str) else ""


def typed_in(form: FormData, names: Iterable[str]) -> dict[str, str]:
    """Read only the fields that exist, and ignore every other."""
    return {name: text_of(form, name) for name in names}


def raw_submission(user_type: UserType, typed: Mapping[str, str]) -> RawSubmission:
    kind = typed.get("tipo_entidad", "")
    return RawSubmission(
        user_type=user_type,
        entity_kind=EntityKind.PROVIDER if kind == _PROVIDER else kind,
        has_nit={_YES: True, _NO: False}.get(typed.get("tiene_nit", "")),
        terms_accepted=typed.get("acepta_datos") == _YES,
        **{domain: typed.get(name, "") for domain, name in _TEXT_FIELDS.items()},
    )


def typed_for(submission: Submission) -> dict[str, str]:
    """Fill in the form with what was submitted: the inverse of `raw_submission`."""
    entity, document = submission.entity, submission.document
    texts = {
        "tipo_documento": document.type.value,
        "numero_documento": document.number,
        "registro_profesional": submission.professional_registration,
        "acepta_datos": _YES,
    }
    if entity:
        is_provider = entity.kind is EntityKind.PROVIDER
        texts |= {
            "tipo_entidad": _chosen(entity.kind),
            "regimen": entity.regime and entity.regime.value,
            "tiene_nit": (_NO if entity.is_natural_person else _YES) if is_provider else None,
            "nit": entity.nit,
            "departamento": entity.department,
            "municipio": entity.municipality,
        }
    return {name: text for name, text in texts.items() if text}


def form_errors(error: InvalidSubmissionError) -> tuple[FieldError, ...]:
    """Name each error by its field in the form."""
    return tuple(replace(item, field=_FORM_NAMES[item.field]) for item in error.errors)


def by_field(errors: Iterable[FieldError]) -> dict[str, str]:
    """Keep the first message of each field, in the order of the errors."""
    messages: dict[str, str] = {}
    for error in errors:
        messages.setdefault(error.field, error.message)
    return messages


def municipality_options(department: str) -> list[tuple[str, str]]:
    return [(item.code, item.name) for item in divipola.municipalities(department)]
