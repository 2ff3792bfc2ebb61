"""The way to a person: help, privacy, accessibility, and what browsers look for."""

import pytest

from tests.api.conftest import OpenClient

CONTACT = {
    "help_email": "ayuda@entidad.gov.co",
    "help_phone": "+57 (601) 330-5043",
    "help_url": "https://entidad.gov.co/ayuda",
    "privacy_url": "https://entidad.gov.co/datos",
}
WAYS = ("mailto:ayuda@entidad.gov.co", "tel:+576013305043", "https://entidad.gov.co/ayuda")


@pytest.mark.parametrize("path", ["/ayuda", "/privacidad", "/accesibilidad"])
async def test_each_page_leads_to_a_person(open_client: OpenClient, path: str) -> None:
    page = await (await open_client(**CONTACT)).get(path)
    assert page.status_code == 200
    assert [way for way in WAYS if way not in page.text] == []
    bare = await (await open_client()).get(path)
    assert "canales de atención del Ministerio" in bare.text
    assert "mailto:" not in bare.text


async def test_the_responsible_bodys_policy_is_linked(open_client: OpenClient) -> None:
    assert "https://entidad.gov.co/datos" in (await (await open_client(**CONTACT)).get("/privacidad")).text


async def test_help_comes_in_the_order_of_how_often_it_is_needed(open_client: OpenClient) -> None:
    page = (await (await open_client(password_link_hours=36, address_change_hours=48)).get("/ayuda")).text
    cases = ["sin-correo", "sin-rethus", "correo-cambiado", "nit", "bloqueado", "sin-radicado", "contacto"]
    places = [page.index(f'<h2 id="{case}">') for case in cases]
    assert places == sorted(places)
    assert [case for case in cases if f'href="#{case}"' not in page] == []
    for fact in ("El enlace sirve 36 horas", "después de 48 horas", "15 como máximo"):
        assert fact in page


@pytest.mark.parametrize("path", ["/", "/ingreso/mipres", "/registro/otro", "/no-existe"])
async def test_every_page_leads_to_help(open_client: OpenClient, path: str) -> None:
    footer = (await (await open_client()).get(path)).text.partition("<footer")[2]
    for page in ("/ayuda", "/privacidad", "/accesibilidad"):
        assert f'href="{page}"' in footer


async def test_browsers_find_what_they_look_for(open_client: OpenClient) -> None:
    client = await open_client()
    client.follow_redirects = False
    change = await client.get("/.well-known/change-password")
    assert (change.status_code, change.headers["location"]) == (302, "/cuenta/contrasena")
    client.follow_redirects = True
    icon = await client.get("/favicon.ico")
    assert icon.status_code == 200
    assert icon.content.startswith(b"\x00\x00\x01\x00")
