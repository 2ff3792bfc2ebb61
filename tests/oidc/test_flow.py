"""An application logs a person in: what it gets, and what it does not."""

import asyncio
import base64
import re
from datetime import timedelta
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, quote, quote_plus, urlsplit

import pyotp
import pytest
from joserfc.jwk import ECKey, KeySet
from joserfc.jws import extract_compact
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.accounts import PostgresAccounts
from mipres.domain.clients import secret_hash
from mipres.oidc_keys import SigningKeys, fresh_key, read_keys, signed, write_keys
from tests.api.conftest import hidden
from tests.database.registrations import DELEGATE, registration
from tests.oidc.conftest import (
    BACK,
    ISSUER,
    LOGIN,
    PASSWORD,
    SECRET,
    VERIFIER,
    SetStage,
    entry,
    log_in_at,
    refresh_of,
)

FACTOR = "/cuenta/segundo-factor"
OFFLINE = "openid offline_access"


async def test_an_application_learns_who_is_in(set_stage: SetStage) -> None:
    stage = await set_stage()
    got = await stage.exchange(code=await stage.code())
    assert (got.status_code, got.headers["cache-control"]) == (200, "no-store")
    tokens = got.json()
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 300)
    assert "refresh_token" not in tokens
    claims = await stage.claims(tokens["id_token"])
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (ISSUER, "app", "n1")
    assert (claims["preferred_username"], claims["amr"], claims["acr"]) == (LOGIN, ["pwd"], "urn:mipres:pwd")
    assert claims["exp"] - claims["iat"] == 300
    assert {"sub", "sid", "auth_time"} <= claims.keys()
    assert LOGIN[2:] not in claims["sub"]
    person = (await stage.userinfo(tokens["access_token"])).json()
    assert person["sub"] == claims["sub"]
    assert person["document"] == {"type": "CC", "number": LOGIN[2:]}
    assert [item["user_type"] for item in person["profiles"]] == ["professional"]
    assert person["roles"] == sorted({role for item in person["profiles"] for role in item["roles"]})


async def test_claims_follow_the_scopes(set_stage: SetStage) -> None:
    stage = await set_stage()
    tokens = (await stage.exchange(code=await stage.code(scope="openid"))).json()
    person = (await stage.userinfo(tokens["access_token"])).json()
    assert person.keys() == {"sub", "preferred_username", "name"}


async def test_the_same_person_keeps_one_subject(set_stage: SetStage) -> None:
    stage = await set_stage()
    first = (await stage.exchange(code=await stage.code())).json()
    again = await stage.answer(stage.request())
    second = (await stage.exchange(code=again["code"])).json()
    subjects = {(await stage.claims(tokens["id_token"]))["sub"] for tokens in (first, second)}
    assert len(subjects) == 1


async def test_a_person_who_is_in_gets_a_code_at_once_and_the_answer_names_its_issuer(
    set_stage: SetStage,
) -> None:
    stage = await set_stage()
    await stage.code()
    answer = await stage.answer(stage.request(state="s2"))
    assert (answer["state"], answer["iss"]) == ("s2", ISSUER)
    assert answer["code"]


async def test_a_delegate_is_shown_the_right_door_and_gets_no_code(set_stage: SetStage) -> None:
    stage = await set_stage(DELEGATE)
    page = await stage.log_in(stage.request())
    assert "Su usuario no ingresa por aquí" in page.text
    assert "/ingreso/administracion" in page.text
    assert (await stage.answer(stage.request(prompt="none")))["error"] == "login_required"


async def test_an_application_for_everybody_asks_for_the_door(set_stage: SetStage) -> None:
    stage = await set_stage(DELEGATE, audience="everybody")
    page = await stage.browser.get(stage.request())
    assert "Historia clínica pide que usted se identifique" in page.text
    assert 'href="/ingreso/administracion?volver=' in page.text


@pytest.mark.parametrize("demand", [{"prompt": "login"}, {"prompt": "select_account"}, {"max_age": "0"}])
async def test_who_is_in_at_one_door_may_log_in_again_at_the_other(
    set_stage: SetStage, accounts: PostgresAccounts, demand: dict[str, str]
) -> None:
    await accounts.register(registration(DELEGATE))
    stage = await set_stage(audience="everybody")
    await log_in_at(stage, "mipres")
    doors = await stage.browser.get(stage.request(**demand))
    [link] = re.findall(r'href="(/ingreso/administracion\?volver=[^"]+)"', doors.text)
    page = await stage.log_in(unescape(link))
    assert (await stage.answer(refresh_of(page)))["code"]
    # Another request asks again.
    assert (
        "Historia clínica pide que usted se identifique"
        in (await stage.browser.get(stage.request(**demand))).text
    )


async def test_prompt_login_asks_again_and_then_is_content(set_stage: SetStage) -> None:
    stage = await set_stage()
    await stage.code()
    again = await stage.browser.get(stage.request(prompt="login"))
    assert again.url.path == "/ingreso/mipres"
    assert await stage.code(prompt="login")


async def test_a_login_that_is_too_old_is_asked_for_again(set_stage: SetStage, engine: AsyncEngine) -> None:
    stage = await set_stage()
    await stage.code()
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE sessions SET authenticated_at = now() - interval '10 minutes'"))
    old = await stage.claims(
        (await stage.exchange(**await stage.answer(stage.request(max_age="900")))).json()["id_token"]
    )
    assert (await stage.answer(stage.request(max_age="300", prompt="none")))["error"] == "login_required"
    new = await stage.claims((await stage.exchange(code=await stage.code(max_age="300"))).json()["id_token"])
    assert old["auth_time"] + 600 <= new["auth_time"] <= new["iat"]


@pytest.mark.parametrize("given", [{"prompt": "none"}, {"prompt": "none", "max_age": "0"}])
async def test_without_a_page_there_is_an_error_and_no_login(
    set_stage: SetStage, given: dict[str, str]
) -> None:
    stage = await set_stage()
    answer = await stage.answer(stage.request(**given))
    assert (answer["error"], answer["state"], answer["iss"]) == ("login_required", "s1", ISSUER)


@pytest.mark.parametrize("state", ['{"a":"b"}', "a\\b", "á é ñ", "a b+c&d=e%20/?#;", "x" * 4096, "'<script>"])
async def test_an_answer_has_the_very_state_of_its_request(set_stage: SetStage, state: str) -> None:
    stage = await set_stage(redirect_uris=[BACK, f"{BACK}?mode=&x=1"])
    page = await stage.log_in(stage.request(state=state))
    answer = await stage.answer(refresh_of(page))
    assert (answer["state"], "code" in answer) == (state, True)
    refused = await stage.answer(stage.request(state=state, response_type="token"))
    assert (refused["state"], refused["iss"]) == (state, ISSUER)
    # An address keeps its own query (RFC 6749, section 3.1.2).
    with_query = stage.request(state=state, redirect_uri=f"{BACK}?mode=&x=1")
    reply = await stage.browser.get(with_query, follow_redirects=False)
    assert reply.headers["Location"].startswith(f"{BACK}?mode=&x=1&code=")


@pytest.mark.parametrize(
    ("address", "joined"), [(f"{BACK}?", f"{BACK}?code="), (f"{BACK}?x=1&", f"{BACK}?x=1&code=")]
)
async def test_an_address_may_end_where_its_query_begins(
    set_stage: SetStage, address: str, joined: str
) -> None:
    """Else the application would get a parameter named `?code`."""
    stage = await set_stage(redirect_uris=[address])
    page = await stage.log_in(stage.request(redirect_uri=address))
    reply = await stage.browser.get(refresh_of(page), follow_redirects=False)
    assert reply.headers["Location"].startswith(joined)


async def test_what_means_nothing_here_is_ignored(set_stage: SetStage) -> None:
    """Unknown parameters, and those without a value (RFC 6749, section 3.1)."""
    stage = await set_stage()
    await stage.code()
    hints = {"display": "popup", "ui_locales": "fr es", "claims_locales": "x", "login_hint": "Ñandú"}
    empty = ("request", "request_uri", "registration", "response_mode", "max_age", "id_token_hint", "prompt")
    for given in (
        hints,
        {"claims": '{"id_token":{"acr":null}}'},
        {"unknown": 'ñ"\\'},
        {"unknown": "x" * 9000},
        dict.fromkeys((*empty, "acr_values", "nonce"), ""),
    ):
        assert "code" in await stage.answer(stage.request(**given)), given
    twice = await stage.answer(f"{stage.request()}&resource=a&resource=b")
    assert (await stage.exchange(code=twice["code"], unknown='ñ"\\', scope="")).status_code == 200


async def test_an_access_token_may_have_less_and_the_refresh_token_keeps_all(set_stage: SetStage) -> None:
    stage = await set_stage()
    scope = "openid email offline_access"
    first = (await stage.exchange(code=await stage.code(scope=scope))).json()
    renew = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], "code_verifier": None}
    more = await stage.exchange(**renew, scope="openid mipres")
    assert (more.status_code, more.json()["error"]) == (400, "invalid_scope")
    less = (await stage.exchange(**renew, scope="openid")).json()
    assert less["scope"] == "openid"
    assert "email" not in (await stage.userinfo(less["access_token"])).json()
    # Name and login are of `openid` (Core, section 5.3; RFC 6750, section 3.1).
    bare = (await stage.exchange(**{**renew, "refresh_token": less["refresh_token"]}, scope="email")).json()
    refused = await stage.userinfo(bare["access_token"])
    assert (refused.status_code, refused.content) == (403, b"")
    assert refused.headers["www-authenticate"] == 'Bearer realm="oidc", error="insufficient_scope"'
    again = (await stage.exchange(**{**renew, "refresh_token": bare["refresh_token"]})).json()
    assert again["scope"] == scope
    claims = [await stage.claims(tokens["id_token"]) for tokens in (first, again)]
    assert [claim.pop("nonce", None) for claim in claims] == ["n1", None]
    for same in ("iss", "sub", "aud", "auth_time", "sid", "amr", "acr"):
        assert claims[0][same] == claims[1][same]


async def test_an_access_token_opens_the_claims_by_one_way_at_a_time(set_stage: SetStage) -> None:
    stage = await set_stage()
    token = (await stage.exchange(code=await stage.code())).json()["access_token"]
    in_header, in_form = {"Authorization": f"Bearer {token}"}, {"access_token": token}
    path = "/oidc/userinfo"
    for reply in (
        await stage.browser.get(path, headers=in_header),
        await stage.browser.post(path, headers=in_header),
        await stage.browser.post(path, data=in_form),
    ):
        assert (reply.status_code, reply.json()["preferred_username"]) == (200, LOGIN)
    refused = [
        (await stage.browser.get(path), 401, 'Bearer realm="oidc"'),
        (await stage.browser.get(path, params=in_form), 401, 'Bearer realm="oidc"'),
        (await stage.userinfo("x"), 401, 'Bearer realm="oidc", error="invalid_token"'),
        (
            await stage.browser.post(path, headers=in_header, data=in_form),
            400,
            'Bearer realm="oidc", error="invalid_request"',
        ),
    ]
    for reply, status, challenge in refused:
        assert (reply.status_code, reply.headers["www-authenticate"]) == (status, challenge)
        assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("secret", ["a b+c%41:/=?", "contraseña de la aplicación"])
async def test_a_secret_may_have_any_characters(set_stage: SetStage, secret: str) -> None:
    stage = await set_stage(client_secret_hash=secret_hash(secret))
    await stage.code()
    given = {"grant_type": "authorization_code", "redirect_uri": BACK, "code_verifier": VERIFIER}
    for encoded in (quote_plus(secret), quote(secret, safe="")):
        code = (await stage.answer(stage.request()))["code"]
        basic = base64.b64encode(f"app:{encoded}".encode()).decode()
        reply = await stage.browser.post(
            "/oidc/token", data={**given, "code": code}, headers={"Authorization": f"Basic {basic}"}
        )
        assert reply.status_code == 200, reply.text
    code = (await stage.answer(stage.request()))["code"]
    assert (await stage.exchange(code=code, client_secret=secret)).status_code == 200


async def test_a_refresh_token_comes_with_offline_access_and_is_replaced(set_stage: SetStage) -> None:
    stage = await set_stage()
    first = (await stage.exchange(code=await stage.code(scope=OFFLINE))).json()
    renew = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], "code_verifier": None}
    second = (await stage.exchange(**renew)).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert (await stage.userinfo(second["access_token"])).status_code == 200
    replayed = await stage.exchange(**renew)
    assert (replayed.status_code, replayed.json()["error"]) == (400, "invalid_grant")
    # The replay ended the family: what the rightful holder got is worth nothing any more.
    assert (await stage.userinfo(second["access_token"])).status_code == 401
    after = await stage.exchange(**{**renew, "refresh_token": second["refresh_token"]})
    assert after.status_code == 400


async def test_of_many_exchanges_at_once_one_gets_tokens_that_the_others_end(set_stage: SetStage) -> None:
    stage = await set_stage()
    code = await stage.code()
    answers = await asyncio.gather(*(stage.exchange(code=code) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 5]
    tokens = next(answer.json() for answer in answers if answer.status_code == 200)
    assert (await stage.userinfo(tokens["access_token"])).status_code == 401


async def test_a_new_password_ends_what_applications_have(set_stage: SetStage, engine: AsyncEngine) -> None:
    stage = await set_stage()
    tokens = (await stage.exchange(code=await stage.code(scope=OFFLINE))).json()
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE accounts SET password_hash = 'another'"))
    assert (await stage.userinfo(tokens["access_token"])).status_code == 401
    renew = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "code_verifier": None}
    assert (await stage.exchange(**renew)).json()["error"] == "invalid_grant"


async def test_a_profile_that_is_suspended_leaves_nothing_to_claim(
    set_stage: SetStage, engine: AsyncEngine
) -> None:
    stage = await set_stage()
    tokens = (await stage.exchange(code=await stage.code(scope=OFFLINE))).json()
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE profiles SET support_suspended_at = now()"))
    assert (await stage.userinfo(tokens["access_token"])).status_code == 401
    own = {"client_id": "app", "client_secret": SECRET, "token": tokens["access_token"]}
    assert (await stage.browser.post("/oidc/introspect", data=own)).json() == {"active": False}
    renew = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "code_verifier": None}
    assert (await stage.exchange(**renew)).status_code == 400


async def test_a_placement_that_ends_by_its_date_opens_nothing_from_that_day(
    set_stage: SetStage, engine: AsyncEngine
) -> None:
    stage = await set_stage()
    tokens = (await stage.exchange(code=await stage.code(scope=OFFLINE))).json()
    code = (await stage.answer(stage.request()))["code"]
    async with engine.begin() as connection:
        # As time does it: no trigger hears of it.
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text("UPDATE profiles SET ends_on = current_date - 3"))
    assert (await stage.userinfo(tokens["access_token"])).status_code == 401
    own = {"client_id": "app", "client_secret": SECRET, "token": tokens["access_token"]}
    assert (await stage.browser.post("/oidc/introspect", data=own)).json() == {"active": False}
    renew = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "code_verifier": None}
    assert (await stage.exchange(**renew)).json()["error"] == "invalid_grant"
    assert (await stage.exchange(code=code)).json()["error"] == "invalid_grant"
    assert (await stage.answer(stage.request(prompt="none")))["error"] == "login_required"


async def test_introspection_and_revocation_are_of_the_clients_own_tokens(set_stage: SetStage) -> None:
    stage = await set_stage()
    tokens = (await stage.exchange(code=await stage.code())).json()
    own = {"client_id": "app", "client_secret": SECRET}
    asked = await stage.browser.post("/oidc/introspect", data={"token": tokens["access_token"], **own})
    seen = asked.json()
    assert (seen["active"], seen["client_id"], seen["username"]) == (True, "app", LOGIN)
    for token in ("x", 'ñ"\\'):
        unknown = await stage.browser.post("/oidc/introspect", data={"token": token, **own})
        assert unknown.json() == {"active": False}
        assert (await stage.browser.post("/oidc/revoke", data={"token": token, **own})).status_code == 200
    given = {"token": tokens["access_token"], "token_type_hint": "something", **own}
    assert (await stage.browser.post("/oidc/revoke", data=given)).status_code == 200
    assert (await stage.userinfo(tokens["access_token"])).status_code == 401
    stranger = await stage.browser.post("/oidc/introspect", data={"token": "x", "client_id": "app"})
    assert stranger.status_code == 401


async def test_discovery_names_what_there_is(set_stage: SetStage) -> None:
    stage = await set_stage()
    reply = await stage.browser.get("/.well-known/openid-configuration")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/json")
    found = reply.json()
    # Core says so of every provider (section 15.1).
    assert "RS256" in found["id_token_signing_alg_values_supported"]
    assert (found["response_types_supported"], found["subject_types_supported"]) == (["code"], ["public"])
    assert {"openid", "offline_access"} <= set(found["scopes_supported"])
    endpoints = [address for name, address in found.items() if name.endswith(("_endpoint", "_uri"))]
    assert len(endpoints) == 7
    for address in endpoints:
        assert address.startswith(f"{ISSUER}/oidc/")
        assert (await stage.browser.get(address.removeprefix(ISSUER))).status_code != 404
    assert (found["issuer"], found["code_challenge_methods_supported"]) == (ISSUER, ["S256"])
    assert found["authorization_response_iss_parameter_supported"] is True
    assert found["backchannel_logout_supported"] is True
    assert found["backchannel_logout_session_supported"] is True
    jwks = (await stage.browser.get("/oidc/jwks")).json()
    assert all("d" not in key and key["kid"] and key["use"] == "sig" for key in jwks["keys"])


async def test_logging_out_at_the_application_ends_the_session_here(set_stage: SetStage) -> None:
    stage = await set_stage()
    tokens = (await stage.exchange(code=await stage.code())).json()
    given = {
        "id_token_hint": tokens["id_token"],
        "post_logout_redirect_uri": "https://app.example/fuera",
        "state": "s9",
    }
    reply = await stage.browser.get("/oidc/logout", params=given, follow_redirects=False)
    assert reply.headers["Location"] == "https://app.example/fuera?state=s9"
    assert (await stage.answer(stage.request(prompt="none")))["error"] == "login_required"
    assert (await stage.userinfo(tokens["access_token"])).status_code == 401


async def test_logging_out_at_the_application_leaves_nothing_for_the_next_person(
    set_stage: SetStage,
) -> None:
    """The answer to a form can be read for half an hour, by Back."""
    stage = await set_stage()
    page = await stage.log_in(stage.request(), "wrong")
    typed = f'value="{LOGIN}"'
    assert typed in (await stage.browser.get(str(page.url))).text
    tokens = (await stage.exchange(code=await stage.code())).json()
    await stage.browser.get("/oidc/logout", params={"id_token_hint": tokens["id_token"]})
    assert typed not in (await stage.browser.get(str(page.url))).text


async def test_leaving_one_application_leaves_the_others_of_a_session_that_has_run_out(
    set_stage: SetStage, engine: AsyncEngine
) -> None:
    stage = await set_stage(others=(entry(client_id="other"),))
    tokens = (await stage.exchange(code=await stage.code())).json()
    code = (await stage.answer(stage.request(client_id="other")))["code"]
    other = (await stage.exchange(code=code, client_id="other")).json()["access_token"]
    given = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": "https://app.example/fuera"}
    # In a browser without the session, which is open elsewhere, the hint ends nothing.
    stage.browser.cookies.clear()
    for rests in (timedelta(minutes=1), timedelta(minutes=16)):
        assert (await stage.userinfo(other)).status_code == 200
        async with engine.begin() as connection:
            await connection.execute(
                text("UPDATE sessions SET last_seen_at = now() - cast(:rests AS interval)"), {"rests": rests}
            )
        reply = await stage.browser.get("/oidc/logout", params=given, follow_redirects=False)
        assert reply.headers["Location"] == "https://app.example/fuera"
    assert (await stage.userinfo(other)).status_code == 401


async def test_leaving_an_application_of_a_session_that_has_run_out_does_not_wait_for_another_session(
    set_stage: SetStage, accounts: PostgresAccounts, engine: AsyncEngine
) -> None:
    """The person is asked about the session that is open now."""
    await accounts.register(registration(DELEGATE))
    stage = await set_stage()
    tokens = (await stage.exchange(code=await stage.code(scope="openid offline_access"))).json()
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE sessions SET last_seen_at = now() - interval '16 minutes'"))
    await log_in_at(stage, "administracion")
    page = await stage.browser.get("/oidc/logout", params={"id_token_hint": tokens["id_token"]})
    assert "Historia clínica pide terminar su sesión" in page.text
    given = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert (await stage.exchange(**given)).json()["error"] == "invalid_grant"
    assert (await stage.browser.get("/cuenta")).url.path == "/cuenta", "nobody left that one"


async def test_a_hint_may_be_as_long_as_the_profiles_of_its_person(
    set_stage: SetStage, signing_keys: Path
) -> None:
    stage = await set_stage()
    claims = await stage.claims((await stage.exchange(code=await stage.code())).json()["id_token"])
    hint = signed(read_keys(signing_keys), {**claims, "exp": 1, "profiles": claims["profiles"] * 15})
    assert len(hint) > 4000
    given = {
        "id_token_hint": hint,
        "post_logout_redirect_uri": "https://app.example/fuera",
        "state": '{"a":"ñ"}',
        "ui_locales": "es",
        "logout_hint": 'ñ"',
    }
    asked = await stage.browser.post("/oidc/logout", data=given, follow_redirects=False)
    reply = await stage.browser.get(asked.headers["Location"], follow_redirects=False)
    back = urlsplit(reply.headers["Location"])
    assert (back.path, parse_qs(back.query)) == ("/fuera", {"state": ['{"a":"ñ"}']})
    assert (await stage.answer(stage.request(prompt="none")))["error"] == "login_required"


async def test_a_logout_without_proof_asks_the_person(set_stage: SetStage) -> None:
    stage = await set_stage()
    await stage.code()
    given = {"client_id": "app", "post_logout_redirect_uri": "https://app.example/fuera"}
    page = await stage.browser.get("/oidc/logout", params=given)
    assert "Historia clínica pide terminar su sesión" in page.text
    assert f"</span>{LOGIN}<span" in page.text
    assert (await stage.answer(stage.request(prompt="none")))["code"]


@pytest.mark.parametrize(
    "page",
    [
        "/oidc/authorize?client_id=nada",
        "/oidc/authorize?client_id=a&client_id=b",
        "/oidc/logout?client_id=a&client_id=b",
    ],
)
async def test_a_page_that_answers_an_application_says_who_is_in(set_stage: SetStage, page: str) -> None:
    stage = await set_stage()
    assert LOGIN not in (await stage.browser.get(page)).text
    await stage.code()
    shown = await stage.browser.get(page)
    assert (shown.status_code, f"</span>{LOGIN}<span" in shown.text) == (400, True)
    assert shown.headers["cache-control"] == "no-store"
    # What goes to the application, or to its browser, names nobody.
    sent = await stage.browser.get(stage.request(response_type="token"), follow_redirects=False)
    assert LOGIN not in f"{sent.headers}{sent.text}"


async def test_the_page_of_the_doors_says_who_is_in(set_stage: SetStage) -> None:
    stage = await set_stage(audience="everybody")
    page = await stage.browser.get("/ingreso/mipres")
    await stage.browser.post(
        "/ingreso/mipres", data={**hidden(page), "usuario": LOGIN, "contrasena": PASSWORD}
    )
    assert f"</span>{LOGIN}<span" in (await stage.browser.get(stage.request(prompt="login"))).text


async def test_a_form_becomes_a_get(set_stage: SetStage) -> None:
    stage = await set_stage()
    reply = await stage.browser.post(
        "/oidc/authorize", data={"client_id": "app", "redirect_uri": BACK}, follow_redirects=False
    )
    assert reply.status_code == 303
    assert reply.headers["Location"].startswith("/oidc/authorize?client_id=app&redirect_uri=")


@pytest.mark.parametrize("levels", ["urn:mipres:2fa", "urn:unknown urn:mipres:2fa"])
async def test_an_application_can_ask_for_a_second_factor(set_stage: SetStage, levels: str) -> None:
    stage = await set_stage()
    await stage.code()
    answer = await stage.answer(stage.request(acr_values=levels, prompt="none"))
    assert answer["error"] == "interaction_required"
    page = await stage.browser.get(stage.request(acr_values=levels))
    assert page.url.path == "/cuenta/segundo-factor"


async def test_a_rule_for_delegates_is_not_gone_around_by_the_other_door(
    set_stage: SetStage, accounts: PostgresAccounts, engine: AsyncEngine
) -> None:
    """An application for everybody learns the profiles of both doors."""
    await accounts.register(registration(DELEGATE))
    stage = await set_stage(audience="everybody", settings={"second_factor": "delegates"})
    await log_in_at(stage, "mipres")
    assert (await stage.answer(stage.request(prompt="none")))["error"] == "interaction_required"
    assert (await stage.browser.get(stage.request())).url.path == FACTOR
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE profiles SET support_suspended_at = now() WHERE user_type = 'delegate'")
        )
    assert (await stage.answer(stage.request(prompt="none")))["code"]


@pytest.mark.parametrize("levels", ["urn:mipres:pwd", "urn:mipres:2fa urn:mipres:pwd", "urn:unknown", ""])
async def test_a_password_is_enough_where_the_application_takes_it(set_stage: SetStage, levels: str) -> None:
    stage = await set_stage()
    await stage.code()
    assert (await stage.answer(stage.request(acr_values=levels)))["code"]


async def test_a_hint_names_the_only_person_who_will_do(set_stage: SetStage, tmp_path: Path) -> None:
    file, keys = tmp_path / "keys.json", KeySet([fresh_key()])
    write_keys(file, keys)
    stage = await set_stage(settings={"oidc_keys_file": file})
    own = (await stage.exchange(code=await stage.code())).json()["id_token"]
    another = signed(SigningKeys(keys), {**await stage.claims(own), "sub": "another"})
    forged = signed(SigningKeys(KeySet([fresh_key()])), await stage.claims(own))
    answers = [
        await stage.answer(stage.request(id_token_hint=hint, prompt="none"))
        for hint in (own, another, forged)
    ]
    assert answers[0]["code"]
    assert [answer["error"] for answer in answers[1:]] == ["login_required", "invalid_request"]
    # Who logs in as somebody else is not asked again for ever (Core 3.1.2.1).
    page = await stage.log_in(stage.request(id_token_hint=another))
    assert (await stage.answer(refresh_of(page)))["error"] == "login_required"


@pytest.mark.parametrize("own", [None, ECKey.generate_key("P-256", auto_kid=True)])
async def test_tokens_are_signed_with_rs256_if_no_key_asks_for_another(
    set_stage: SetStage, tmp_path: Path, own: ECKey | None
) -> None:
    keys = tmp_path / "keys.json"
    if own:
        write_keys(keys, KeySet([own]))
    stage = await set_stage(settings={"oidc_keys_file": keys} if own else None)
    tokens = (await stage.exchange(code=await stage.code())).json()
    alg = extract_compact(tokens["id_token"].encode()).headers()["alg"]
    assert alg == ("ES256" if own else "RS256")
    assert (await stage.claims(tokens["id_token"]))["aud"] == "app"
    found = (await stage.browser.get("/.well-known/openid-configuration")).json()
    assert "RS256" in found["id_token_signing_alg_values_supported"]


@pytest.mark.parametrize("demand", [{"acr_values": "urn:mipres:2fa"}, {}])
async def test_a_second_factor_that_was_demanded_leads_back_to_the_application(
    set_stage: SetStage, demand: dict[str, str]
) -> None:
    stage = await set_stage(require_second_factor=not demand)
    login = await stage.log_in(stage.request(**demand))
    page = await stage.browser.get(refresh_of(login))
    assert (page.url.path, "la aplicación que pidió su ingreso" in page.text) == (FACTOR, True)
    # A wrong code loses nothing.
    page = await stage.browser.post(f"{FACTOR}/codigos", data={**hidden(page), "codigo": "000"})
    secret = re.findall(r"Clave: <code>([A-Z2-7 ]+)</code>", page.text)[0].replace(" ", "")
    typed = {**hidden(page), "codigo": pyotp.TOTP(secret).now()}
    codes = await stage.browser.post(f"{FACTOR}/codigos", data=typed)
    assert codes.text.count("<li><code>") == 10
    way = re.search(r'href="(/oidc/authorize\?[^"]+)">Ya los guardé', codes.text)
    assert way, codes.text
    tokens = (await stage.exchange(code=(await stage.answer(unescape(way[1])))["code"])).json()
    assert (await stage.claims(tokens["id_token"]))["acr"] == "urn:mipres:2fa"


async def test_a_long_request_survives_the_second_step(set_stage: SetStage) -> None:
    stage = await set_stage()
    await stage.code()
    page = await stage.browser.get(FACTOR)
    secret = re.findall(r"Clave: <code>([A-Z2-7 ]+)</code>", page.text)[0].replace(" ", "")
    typed = {**hidden(page), "codigo": pyotp.TOTP(secret).now()}
    shown = await stage.browser.post(f"{FACTOR}/codigos", data=typed)
    recovery = re.findall(r"<li><code>([0-9A-Z-]{14})</code>", shown.text)
    stage.browser.cookies.clear()
    state = "s" * 1500
    page = await stage.log_in(stage.request(state=state))
    for code in ("000", recovery[0]):
        page = await stage.browser.post(page.url.path, data={**hidden(page), "codigo": code})
    answer = await stage.answer(refresh_of(page))
    assert answer["state"] == state
    claims = await stage.claims((await stage.exchange(code=answer["code"])).json()["id_token"])
    assert (claims["amr"], claims["acr"]) == (["pwd", "otp", "mfa"], "urn:mipres:2fa")


@pytest.mark.parametrize("page", ["https://evil.example/", "//evil.example", "/oidc/authorize", "/salir"])
async def test_a_second_factor_leads_to_applications_only(set_stage: SetStage, page: str) -> None:
    stage = await set_stage()
    await stage.code()
    shown = await stage.browser.get(FACTOR, params={"aplicacion": "mipres", "volver": page})
    assert (shown.status_code, page in hidden(shown).values()) == (200, False)


async def test_a_login_knows_whom_the_application_expects(set_stage: SetStage) -> None:
    stage = await set_stage()
    page = await stage.browser.get(stage.request(login_hint="CC1020304050"))
    assert 'value="CC1020304050"' in page.text
