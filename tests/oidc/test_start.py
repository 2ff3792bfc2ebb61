"""Where a login leads that no application has asked for."""

from typing import Any

import pytest

from tests.oidc.conftest import SetStage

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
