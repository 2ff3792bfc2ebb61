import json
from typing import Any

import pytest
from pydantic import ValidationError

from api.v1.models import PATHS, RegistrationIn
from mipres.domain.errors import InvalidSubmissionError
from mipres.domain.submissions import check_submission

BODY = {"user_type": "other", "document": {"type": "CC", "number": "1020304050"}}


def test_the_terms_are_accepted_by_true() -> None:
    body = json.dumps(BODY | {"data_terms_accepted": True})
    assert RegistrationIn.model_validate_json(body).raw().terms_accepted


@pytest.mark.parametrize("accepted", [1, "true", "True", "yes", "on", "SI", 1.0, None, [], {}])
def test_nothing_else_accepts_the_terms(accepted: object) -> None:
    with pytest.raises(ValidationError, match="data_terms_accepted"):
        RegistrationIn.model_validate_json(json.dumps(BODY | {"data_terms_accepted": accepted}))


FIELDS = {
    "professional_registration": "76-1234",
    "entity.regime": "CONTRIBUTIVO",
    "entity.department": "11",
    "entity.municipality": "11001",
}
"""Each field that some registrations have and others do not.

`entity.nit` makes a provider another one.
"""
ENTITIES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "IPS": ({"nit": "900123456"}, set()),
    "EPS": ({"nit": "900123456", "regime": "SUBSIDIADO"}, {"entity.regime"}),
    "PROVIDER": ({"nit": "900123456"}, set()),
    "PROVIDER without NIT": (
        {"department": "11", "municipality": "11001"},
        {"entity.department", "entity.municipality"},
    ),
}
"""A whole entity of each kind, and which of FIELDS it has."""


def blamed(body: dict[str, Any]) -> dict[str, str]:
    """What the API answers to a body, by field."""
    raw = RegistrationIn.model_validate_json(json.dumps(body | {"data_terms_accepted": True})).raw()
    try:
        check_submission(raw, is_exact=True)
    except InvalidSubmissionError as error:
        return {PATHS[item.field]: item.message for item in error.errors}
    return {}


def with_field(body: dict[str, Any], field: str, value: str | None) -> dict[str, Any]:
    within, _, name = field.rpartition(".")
    return body | ({within: body[within] | {name: value}} if within else {name: value})


@pytest.mark.parametrize("kind", ENTITIES)
def test_a_delegate_has_the_fields_of_the_entity_and_no_other(kind: str) -> None:
    entity, own = ENTITIES[kind]
    body = BODY | {"user_type": "delegate", "entity": {"kind": kind.partition(" ")[0], **entity}}
    assert blamed(body) == {}
    for field, value in FIELDS.items():
        found = blamed(with_field(body, field, value))
        assert list(found) == ([] if field in own else [field])
        assert all(message.startswith("Quite ") for message in found.values())
        assert field in own or blamed(with_field(body, field, None)) == {}
    if not entity.get("nit"):
        assert set(blamed(with_field(body, "entity.nit", "900123456"))) == own


@pytest.mark.parametrize("user_type", ["professional", "social_service", "other"])
def test_no_other_type_has_an_entity_and_only_one_a_professional_registration(user_type: str) -> None:
    is_professional = user_type == "professional"
    body = BODY | {"user_type": user_type}
    registered = body | {"professional_registration": "76-1234"}
    assert list(blamed(registered)) == ([] if is_professional else ["professional_registration"])
    whole = registered if is_professional else body
    assert blamed(whole) == {}
    for kind, (entity, _) in ENTITIES.items():
        found = blamed(whole | {"entity": {"kind": kind.partition(" ")[0], **entity}})
        assert found == {"entity": "Quite la entidad: solo la lleva un delegado administrativo"}
