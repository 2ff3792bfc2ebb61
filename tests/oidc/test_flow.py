"""An application logs a person in: what it gets, and what it does not."""

import asyncio
import re
from html import unescape
from pathlib import Path

import pyotp
import pytest
from joserfc.jwk import KeySet, RSAKey
from joserfc.jws import extract_compact
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.oidc_keys import SigningKeys, fresh_key, signed, write_keys
from tests.api.conftest import hidden
from tests.database.registrations import DELEGATE
from tests.oidc.conftest import BACK, ISSUER, LOGIN, SECRET, SetStage, refresh_of

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


async def test_prompt_login_asks_again_and_then_is_content(set_stage: SetStage) -> None:
    stage = await set_stage()
    await stage.code()
    again = await stage.browser.get(stage.request(prompt="login"))
    assert again.url.path == "/ingreso/mipres"
    assert await stage.code(prompt="login")


@pytest.mark.parametrize("given", [{"prompt": "none"}, {"prompt": "none", "max_age": "0"}])
async def test_without_a_page_there_is_an_error_and_no_login(
    set_stage: SetStage, given: dict[str, str]
) -> None:
    stage = await set_stage()
    answer = await stage.answer(stage.request(**given))
    assert (answer["error"], answer["state"], answer["iss"]) == ("login_required", "s1", ISSUER)


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


async def test_introspection_and_revocation_are_of_the_clients_own_tokens(set_stage: SetStage) -> None:
    stage = await set_stage()
    tokens = (await stage.exchange(code=await stage.code())).json()
    own = {"client_id": "app", "client_secret": SECRET}
    asked = await stage.browser.post("/oidc/introspect", data={"token": tokens["access_token"], **own})
    seen = asked.json()
    assert (seen["active"], seen["client_id"], seen["username"]) == (True, "app", LOGIN)
    unknown = await stage.browser.post("/oidc/introspect", data={"token": "x", **own})
    assert unknown.json() == {"active": False}
    given = {"token": tokens["access_token"], "token_type_hint": "something", **own}
    assert (await stage.browser.post("/oidc/revoke", data=given)).status_code == 200
    assert (await stage.userinfo(tokens["access_token"])).status_code == 401
    stranger = await stage.browser.post("/oidc/introspect", data={"token": "x", "client_id": "app"})
    assert stranger.status_code == 401


async def test_discovery_names_what_there_is(set_stage: SetStage) -> None:
    stage = await set_stage()
    found = (await stage.browser.get("/.well-known/openid-configuration")).json()
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


async def test_a_logout_without_proof_asks_the_person(set_stage: SetStage) -> None:
    stage = await set_stage()
    await stage.code()
    given = {"client_id": "app", "post_logout_redirect_uri": "https://app.example/fuera"}
    page = await stage.browser.get("/oidc/logout", params=given)
    assert "Historia clínica pide terminar su sesión" in page.text
    assert (await stage.answer(stage.request(prompt="none")))["code"]


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


async def test_keys_of_rsa_sign_with_rs256(set_stage: SetStage, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    write_keys(keys, KeySet([RSAKey.generate_key(2048, auto_kid=True)]))
    stage = await set_stage(settings={"oidc_keys_file": keys})
    tokens = (await stage.exchange(code=await stage.code())).json()
    assert extract_compact(tokens["id_token"].encode()).headers()["alg"] == "RS256"
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
