"""What a person allows an application outside the state, and takes back."""

from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.api.conftest import hidden
from tests.oidc.conftest import SetStage, Stage, entry, refresh_of

TITLE = "¿Autoriza a Historia clínica?"


async def asked(stage: Stage, **changed: Any) -> httpx2.Response:
    """Log in for the application, and go on to the page that asks."""
    page = await stage.log_in(stage.request(**changed))
    return await stage.browser.get(refresh_of(page))


async def decide(stage: Stage, page: httpx2.Response, decision: str) -> dict[str, str]:
    """Press a button; what the application is answered."""
    return await stage.answer(refresh_of(await press(stage, page, decision)))


async def press(stage: Stage, page: httpx2.Response, decision: str) -> httpx2.Response:
    assert TITLE in page.text
    return await stage.browser.post(
        "/cuenta/aplicaciones/autorizar", data={**hidden(page), "decision": decision}
    )


async def test_a_person_allows_what_the_page_names_and_is_asked_once(set_stage: SetStage) -> None:
    stage = await set_stage(external=True)
    page = await asked(stage, scope="openid email")
    assert "Su correo electrónico" in page.text
    assert "profesión" not in page.text
    assert 'action="/salir"' in page.text, "who is somebody else leaves"
    answer = await decide(stage, page, "si")
    assert (answer["state"], (await stage.exchange(code=answer["code"])).status_code) == ("s1", 200)
    assert "code" in await stage.answer(stage.request(scope="openid"))
    # More than was allowed is asked for again.
    assert TITLE in (await stage.browser.get(stage.request(scope="openid email mipres"))).text


async def test_who_says_no_gives_nothing(set_stage: SetStage) -> None:
    stage = await set_stage(external=True)
    answer = await decide(stage, await asked(stage), "no")
    assert (answer["error"], answer["state"], "code" in answer) == ("access_denied", "s1", False)
    assert TITLE in (await stage.browser.get(stage.request())).text


async def test_without_a_page_there_is_no_consent(set_stage: SetStage) -> None:
    stage = await set_stage(external=True)
    page = await asked(stage)
    assert (await stage.answer(stage.request(prompt="none")))["error"] == "consent_required"
    await press(stage, page, "si")
    assert "code" in await stage.answer(stage.request(prompt="none"))


@pytest.mark.parametrize("prompt", ["consent", "login consent"])
async def test_an_application_can_have_the_person_asked_again(set_stage: SetStage, prompt: str) -> None:
    stage = await set_stage(external=True)
    await press(stage, await asked(stage), "si")
    if prompt == "consent":
        page = await stage.browser.get(stage.request(prompt=prompt))
    else:
        page = await asked(stage, prompt=prompt)
    assert "code" in await decide(stage, page, "si")
    page = await stage.browser.get(stage.request(prompt="consent"))
    assert (await decide(stage, page, "no"))["error"] == "access_denied"


async def test_the_applications_of_the_state_ask_nothing(set_stage: SetStage) -> None:
    stage = await set_stage()
    assert (await stage.exchange(code=await stage.code(prompt="consent"))).status_code == 200


async def test_what_one_application_may_have_another_may_not(set_stage: SetStage) -> None:
    stage = await set_stage(external=True, others=(entry(client_id="other", external=True),))
    await press(stage, await asked(stage), "si")
    assert (await stage.answer(stage.request(client_id="other", prompt="none")))[
        "error"
    ] == "consent_required"


async def test_a_person_takes_an_application_its_data_back(set_stage: SetStage, engine: AsyncEngine) -> None:
    stage = await set_stage(external=True)
    wanted = "openid mipres offline_access"
    answer = await decide(stage, await asked(stage, scope=wanted), "si")
    tokens = (await stage.exchange(code=answer["code"])).json()
    account = await stage.browser.get("/cuenta?aplicacion=mipres")
    assert "Aplicaciones que autorizó" in account.text
    form = {**hidden(account), "aplicacion": "app"}
    after = await stage.browser.post("/cuenta/aplicaciones/retirar", data=form)
    assert (after.url.path, "Aplicaciones que autorizó" in after.text) == ("/cuenta", False)
    assert (await stage.userinfo(tokens["access_token"])).status_code == 401
    renewed = await stage.exchange(
        grant_type="refresh_token", refresh_token=tokens["refresh_token"], code_verifier=None
    )
    assert renewed.json()["error"] == "invalid_grant"
    assert TITLE in (await stage.browser.get(stage.request())).text
    async with engine.connect() as connection:
        trail = "SELECT type FROM audit_entries WHERE type LIKE 'application%' ORDER BY number"
        assert list(await connection.scalars(text(trail))) == [
            "application_allowed",
            "application_withdrawn",
        ]
        waiting = "SELECT count(*) FROM oidc_grants WHERE ended_at IS NOT NULL AND announced_at IS NULL"
        assert await connection.scalar(text(waiting)) == 1


async def test_a_page_of_another_session_decides_nothing(set_stage: SetStage) -> None:
    stage = await set_stage(external=True)
    page = await asked(stage)
    form = {**hidden(page), "sesion": "another", "decision": "si"}
    again = await stage.browser.post("/cuenta/aplicaciones/autorizar", data=form)
    assert TITLE in (await stage.browser.get(refresh_of(again))).text
    form = {**form, "aplicacion": "app"}
    assert (await stage.browser.post("/cuenta/aplicaciones/retirar", data=form)).status_code == 409


@pytest.mark.parametrize(
    "request_of_another", ["x", "client_id=app", "client_id=app&redirect_uri=https://evil.example/"]
)
@pytest.mark.parametrize("decision", ["si", "no"])
async def test_a_decision_leads_to_no_other_place(
    set_stage: SetStage, request_of_another: str, decision: str
) -> None:
    stage = await set_stage(external=True)
    form = {**hidden(await asked(stage)), "solicitud": request_of_another, "decision": decision}
    after = await stage.browser.post("/cuenta/aplicaciones/autorizar", data=form)
    reply = await stage.browser.get(refresh_of(after), follow_redirects=False)
    assert (reply.status_code, "location" in reply.headers) == (400, False)


async def test_a_long_request_survives_login_and_consent(set_stage: SetStage) -> None:
    stage = await set_stage(external=True)
    state = "s" * 1500
    assert (await decide(stage, await asked(stage, state=state), "si"))["state"] == state
