"""What an application's entry may say, and by what it proves who it is."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import ECKey, KeySet, OctKey

from mipres.domain.clients import UnusableClientError, secret_hash
from mipres.oidc_clients import usable

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
KEY = ECKey.generate_key("P-256", auto_kid=True)
KEYS = KeySet([KEY]).as_dict(private=False)
POINT = KEYS["keys"][0]


NO_ADDRESSES = (
    "https://app.example/#",
    "https://app.example/volver#x",
    "https://[app.example/",
    "https://app.example:99999/",
    "https://app.example:puerto/",
    "https://app.example/mi volver",
    "https://app.example\\@evil.example/",
    "https://@app.example/",
    "https://",
)


def entry(**changed: Any) -> dict[str, Any]:
    """A whole entry; None leaves a field out."""
    whole = {
        "client_id": "app",
        "client_name": "Historia clínica",
        "client_secret_hash": secret_hash("new"),
        "redirect_uris": ["https://app.example/volver"],
        **changed,
    }
    return {name: value for name, value in whole.items() if value is not None}


def test_the_secret_before_counts_until_its_time_is_over() -> None:
    until = {"previous_secret_hash": secret_hash("old"), "previous_secret_until": NOW.isoformat()}
    app = usable([entry(**until)])["app"]
    assert app.has_secret("new", now=NOW)
    assert app.has_secret("old", now=NOW - timedelta(seconds=1))
    assert not app.has_secret("old", now=NOW)
    assert not app.has_secret("", now=NOW)


def test_an_application_with_keys_has_no_secret() -> None:
    app = usable([entry(client_secret_hash=None, jwks=KEYS)])["app"]
    assert (app.jwks, app.has_secret("", now=NOW)) == (KEYS, False)


def _too_short() -> dict[str, Any]:
    numbers = rsa.generate_private_key(65537, 1024).public_key().public_numbers()
    modulus = base64.urlsafe_b64encode(numbers.n.to_bytes(128, "big")).rstrip(b"=").decode()
    return {"kty": "RSA", "n": modulus, "e": "AQAB"}


def _set(*keys: object) -> dict[str, Any]:
    return {"client_secret_hash": None, "jwks": {"keys": list(keys)}}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"client_secret_hash": None}, "client_secret_hash"),
        ({"jwks": KEYS}, "jwks"),
        ({"client_secret_hash": None, "jwks": "https://app.example/jwks"}, "jwks"),
        (_set(), "jwks"),
        (_set(KEY.as_dict(private=True)), "jwks"),
        (_set(OctKey.generate_key(256).as_dict(private=True)), "jwks"),
        (_set(ECKey.generate_key("P-384").as_dict(private=False)), "jwks"),
        (_set(_too_short()), "jwks"),
        (_set({**POINT, "y": POINT["x"]}), "jwks"),
        (_set({**POINT, "x": 1}), "jwks"),
        (_set(POINT, {name: value for name, value in POINT.items() if name != "kid"}), "jwks"),
        (_set(POINT, "key"), "jwks"),
        ({"client_secret_hash": "abc"}, "client_secret_hash"),
        ({"previous_secret_until": "soon"}, "previous_secret_until"),
        ({"require_second_factor": "yes"}, "require_second_factor"),
        ({"disabled": "no"}, "disabled"),
        ({"external": 1}, "external"),
        ({"start_uri": "javascript:alert(1)"}, "start_uri"),
        ({"backchannel_logout_uri": "http://app.example/salida"}, "backchannel_logout_uri"),
        ({"redirect_uris": "https://app.example/volver"}, "redirect_uris"),
        *(({"redirect_uris": [address]}, "redirect_uris") for address in NO_ADDRESSES),
        ({"audience": "all"}, "audience"),
        ({"client_name": None}, "client_name"),
        ({"cliente": "x"}, "cliente"),
    ],
)
def test_a_wrong_entry_is_refused_by_the_name_of_its_field(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(UnusableClientError, match=f"^{field}: "):
        usable([entry(**changed)])
