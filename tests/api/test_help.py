"""The way to a person: help, privacy, accessibility, and what browsers look for."""

import re
from datetime import timedelta

import pytest
from jinja2 import Environment, FileSystemLoader

from api import answers, sent_forms
from mipres import composition
from mipres.database.retention import CLOSED_LINKS, KNOWN_BROWSERS, UNFINISHED_ACCOUNTS
from mipres.database.sessions import ABSOLUTE_LIMIT, IDLE_LIMIT
from mipres.domain.help import HelpContact
from mipres.domain.lockout import KEPT_FOR
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
    cases = [
        *("sin-correo", "sin-rethus", "correo-cambiado", "nit", "bloqueado", "sin-radicado"),
        *("segundo-factor", "acceso-cerrado", "documento-nuevo", "contacto"),
    ]
    places = [page.index(f'<h2 id="{case}">') for case in cases]
    assert places == sorted(places)
    assert [case for case in cases if f'href="#{case}"' not in page] == []
    for fact in ("El enlace sirve 36 horas", "después de 48 horas", "15 como máximo"):
        assert fact in page


async def test_one_hour_and_one_day_are_told_in_the_singular(open_client: OpenClient) -> None:
    client = await open_client(password_link_hours=1, address_change_hours=1, wait_for_registry_days=1)
    texts = [(await client.get(page)).text for page in ("/ayuda", "/privacidad")]
    assert "sirve 1 hora." in texts[0]
    assert [plural for plural in ("1 horas", "1 días") for text in texts if f" {plural}" in text] == []


async def test_the_privacy_notice_names_what_is_kept_and_for_how_long(open_client: OpenClient) -> None:
    """Each figure is the product's own (docs/privacy.md)."""
    page = re.sub(r"\s+", " ", (await (await open_client(password_link_hours=36)).get("/privacidad")).text)
    idle, longest = IDLE_LIMIT // timedelta(minutes=1), ABSOLUTE_LIMIT // timedelta(hours=1)
    assert KNOWN_BROWSERS == KEPT_FOR == timedelta(days=365)
    for fact in (
        f"una cuenta que nunca tuvo contraseña, {UNFINISHED_ACCOUNTS.days} días",
        f"36 horas; el dato de que existieron, {CLOSED_LINKS.days} días más",
        f"{idle} minutos sin uso y {longest} horas como máximo",
        f"{answers.LIFETIME // timedelta(minutes=1)} minutos en su navegador",
        f"los radicados que envió desde él, {sent_forms.LIFETIME.days} días",
        "un año desde el último ingreso",
        "llave de acceso",
        "clave de su aplicación de códigos",
        "códigos de recuperación",
        "Navegador, sistema y red",
        "Quién los recibe",
    ):
        assert fact in page


def test_who_has_no_second_factor_is_led_to_what_to_do() -> None:
    step = (composition.TEMPLATES / "pages/second_step.html").read_text(encoding="utf-8")
    [case] = re.findall(r'href="/ayuda#([\w-]+)"', step)
    assert f'{{{{ topic("{case}") }}}}' in (composition.TEMPLATES / "pages/help.html").read_text(
        encoding="utf-8"
    )


REFUSING = sorted(
    path.stem
    for path in (composition.TEMPLATES / "pages").glob("*.html")
    if "panel_refusal(" in path.read_text(encoding="utf-8")
)


def test_every_refusal_leads_to_a_person() -> None:
    """The panel itself does, so that no page forgets it."""
    assert {"wrong_door", "placement_ended", "link_unusable", "access_closed"} <= set(REFUSING)
    environment = Environment(loader=FileSystemLoader(composition.TEMPLATES), autoescape=True)
    environment.globals["help_contact"] = HelpContact(email="ayuda@entidad.gov.co")
    drawn = environment.from_string(
        '{% import "partials/panels.html" as p %}{% call p.panel_refusal("No") %}<p>Porque no.</p>{% endcall %}'
    ).render()
    for way in ('href="/ayuda"', "mailto:ayuda@entidad.gov.co", "Porque no."):
        assert drawn.count(way) == 1


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
