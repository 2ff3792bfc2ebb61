"""What an attacker tries at the provider, and what comes of it."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from api.oidc.asked import AskedRequests
from mipres.oidc_keys import read_keys, signed
from tests.fakes import FakeClock
from tests.oidc.conftest import (
    BACK,
    CHALLENGE,
    ISSUER,
    LOGIN,
    PASSWORD,
    SECRET,
    VERIFIER,
    SetStage,
    entry,
    refresh_of,
    replays,
)


@pytest.mark.parametrize(
    "address",
    [
        "https://app.example/volver/",
        "https://app.example/volver?x=1",
        "https://app.example/volver#x",
        "https://app.example/VOLVER",
        "https://app.example:443/volver",
        "https://app.example@evil.example/volver",
        "https://app.example.evil.example/volver",
        "http://app.example/volver",
        "//app.example/volver",
        "javascript:alert(1)",
        None,
    ],
)
async def test_an_address_that_is_not_registered_gets_no_browser(
    set_stage: SetStage, address: str | None
) -> None:
    stage = await set_stage()
    reply = await stage.browser.get(stage.request(redirect_uri=address), follow_redirects=False)
    assert (reply.status_code, "location" in reply.headers) == (400, False)
    assert "La aplicación no pudo pedir su ingreso" in reply.text


@pytest.mark.parametrize(
    "given",
    [
        {"code_challenge": None},
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge": CHALLENGE[:-1]},
    ],
)
async def test_there_is_no_way_around_pkce(set_stage: SetStage, given: dict[str, str | None]) -> None:
    stage = await set_stage()
    assert (await stage.answer(stage.request(**given)))["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"request": "x"}, "request_not_supported"),
        ({"request_uri": "https://app.example/r"}, "request_uri_not_supported"),
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"scope": "mipres"}, "invalid_scope"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
    ],
)
async def test_what_is_not_supported_is_said_and_not_ignored(
    set_stage: SetStage, given: dict[str, str | None], error: str
) -> None:
    stage = await set_stage()
    assert (await stage.answer(stage.request(**given)))["error"] == error


@pytest.mark.parametrize("more", ["&client_id=app", f"&redirect_uri={BACK}"])
async def test_an_address_that_stands_twice_gets_no_browser(set_stage: SetStage, more: str) -> None:
    stage = await set_stage()
    reply = await stage.browser.get(stage.request() + more, follow_redirects=False)
    assert (reply.status_code, "location" in reply.headers) == (400, False)


@pytest.mark.parametrize("more", ["nonce=other", "scope=openid", "prompt=none&prompt=none", "max_age=%D9%A3"])
async def test_what_cannot_be_read_is_said_to_the_application(set_stage: SetStage, more: str) -> None:
    """RFC 6749, section 4.1.2.1; Core, section 3.1.2.6."""
    stage = await set_stage()
    await stage.code()
    answer = await stage.answer(f"{stage.request()}&{more}")
    assert (answer.pop("error"), answer.pop("error_description")[:11]) == ("invalid_request", "a parameter")
    assert answer == {"state": "s1", "iss": ISSUER}


@pytest.mark.parametrize("more", ["state=other", "state=s1"])
async def test_of_two_states_none_is_sent_back(set_stage: SetStage, more: str) -> None:
    stage = await set_stage()
    answer = await stage.answer(f"{stage.request()}&{more}")
    assert (answer["error"], "state" in answer) == ("invalid_request", False)


@pytest.mark.parametrize("odd", ['a"b', "a\\b", "á", "\0", "a\nb", "x" * 9000])
@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "response_type"])
async def test_no_text_brings_the_provider_down(set_stage: SetStage, name: str, odd: str) -> None:
    stage = await set_stage()
    reply = await stage.browser.get(stage.request(**{name: odd}), follow_redirects=False)
    assert reply.status_code == (303 if name == "response_type" else 400)
    given = await stage.exchange(**{name: odd, "code": odd[:99]})
    assert given.status_code in {400, 401}


@pytest.mark.parametrize("name", ["state", "nonce"])
async def test_a_control_character_is_no_text(set_stage: SetStage, name: str) -> None:
    stage = await set_stage()
    for odd in ("\0", "a\nb", "x" * 9000):
        answer = await stage.answer(stage.request(**{name: odd}))
        assert (answer["error"], answer.get("state")) == (
            "invalid_request",
            None if name == "state" else "s1",
        )


async def test_odd_credentials_are_wrong_and_no_failure(set_stage: SetStage) -> None:
    stage = await set_stage()
    odd = (b"", b"app", b"app:", b"\xff:\xff", b"%ff:%00", b'a"b:x', "app:ñ".encode())
    values = ["!", "é", *(base64.b64encode(each).decode() for each in odd)]
    for value in values:
        headers = [(b"Authorization", f"Basic {value}".encode())]
        reply = await stage.browser.post(
            "/oidc/token", data={"grant_type": "authorization_code", "code": "x"}, headers=headers
        )
        assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client"), value


async def test_a_login_of_before_is_none_for_this_request(set_stage: SetStage) -> None:
    """Who sits at another's browser must not get around a new login by the address."""
    stage = await set_stage()
    earlier = await stage.browser.get(stage.request(state="earlier", prompt="login"))
    date = parse_qs(urlsplit(parse_qs(earlier.url.query.decode())["volver"][0]).query)["desde"][0]
    await stage.code()
    for forged in (date, "1", "9" * 15, f"1.{date.partition('.')[2]}", "."):
        for demand in ({"prompt": "login"}, {"max_age": "0"}, {"prompt": "select_account"}):
            page = await stage.browser.get(stage.request(**demand, desde=forged))
            assert page.url.path == "/ingreso/mipres", forged
    # The request of before is answered, because the person has logged in since.
    assert (await stage.answer(stage.request(state="earlier", prompt="login", desde=date)))["code"]


@pytest.mark.parametrize("demand", [{"prompt": "login"}, {"max_age": "60"}, {"prompt": "select_account"}])
async def test_the_address_of_an_answered_request_is_no_login_for_long(
    set_stage: SetStage, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch, demand: dict[str, str]
) -> None:
    """The browser's history has it; the person has left the browser alone."""
    early = FakeClock(time=datetime.now(UTC) - timedelta(hours=1))
    dated = AskedRequests.dated
    monkeypatch.setattr(
        AskedRequests, "dated", lambda own, values: dated(AskedRequests(own._keys, clock=early), values)
    )
    stage = await set_stage()
    address = refresh_of(await stage.log_in(stage.request(**demand)))
    for minutes, is_answered in ((5, True), (11, False)):
        async with engine.begin() as connection:
            await connection.execute(
                text("UPDATE sessions SET authenticated_at = now() - make_interval(mins => :minutes)"),
                {"minutes": minutes},
            )
        reply = await stage.browser.get(address, follow_redirects=False)
        assert reply.headers["Location"].startswith(BACK) is is_answered


async def test_a_logout_token_is_no_hint(set_stage: SetStage, signing_keys: Path) -> None:
    stage = await set_stage()
    tokens = (await stage.exchange(code=await stage.code())).json()
    claims = await stage.claims(tokens["id_token"])
    token = signed(read_keys(signing_keys), claims, typ="logout+jwt")
    assert (await stage.answer(stage.request(id_token_hint=token)))["error"] == "invalid_request"
    page = await stage.browser.get("/oidc/logout", params={"id_token_hint": token})
    assert "pide terminar su sesión" in page.text


async def test_a_wrong_verifier_burns_the_code(set_stage: SetStage) -> None:
    stage = await set_stage()
    code = await stage.code()
    assert (await stage.exchange(code=code, code_verifier="w" * 64)).json()["error"] == "invalid_grant"
    assert (await stage.exchange(code=code)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("given", [{"code_verifier": None}, {"redirect_uri": "https://app.example/otra?x=1"}])
async def test_a_code_is_bound_to_its_request(set_stage: SetStage, given: dict[str, str | None]) -> None:
    stage = await set_stage()
    assert (await stage.exchange(code=await stage.code(), **given)).status_code == 400


@pytest.mark.parametrize(
    "given", [{"client_secret": "wrong"}, {"client_secret": None}, {"client_id": "unknown"}]
)
async def test_a_stranger_gets_no_tokens(set_stage: SetStage, given: dict[str, str | None]) -> None:
    stage = await set_stage()
    code = await stage.code()
    reply = await stage.exchange(code=code, **given)
    assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")
    assert "realm=" in reply.headers["www-authenticate"]
    # The rightful client still has its code.
    assert (await stage.exchange(code=code)).status_code == 200


async def test_what_the_token_endpoint_refuses(set_stage: SetStage) -> None:
    stage = await set_stage()
    code = await stage.code()
    refused: dict[str, list[dict[str, str | None]]] = {
        "invalid_request": [{"grant_type": None}, {"code": None}, {"scope": "\0"}],
        "unsupported_grant_type": [
            {"grant_type": "password", "username": LOGIN, "password": PASSWORD},
            {"grant_type": "client_credentials"},
            {"grant_type": "implicit"},
        ],
        "invalid_grant": [{"code": "x"}, {"grant_type": "refresh_token", "refresh_token": code}],
    }
    for error, requests in refused.items():
        for given in requests:
            reply = await stage.exchange(**{"code": code, **given})
            assert (reply.status_code, reply.json()["error"]) == (400, error), given
            assert (reply.headers["cache-control"], reply.headers["pragma"]) == ("no-store", "no-cache")
    address = f"/oidc/token?client_id=app&client_secret={SECRET}"
    # What stands in an address is written into logs, so it proves nothing (RFC 6749, section 2.3.1).
    assert (await stage.browser.post(address, data={"grant_type": "authorization_code"})).status_code == 401
    assert (await stage.browser.get(address)).status_code == 405
    assert (
        await stage.browser.post("/oidc/token", json={"grant_type": "authorization_code"})
    ).status_code == 400
    assert (await stage.exchange(code=code)).status_code == 200


async def test_what_is_out_of_date_opens_nothing(set_stage: SetStage, engine: AsyncEngine) -> None:
    stage = await set_stage()
    tokens = (await stage.exchange(code=await stage.code(scope="openid offline_access"))).json()
    code = (await stage.answer(stage.request()))["code"]
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE oidc_grants SET code_expires_at = now()"))
        await connection.execute(text("UPDATE oidc_tokens SET expires_at = now()"))
    assert (await stage.exchange(code=code)).json()["error"] == "invalid_grant"
    assert (await stage.userinfo(tokens["access_token"])).status_code == 401
    renew = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "code_verifier": None}
    assert (await stage.exchange(**renew)).json()["error"] == "invalid_grant"
    for token in tokens["access_token"], tokens["refresh_token"]:
        asked = {"token": token, "client_id": "app", "client_secret": SECRET}
        assert (await stage.browser.post("/oidc/introspect", data=asked)).json() == {"active": False}


@pytest.mark.parametrize("end", ["password_hash = 'another'", "suspended_at = now()"])
async def test_a_code_ends_with_the_access_of_its_person(
    set_stage: SetStage, engine: AsyncEngine, end: str
) -> None:
    stage = await set_stage()
    code = await stage.code()
    async with engine.begin() as connection:
        await connection.execute(text(f"UPDATE accounts SET {end}"))
    assert (await stage.exchange(code=code)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("what", ["code", "refresh_token"])
async def test_a_replay_is_in_the_trail_without_secrets(
    set_stage: SetStage, engine: AsyncEngine, what: str
) -> None:
    stage = await set_stage()
    code = await stage.code(scope="openid offline_access")
    used = {"grant_type": "authorization_code", "code": code}
    tokens = (await stage.exchange(**used)).json()
    if what == "refresh_token":
        used = {"grant_type": what, what: tokens[what]}
        assert (await stage.exchange(**used)).status_code == 200
    assert await replays(engine) == []
    assert (await stage.exchange(**{**used, what: "unknown"})).json()["error"] == "invalid_grant"
    # Of several at once, and of one that is tried for ever, there is one row.
    refused = await asyncio.gather(*(stage.exchange(**used) for _ in range(3)))
    refused.append(await stage.exchange(**used))
    assert {reply.json()["error"] for reply in refused} == {"invalid_grant"}
    assert await replays(engine) == [("product", True, {"application": "app", "what": what})]
    assert (await stage.userinfo(tokens["access_token"])).status_code == 401


async def test_two_authentications_at_once_are_none(set_stage: SetStage) -> None:
    stage = await set_stage()
    given = {
        "grant_type": "authorization_code",
        "code": await stage.code(),
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
        "client_id": "app",
        "client_secret": SECRET,
    }
    reply = await stage.browser.post("/oidc/token", data=given, auth=("app", SECRET))
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")


async def test_basic_authentication_is_one(set_stage: SetStage) -> None:
    stage = await set_stage()
    given = {
        "grant_type": "authorization_code",
        "code": await stage.code(),
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
    }
    assert (await stage.browser.post("/oidc/token", data=given, auth=("app", SECRET))).status_code == 200


async def test_a_logout_hint_that_another_signed_proves_nothing(set_stage: SetStage) -> None:
    stage = await set_stage()
    tokens = (await stage.exchange(code=await stage.code())).json()
    claims = await stage.claims(tokens["id_token"])
    key = OctKey.import_key((await stage.browser.get("/oidc/jwks")).text)
    forged = jwt.encode({"alg": "HS256"}, claims, key, algorithms=["HS256"])
    given = {"id_token_hint": forged, "post_logout_redirect_uri": "https://app.example/fuera"}
    page = await stage.browser.get("/oidc/logout", params=given)
    assert "pide terminar su sesión" in page.text


@pytest.mark.parametrize(
    "header",
    [b'{"alg":"RS256","crit":5}', b'{"alg":["RS256"]}', b'{"alg":"RS256","kid":{}}', b"[" * 5000, b"\xff"],
)
async def test_no_hint_brings_the_provider_down(set_stage: SetStage, header: bytes) -> None:
    stage = await set_stage()
    hint = f"{base64.urlsafe_b64encode(header).rstrip(b'=').decode()}.e30.x"
    assert (await stage.browser.get("/oidc/logout", params={"id_token_hint": hint})).status_code == 200
    assert (await stage.answer(stage.request(id_token_hint=hint)))["error"] == "invalid_request"


async def test_a_logout_leads_to_registered_addresses_only(set_stage: SetStage) -> None:
    stage = await set_stage(others=(entry(client_id="other"),))
    tokens = (await stage.exchange(code=await stage.code())).json()
    mixed = {"id_token_hint": tokens["id_token"], "client_id": "other"}
    page = await stage.browser.get("/oidc/logout", params=mixed)
    assert (page.status_code, "La aplicación no pudo pedir su salida" in page.text) == (400, True)
    given = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": "https://evil.example/"}
    reply = await stage.browser.get("/oidc/logout", params=given, follow_redirects=False)
    assert reply.headers["Location"] == "/"


async def test_no_site_may_frame_the_provider(set_stage: SetStage) -> None:
    stage = await set_stage(external=True)
    login = await stage.browser.get(stage.request())
    consent = await stage.browser.get(refresh_of(await stage.log_in(stage.request())))
    logout = await stage.browser.get("/oidc/logout")
    for page in (login, consent, logout):
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


async def test_an_answer_is_kept_and_passed_on_by_no_browser(set_stage: SetStage) -> None:
    stage = await set_stage()
    await stage.code()
    reply = await stage.browser.get(stage.request(), follow_redirects=False)
    assert (reply.status_code, reply.headers["referrer-policy"]) == (303, "no-referrer")
    assert (reply.headers["cache-control"], reply.headers["pragma"]) == ("no-store", "no-cache")


@pytest.mark.parametrize(
    "page", ["https://evil.example/", "//evil.example", "/oidc/authorize", "/oidc/authorize?\\evil"]
)
async def test_a_login_leads_to_no_other_page(set_stage: SetStage, page: str) -> None:
    stage = await set_stage()
    after = await stage.log_in(f"/ingreso/mipres?volver={page}")
    assert after.url.path == "/inicio/mipres"


async def test_the_code_of_one_application_is_nothing_to_another(set_stage: SetStage) -> None:
    stage = await set_stage(others=(entry(client_id="other"),))
    code = await stage.code()
    stolen = await stage.exchange(code=code, client_id="other")
    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")


async def test_the_tokens_of_one_application_are_nothing_to_another(set_stage: SetStage) -> None:
    stage = await set_stage(others=(entry(client_id="other"),))
    tokens = (await stage.exchange(code=await stage.code(scope="openid offline_access"))).json()
    other = {"client_id": "other", "client_secret": SECRET}
    for token in (tokens["access_token"], tokens["refresh_token"]):
        seen = await stage.browser.post("/oidc/introspect", data={"token": token, **other})
        assert seen.json() == {"active": False}
        await stage.browser.post("/oidc/revoke", data={"token": token, **other})
    renew = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "code_verifier": None}
    assert (await stage.exchange(client_id="other", **renew)).json()["error"] == "invalid_grant"
    assert (await stage.userinfo(tokens["access_token"])).status_code == 200


async def test_a_hint_for_another_application_is_no_hint(set_stage: SetStage) -> None:
    stage = await set_stage(others=(entry(client_id="other"),))
    tokens = (await stage.exchange(code=await stage.code())).json()
    asked = stage.request(client_id="other", id_token_hint=tokens["id_token"])
    assert (await stage.answer(asked))["error"] == "invalid_request"


async def test_a_login_makes_a_session_that_no_visitor_could_know(set_stage: SetStage) -> None:
    stage = await set_stage()
    planted = "planted-by-an-attacker"
    stage.browser.cookies.set("mipres_sesion_mipres", planted, domain="mipres.test")
    await stage.code()
    kept = [cookie.value for cookie in stage.browser.cookies.jar if cookie.name == "mipres_sesion_mipres"]
    assert kept
    assert planted not in kept
