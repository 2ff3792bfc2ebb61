"""Whom and what a decoded payload is about."""

import json
import re
from collections.abc import Iterator
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.sdk.v1 import WorkflowMetadata

from mipres.domain.documents import DocumentType
from mipres.domain.radicado import is_reference
from mipres.temporal.codec import OPERATOR_SCOPE
from mipres.temporal.names import reference_of

# What the SDK encodes of an error.
_FAILURE = {"message", "stack_trace"}
# What a workflow answers to the question what it is, what it takes and where it stands.
_DESCRIPTION = WorkflowMetadata.DESCRIPTOR.full_name.encode()
_TYPES = "|".join(DocumentType)
# A login, or a document as its own text.
_LOGIN = re.compile(rf"\b({_TYPES}) ?([0-9A-Z]{{3,17}})\b", re.ASCII)


def reference_in(scope: str) -> str | None:
    """The registration or recovery in the scope that a payload's seal covers."""
    place, _, rest = scope.partition("/")
    reference = reference_of(rest.partition("#")[0])
    return reference if place != OPERATOR_SCOPE and is_reference(reference) else None


def logins_in(data: bytes) -> frozenset[str]:
    """Logins of the people whom the data name by document."""
    try:
        return frozenset(_logins(json.loads(data)))
    except (ValueError, RecursionError):
        return frozenset(_in_text(data.decode(errors="replace")))


def is_personal(payload: Payload) -> bool:
    """Whether the payload may be about a person.

    The sentences that explain a workflow, its description of itself, and the errors of its steps are not,
    unless they hold a document or an address.
    """
    try:
        value = json.loads(payload.data)
    except (ValueError, RecursionError):
        return True
    is_explanation = (
        isinstance(value, str)
        or (isinstance(value, dict) and value.keys() == _FAILURE)
        or payload.metadata.get("messageType") == _DESCRIPTION
    )
    return not is_explanation or b"@" in payload.data or bool(logins_in(payload.data))


def _logins(value: Any) -> Iterator[str]:
    match value:
        case {"type": str(kind), "number": str(number), **_rest} if kind in DocumentType.__members__:
            yield f"{kind}{number}"
    match value:
        case dict():
            for item in value.values():
                yield from _logins(item)
        case list():
            for item in value:
                yield from _logins(item)
        case str():
            yield from _in_text(value)


def _in_text(text: str) -> Iterator[str]:
    for kind, number in _LOGIN.findall(text):
        # Words in capitals are none: every number of a document has a digit.
        if any(char.isdigit() for char in number):
            yield f"{kind}{number}"
