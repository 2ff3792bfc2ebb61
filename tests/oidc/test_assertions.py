"""Applications that prove who they are by a key, and what attackers try."""

import asyncio
import base64
import hmac
import json
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.oidc.conftest import ISSUER, SECRET, SetStage, Stage, entry, replays

KEY = ECKey.generate_key("P-256", auto_kid=True)
RSA = RSAKey.generate_key(2048, auto_kid=True)
ANOTHERS = ECKey.generate_key("P-256", auto_kid=True)
OWN = {"client_secret_hash": None, "jwks": KeySet([KEY, RSA]).as_dict(private=False)}
OTHER = entry(client_id="other", client_secret_hash=None, jwks=KeySet([ANOTHERS]).as_dict(private=False))
REPLAYED = ("product", False, {"application": "app", "what": "client_assertion"})
INVALID = (401, "invalid_client")
# It has proved who it is; its code is none.
KNOWN = (400, "invalid_grant")


def assertion(key: Any = KEY, alg: str = "ES256", **changed: Any) -> dict[str, str | None]:
    """The parameters of a request.

    None leaves a claim out; a span of time counts from now.
    """
    whole = {
        "iss": "app",
        "sub": "app",
        "aud": f"{ISSUER}/oidc/token",
        "jti": str(uuid.uuid4()),
        "exp": int(time.time()) + 60,
        **{name: _moment(value) for name, value in changed.items()},
    }
    claims = {name: value for name, value in whole.items() if value is not None}
    header = {"alg": alg, **({"kid": key.kid} if key.kid else {})}
    signed = jwt.encode(header, claims, key, algorithms=[alg])
    return _sent(signed)


def _moment(value: object) -> object:
    return int(time.time() + value.total_seconds()) if isinstance(value, timedelta) else value


def _sent(signed: str) -> dict[str, str | None]:
    return {
        "client_secret": None,
        "client_assertion": signed,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }


def _by_public_key() -> str:
    """An HS256 token whose secret is what everybody may read."""
    _, body, _ = str(assertion()["client_assertion"]).split(".")
    text = f"{_encoded(json.dumps({'alg': 'HS256', 'kid': KEY.kid}).encode())}.{body}"
    return f"{text}.{_encoded(hmac.digest(KEY.as_pem(private=False), text.encode(), 'sha256'))}"


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


async def refusal(stage: Stage, **given: str | None) -> tuple[int, str]:
    reply = await stage.exchange(code="none", **given)
    return reply.status_code, reply.json()["error"]


@pytest.mark.parametrize(("key", "alg"), [(KEY, "ES256"), (RSA, "RS256")])
@pytest.mark.parametrize("named", ["app", None])
async def test_a_key_of_its_own_proves_who_an_application_is(
    set_stage: SetStage, key: Any, alg: str, named: str | None
) -> None:
    stage = await set_stage(**OWN)
    code = await stage.code()
    reply = await stage.exchange(code=code, client_id=named, **assertion(key, alg))
    assert reply.status_code == 200, reply.text
    token = {"token": reply.json()["access_token"]}
    for path, aud in (("introspect", ISSUER), ("revoke", [f"{ISSUER}/oidc/revoke"])):
        given = {name: value for name, value in assertion(key, alg, aud=aud).items() if value}
        answer = await stage.browser.post(f"/oidc/{path}", data={**token, **given})
        assert answer.status_code == 200, answer.text
    assert (await stage.userinfo(reply.json()["access_token"])).status_code == 401


@pytest.mark.parametrize(("hours", "former_answer"), [(1, KNOWN), (-1, INVALID)])
async def test_the_keys_before_a_rotation_count_until_the_stated_moment(
    set_stage: SetStage, hours: int, former_answer: tuple[int, str]
) -> None:
    """Neither key has a name, as an application may have them that always had one."""
    former, newer = (ECKey.generate_key("P-256") for _ in range(2))
    before, after = (KeySet([key]).as_dict(private=False) for key in (former, newer))
    for keys in (before, after):
        keys["keys"][0].pop("kid", None)
    until = (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
    rotated = {
        "client_secret_hash": None,
        "jwks": after,
        "previous_jwks": before,
        "previous_jwks_until": until,
    }
    stage = await set_stage(**rotated)
    assert await refusal(stage, **assertion(newer)) == KNOWN
    assert await refusal(stage, **assertion(former)) == former_answer
    assert await refusal(stage, **assertion(ANOTHERS)) == INVALID


async def test_an_assertion_counts_once(set_stage: SetStage, engine: AsyncEngine) -> None:
    stage = await set_stage(**OWN)
    code, given = await stage.code(), assertion()
    assert await refusal(stage, **given) == KNOWN
    assert await replays(engine) == []
    for path in ("introspect", "revoke"):
        reply = await stage.browser.post(f"/oidc/{path}", data={**_whole(given), "token": "x"})
        assert (reply.status_code, reply.json()["error"]) == INVALID
        assert (await refusal(stage, **given)) == INVALID
    # However often one is sent there is one row, and none of what this application did not sign.
    assert await refusal(stage, **assertion(ANOTHERS)) == INVALID
    assert await replays(engine) == [REPLAYED]
    assert (await stage.exchange(code=code, **assertion())).status_code == 200


async def test_of_two_at_once_one_counts(set_stage: SetStage, engine: AsyncEngine) -> None:
    stage = await set_stage(**OWN)
    given = assertion()
    found = await asyncio.gather(*(refusal(stage, **given) for _ in range(4)))
    assert sorted(found) == [KNOWN, INVALID, INVALID, INVALID]
    assert await replays(engine) == [REPLAYED]


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "https://other.example/oidc/token"},
        {"aud": [ISSUER, "https://other.example/oidc/token"]},
        {"aud": None},
        {"aud": []},
        {"exp": timedelta(minutes=-2)},
        {"exp": timedelta(hours=1)},
        {"exp": None},
        {"exp": float("nan")},
        {"nbf": timedelta(minutes=10)},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"iss": "other"},
        {"sub": None},
        {"sub": ["app"]},
        {"sub": "unknown", "iss": "unknown"},
    ],
)
async def test_an_assertion_for_another_place_or_time_is_none(
    set_stage: SetStage, changed: dict[str, Any]
) -> None:
    stage = await set_stage(**OWN)
    assert await refusal(stage, **assertion(**changed)) == INVALID


async def test_no_other_algorithm_and_no_other_key_count(set_stage: SetStage) -> None:
    stage = await set_stage(others=(OTHER,), **OWN)
    assert await refusal(stage, **_sent(_by_public_key())) == INVALID
    assert await refusal(stage, **assertion(RSA, "PS256")) == INVALID
    assert await refusal(stage, **assertion(ANOTHERS)) == INVALID
    head, body, _ = str(assertion()["client_assertion"]).split(".")
    for unsigned in (f"eyJhbGciOiJub25lIn0.{body}.", f"{head}.{body}.", "x", "a.b.c", f"{head}.WzFd.x"):
        assert await refusal(stage, **_sent(unsigned)) == INVALID
    # Another application may not name this one in the form either.
    assert await refusal(stage, **assertion(ANOTHERS, iss="other", sub="other")) == INVALID
    assert await refusal(stage, **assertion(jti="still-fresh")) == KNOWN


async def test_each_application_has_one_way_to_prove_who_it_is(set_stage: SetStage) -> None:
    by_secret = entry(client_id="by-secret")
    stage = await set_stage(others=(by_secret,), **OWN)
    assert await refusal(stage) == INVALID
    assert await refusal(stage, client_secret="") == INVALID
    both = {**assertion(), "client_secret": SECRET}
    assert await refusal(stage, **both) == (400, "invalid_request")
    code = {"grant_type": "authorization_code", "code": "none"}
    reply = await stage.browser.post(
        "/oidc/token", data={**_whole(assertion()), **code}, auth=("app", SECRET)
    )
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")
    as_another = assertion(iss="by-secret", sub="by-secret")
    assert await refusal(stage, client_id="by-secret", **as_another) == INVALID


def _whole(given: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in given.items() if value is not None}
