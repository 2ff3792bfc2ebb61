import json

import pytest
from pydantic import ValidationError

from api.v1.models import RegistrationIn

BODY = {"user_type": "other", "document": {"type": "CC", "number": "1020304050"}}


def test_the_terms_are_accepted_by_true() -> None:
    body = json.dumps(BODY | {"data_terms_accepted": True})
    assert RegistrationIn.model_validate_json(body).raw().terms_accepted


@pytest.mark.parametrize("accepted", [1, "true", "True", "yes", "on", "SI", 1.0, None, [], {}])
def test_nothing_else_accepts_the_terms(accepted: object) -> None:
    with pytest.raises(ValidationError, match="data_terms_accepted"):
        RegistrationIn.model_validate_json(json.dumps(BODY | {"data_terms_accepted": accepted}))
