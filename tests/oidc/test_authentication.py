"""`auth_time`, `amr` and `acr` of an id_token are of one authentication."""

import re
from dataclasses import replace
from html import unescape
from typing import Any

import httpx2
import pyotp
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from mipres.database.accounts import PostgresAccounts
from mipres.database.address_changes import PostgresAddressChanges
from mipres.database.audit import PostgresAuditTrail
from mipres.database.credentials import Hasher
from mipres.database.password_links import PostgresPasswordLinks
from mipres.domain.audit import operator
from mipres.domain.documents import parse_document
from mipres.support.joins import SupportJoins
from tests.api.conftest import hidden
from tests.database.registrations import DOCTOR, registration
from tests.database.stored_accounts import issue
from tests.database.test_passkeys import Device
from tests.fakes import FakeClock
from tests.oidc.conftest import ISSUER, LOGIN, PASSWORD, SetStage, Stage, refresh_of

FACTOR = "/cuenta/segundo-factor"
PWD, MFA = "urn:mipres:pwd", "urn:mipres:2fa"
AGE = "UPDATE sessions SET authenticated_at = authenticated_at - interval '1 hour'"


async def said(stage: Stage, address: str | None = None) -> dict[str, Any]:
    """What the application reads of the authentication."""
    answer = await stage.answer(address or stage.request())
    claims = await stage.claims((await stage.exchange(code=answer["code"])).json()["id_token"])
    return {name: claims[name] for name in ("auth_time", "amr", "acr")}


async def set_up(stage: Stage) -> tuple[str, list[str]]:
    """Set codes up in the open session; the secret, and the recovery codes."""
    page = await stage.browser.get(FACTOR)
    secret = re.findall(r"Clave: <code>([A-Z2-7 ]+)</code>", page.text)[0].replace(" ", "")
    typed = {**hidden(page), "codigo": pyotp.TOTP(secret).now()}
    shown = await stage.browser.post(f"{FACTOR}/codigos", data=typed)
    return secret, re.findall(r"<li><code>([0-9A-Z-]{14})</code>", shown.text)


async def confirm_password(stage: Stage) -> httpx2.Response:
    page = await stage.browser.get(FACTOR)
    return await stage.browser.post(f"{FACTOR}/confirmar", data={**hidden(page), "actual": PASSWORD})


async def age(engine: AsyncEngine) -> None:
    """Let an hour pass over the sessions, and over what was confirmed in them."""
    async with engine.begin() as connection:
        await connection.execute(text(AGE))
        await connection.execute(text("UPDATE sessions SET confirmed_at = confirmed_at - interval '1 hour'"))


async def test_the_password_again_is_no_second_factor_again(set_stage: SetStage, engine: AsyncEngine) -> None:
    stage = await set_stage()
    await stage.code()
    await set_up(stage)
    await age(engine)
    before = await said(stage)
    assert (before["amr"], before["acr"]) == (["pwd", "otp", "mfa"], MFA)
    page = await confirm_password(stage)
    assert "Quitar la aplicación" in page.text, "what the proof is for"
    assert await said(stage) == before
    for old in (stage.request(max_age="300", prompt="none"), stage.request(max_age="300", acr_values=MFA)):
        page = await stage.browser.get(old, follow_redirects=False)
        assert "login_required" in page.headers["Location"] or "/ingreso/" in page.headers["Location"]


async def test_the_password_again_renews_a_login_by_password(
    set_stage: SetStage, engine: AsyncEngine
) -> None:
    stage = await set_stage()
    await stage.code()
    await age(engine)
    before = await said(stage)
    assert (await stage.answer(stage.request(max_age="300", prompt="none")))["error"] == "login_required"
    await confirm_password(stage)
    after = await said(stage, stage.request(max_age="300", prompt="none"))
    assert (after["amr"], after["acr"]) == (["pwd"], PWD)
    assert after["auth_time"] >= before["auth_time"] + 3600


async def test_a_factor_that_is_shown_later_makes_the_password_no_newer(
    set_stage: SetStage, engine: AsyncEngine
) -> None:
    stage = await set_stage()
    await stage.code()
    async with engine.begin() as connection:
        await connection.execute(text(AGE.replace("1 hour", "5 minutes")))
    before = await said(stage)
    await set_up(stage)
    after = await said(stage)
    assert (after["amr"], after["acr"]) == (["pwd", "otp", "mfa"], MFA)
    assert after["auth_time"] == before["auth_time"]


@pytest.mark.parametrize("demand", [{"max_age": "300"}, {"prompt": "login"}])
async def test_a_new_login_that_is_demanded_shows_the_factor_too(
    set_stage: SetStage, engine: AsyncEngine, demand: dict[str, str]
) -> None:
    stage = await set_stage()
    await stage.code()
    _, recovery = await set_up(stage)
    await age(engine)
    before = await said(stage)
    step = await stage.log_in(stage.request(acr_values=MFA, **demand))
    assert step.url.path == "/ingreso/mipres/segundo-factor"
    page = await stage.browser.post(step.url.path, data={**hidden(step), "codigo": recovery[0]})
    after = await said(stage, refresh_of(page))
    assert (after["amr"], after["acr"]) == (["pwd", "otp", "mfa"], MFA)
    assert after["auth_time"] >= before["auth_time"] + 3600


@pytest.mark.parametrize("demand", [{"max_age": "300"}, {"prompt": "login"}])
async def test_who_has_no_factor_yet_logs_in_again_before_it_is_set_up(
    set_stage: SetStage, engine: AsyncEngine, demand: dict[str, str]
) -> None:
    """Otherwise the new factor would be asked for twice."""
    stage = await set_stage()
    await stage.code()
    await age(engine)
    before = await said(stage)
    login = await stage.log_in(stage.request(acr_values=MFA, **demand))
    page = await stage.browser.get(refresh_of(login))
    assert page.url.path == FACTOR
    secret = re.findall(r"Clave: <code>([A-Z2-7 ]+)</code>", page.text)[0].replace(" ", "")
    typed = {**hidden(page), "codigo": pyotp.TOTP(secret).now()}
    codes = await stage.browser.post(f"{FACTOR}/codigos", data=typed)
    way = re.search(r'href="(/oidc/authorize\?[^"]+)">Ya los guardé', codes.text)
    assert way, codes.text
    after = await said(stage, unescape(way[1]))
    assert after["acr"] == MFA
    assert after["auth_time"] >= before["auth_time"] + 3600


async def test_a_passkey_alone_is_a_login_with_two_factors(set_stage: SetStage, engine: AsyncEngine) -> None:
    stage, device = await set_stage(), Device(origin=ISSUER)
    await stage.code()
    page = await stage.browser.get(FACTOR)
    added = {**hidden(page), "credencial": device.made(options_in(page)), "nombre": "Mi llave"}
    assert (await stage.browser.post(f"{FACTOR}/llaves", data=added)).text.count("<li><code>") == 10
    assert (await said(stage))["amr"] == ["pwd", "pop", "user", "mfa"]
    await age(engine)
    before = await said(stage)
    page = await stage.browser.get(stage.request(prompt="login", acr_values=MFA))
    used = {**hidden(page), "credencial": device.used(options_in(page))}
    entered = await stage.browser.post("/ingreso/mipres/llave", data=used)
    after = await said(stage, refresh_of(entered))
    assert (after["amr"], after["acr"]) == (["pop", "user", "mfa"], MFA)
    assert after["auth_time"] >= before["auth_time"] + 3600
    # The password adds nothing to what the passkey has shown, and is no moment of it.
    await confirm_password(stage)
    assert await said(stage) == after


@pytest.mark.parametrize("address", ["http://MIPRES.test", "http://mipres.test:80"])
async def test_a_passkey_is_of_the_public_address_however_that_is_written(
    set_stage: SetStage, address: str
) -> None:
    """A browser names it in small letters, without the usual port."""
    stage, device = await set_stage(settings={"public_url": address}), Device(origin="http://mipres.test")
    await stage.code()
    page = await stage.browser.get(FACTOR)
    added = {**hidden(page), "credencial": device.made(options_in(page)), "nombre": ""}
    assert (await stage.browser.post(f"{FACTOR}/llaves", data=added)).text.count("<li><code>") == 10


@pytest.mark.parametrize("form", [f"{FACTOR}/llaves", "/cuenta/aplicaciones/retirar"])
async def test_a_text_that_no_column_holds_is_no_outage(set_stage: SetStage, form: str) -> None:
    """A NUL; support would else hear of a database that is away."""
    stage, device = await set_stage(), Device(origin=ISSUER)
    await stage.code()
    page = await stage.browser.get(FACTOR)
    odd = {"credencial": device.made(options_in(page)), "nombre": "a\0b", "aplicacion": "a\0b"}
    with capture_logs() as lines:
        reply = await stage.browser.post(form, data={**hidden(page), **odd})
    assert reply.status_code == 400
    assert "dependency_unavailable" not in [line["event"] for line in lines]


async def test_back_shows_no_recovery_codes_that_are_no_longer_good(set_stage: SetStage) -> None:
    stage = await set_stage()
    await stage.code()
    await set_up(stage)
    lists = [
        await stage.browser.post(f"{FACTOR}/recuperacion", data=hidden(await stage.browser.get(FACTOR)))
        for _ in range(2)
    ]
    shown = [(await stage.browser.get(str(each.url))).text.count("<li><code>") for each in lists]
    assert shown == [0, 10]
    await stage.browser.post(f"{FACTOR}/codigos/quitar", data=hidden(await stage.browser.get(FACTOR)))
    assert "<li><code>" not in (await stage.browser.get(str(lists[1].url))).text


def options_in(page: httpx2.Response) -> str:
    """What a page gives the browser for a passkey."""
    found = re.search(r'data-options="([^"]+)"', page.text)
    assert found, page.text
    return unescape(found[1])


async def test_a_join_leaves_the_subject_of_the_account_that_stays(  # noqa: PLR0913, PLR0917 - fixtures.
    set_stage: SetStage,
    engine: AsyncEngine,
    accounts: PostgresAccounts,
    changes: PostgresAddressChanges,
    links: PostgresPasswordLinks,
    audit: PostgresAuditTrail,
    hasher: Hasher,
    clock: FakeClock,
) -> None:
    stage = await set_stage()
    before = await stage.claims((await stage.exchange(code=await stage.code())).json()["id_token"])
    older = replace(DOCTOR, document=parse_document("CE", "987654"))
    replaced = (await accounts.register(registration(older, radicado="RM-000000000009"))).account_id
    link = await issue(accounts, replaced, "enlace-2", reference="RM-000000000009")
    await links.set_password(link.token, await hasher.hash(PASSWORD))
    joins = SupportJoins(engine, changes=changes, audit=audit, clock=clock)
    lasting = (await accounts.register(registration(DOCTOR))).account_id
    await joins.join(replaced, lasting, reason="cédula nueva", proof="SOL-2026-118", actor=operator("ana"))
    after = await stage.claims(
        (await stage.exchange(code=await stage.code(prompt="login"))).json()["id_token"]
    )
    assert (after["sub"], after["preferred_username"]) == (before["sub"], LOGIN)
    assert str(replaced) not in str(after)
