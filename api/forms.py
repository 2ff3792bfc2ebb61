"""From what a browser or a program sent to the domain's own fields."""

from collections.abc import Iterable
from dataclasses import fields

from starlette.datastructures import FormData

from mipres.domain.documents import DOCUMENT_RULES
from mipres.domain.errors import FieldError
from mipres.domain.submissions import RawSubmission, UserType

# Longer than any field's own limit, so that each field can say what is wrong with it.
_MAX_FIELD = 500
DOCUMENT_OPTIONS = [(code.value, rule.label) for code, rule in DOCUMENT_RULES.items()]
_TEXT_FIELDS = [
    field.name for field in fields(RawSubmission) if field.name not in {"user_type", "acepta_datos"}
]


def text_of(form: FormData, name: str) -> str:
    """The value of a field as text; a file counts for nothing, and of a repeated field the last counts."""
    value = form.get(name)
    return value[:_MAX_FIELD] if isinstance(value, str) else ""


def submission_of(user_type: UserType, form: FormData) -> RawSubmission:
    """Only the fields that exist are read; others are ignored."""
    texts = {name: text_of(form, name) for name in _TEXT_FIELDS}
    return RawSubmission(user_type=user_type, acepta_datos=text_of(form, "acepta_datos") == "SI", **texts)


def by_field(errors: Iterable[FieldError]) -> dict[str, str]:
    """First message of each field, in the order of the form."""
    messages: dict[str, str] = {}
    for error in errors:
        messages.setdefault(error.field, error.message)
    return messages
