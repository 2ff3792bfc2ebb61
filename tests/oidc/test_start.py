"""Where a login leads that no application has asked for."""

from dataclasses import replace
from typing import Any

import pytest

from mipres.database.accounts import PostgresAccounts
from mipres.database.credentials import Hasher
from mipres.database.password_links import PostgresPasswordLinks
from mipres.domain.documents import parse_document
from tests.api.conftest import hidden
from tests.database.registrations import DOCTOR, registration
from tests.database.stored_accounts import issue
from tests.oidc.conftest import LOGIN, PASSWORD, SetStage, log_in_at

START = "https://app.example/ingresar"


async def test_a_login_leads_to_the_application_of_its_door(set_stage: SetStage) -> None:
    stage = await set_stage(start_uri=START)
    page = await stage.log_in("/ingreso/mipres")
    assert (page.url.path, f"0;url={START}" in page.text) == ("/inicio/mipres", True)
    # An own page that asked for the login still gets the person.
    account = await stage.log_in("/ingreso/mipres?volver=%2Fcuenta%3Faplicacion%3Dmipres")
    assert account.url.path == "/cuenta"
    for part in ("Profesional de la Salud", "Rol", "TODO SOBRE MIPRES", "Antes de trabajar"):
        assert part in account.text


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"start_uri": START, "audience": "delegates"},
        {"start_uri": START, "audience": "everybody"},
        {"start_uri": START, "disabled": True},
    ],
)
async def test_a_door_without_an_application_has_a_page(set_stage: SetStage, changed: dict[str, Any]) -> None:
    stage = await set_stage(**changed)
    page = await stage.log_in("/ingreso/mipres")
    assert (page.url.path, START in page.text) == ("/inicio/mipres", False)
    assert "Antes de trabajar" in page.text


async def test_who_logs_in_over_another_person_reads_nothing_of_them(
    set_stage: SetStage, accounts: PostgresAccounts, links: PostgresPasswordLinks, hasher: Hasher
) -> None:
    stage = await set_stage()
    next_one = replace(DOCTOR, document=parse_document("CC", "1020304099"))
    radicado = "RM-000000000002"
    account = (await accounts.register(registration(next_one, radicado=radicado))).account_id
    link = await issue(accounts, account, "enlace-2", reference=radicado)
    await links.set_password(link.token, await hasher.hash(PASSWORD))
    await log_in_at(stage, "mipres")
    failed = await stage.log_in("/ingreso/mipres", "wrong")
    typed, page = f'value="{LOGIN}"', str(failed.url)
    await log_in_at(stage, "mipres")
    assert typed in (await stage.browser.get(page)).text, "what one person typed stays with that person"
    form = await stage.browser.get("/ingreso/mipres")
    sent = {**hidden(form), "usuario": "CC1020304099", "contrasena": PASSWORD}
    assert (await stage.browser.post("/ingreso/mipres", data=sent)).url.path == "/inicio/mipres"
    assert typed not in (await stage.browser.get(page)).text
