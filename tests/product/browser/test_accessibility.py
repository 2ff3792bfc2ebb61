"""axe, target sizes and widths on every page and in every state of it."""

from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import expect

from mipres.domain.documents import Document, DocumentType
from mipres.domain.stages import Stage
from mipres.domain.submissions import Submission, UserType
from tests.product.browser.accessibility import TOO_WIDE, examine
from tests.product.browser.insider import (
    cancel,
    end_placement,
    hasty_registrations,
    stale_form_token,
    supersede_links,
)
from tests.product.browser.reader import heard, inside
from tests.product.browser.rendered import ERRORS, error_page, received_page, show, status_page
from tests.product.browser.visitor import Visitor, visiting
from tests.product.conftest import Product

pytestmark = pytest.mark.browser

FORMS = ("delegado", "profesional", "sso", "otro")
EMPTY = {
    "home": "/",
    **{f"form-{slug}": f"/registro/{slug}" for slug in FORMS},
    "login-mipres": "/ingreso/mipres",
    "login-administration": "/ingreso/administracion",
    "recovery": "/contrasena/recuperar",
    "status-search": "/registro/estado",
    "help": "/ayuda",
    "privacy": "/privacidad",
    "accessibility": "/accesibilidad",
    "api-docs": "/api/docs",
    "not-found": "/no/existe",
    "no-link": "/contrasena",
    "answer-gone": "/registro/resultado/ninguno",
    "change-unknown": "/no-fui-yo",
    "oidc-error": "/oidc/authorize",
}
REFUSED = {
    "not_in_miseguridadsocial": ("otro", "1099999999", {}),
    "entity_not_in_miseguridadsocial": (
        "delegado",
        "1020304085",
        {"tipo_entidad": "IPS", "nit": "900123456"},
    ),
    "not_in_rethus": ("profesional", "1020304091", {"registro_profesional": "76-1"}),
    "sanctioned": ("profesional", "1020304057", {"registro_profesional": "25-4057"}),
    "profession_not_authorized": ("otro", "1020304094", {}),
    "not_in_sso": ("sso", "1020304073", {}),
}


PLACEMENT = {
    "profession": "Medicina",
    "site_code": "940010012301",
    "site_name": "Hospital de Inírida",
    "municipality": "94001",
    "start": "2020-01-01",
    "end": "2099-12-31",
}


def document_of(person: dict[str, Any]) -> dict[str, str]:
    document = person["document"]
    return {"tipo_documento": document["type"], "numero_documento": document["number"]}


@pytest.mark.parametrize("name", EMPTY)
async def test_as_it_opens(visitor: Visitor, name: str) -> None:
    await visitor.open(EMPTY[name])
    await examine(visitor, name)


@pytest.mark.parametrize("slug", FORMS)
async def test_a_form_with_errors(visitor: Visitor, slug: str) -> None:
    await visitor.open(f"/registro/{slug}")
    await visitor.press("Registrar")
    assert "Diligencie todos los campos" in await visitor.said()
    await examine(visitor, f"errors-{slug}")


async def test_the_parts_of_the_delegates_form(visitor: Visitor) -> None:
    await visitor.open("/registro/delegado")
    for name, fields in {
        "eps": {"tipo_entidad": "EPS"},
        "provider": {"tipo_entidad": "PROVEEDOR"},
        "provider-natural": {"tiene_nit": "NO", "departamento": "05"},
    }.items():
        await visitor.fill(**fields)
        await examine(visitor, f"delegate-{name}")


@pytest.mark.parametrize("name", ERRORS)
async def test_each_error_page(visitor: Visitor, name: str) -> None:
    await show(visitor, await error_page(ERRORS[name]))
    assert await visitor.title()
    await examine(visitor, f"error-{name}")


async def test_the_stages_that_pass_by(visitor: Visitor) -> None:
    for name, page, said in (
        ("checking", status_page(Stage.CHECKING), "Verificación en los registros del Estado En curso"),
        ("mail", status_page(Stage.AWAITING_PASSWORD, "mail"), "No hemos podido entregar el correo"),
        ("address", status_page(Stage.AWAITING_PASSWORD, "mail_address"), "rechaza la dirección"),
    ):
        await show(visitor, page, at="/registro/estado/RM-0123456789AB")
        assert said in await visitor.said()
        await examine(visitor, f"status-{name}")
    await show(visitor, received_page(), at="/registro/resultado/una")
    assert "La respuesta llega por correo" in await visitor.said()
    await examine(visitor, "received")


async def test_a_radicado_that_nobody_has(visitor: Visitor) -> None:
    await visitor.open("/registro/estado")
    for typed, said in (
        ("RM-1", "Escriba el número de radicado"),
        ("RM-000000000000", "No hay ningún registro"),
    ):
        await visitor.fill(radicado=typed)
        await visitor.press("Consultar")
        assert said in await visitor.said()
        await examine(visitor, f"status-search-{typed}")


async def test_a_nit_with_its_check_digit(visitor: Visitor) -> None:
    await visitor.open("/registro/delegado")
    await visitor.fill(tipo_entidad="IPS", nit="900.123.456-8")
    await visitor.press("Registrar")
    await examine(visitor, "nit-offered")
    await visitor.press("Usar 900123456 y registrar")
    assert await visitor.field("nit").input_value() == "900123456"
    assert await visitor.field("nit").get_attribute("aria-invalid") is None
    # The rest of the form is still empty.
    assert await visitor.field("numero_documento").get_attribute("aria-invalid") == "true"
    await examine(visitor, "nit-accepted")


async def test_a_wrong_captcha(visitor: Visitor) -> None:
    await visitor.open("/registro/otro")
    await visitor.fill(tipo_documento="CC", numero_documento="1020304091", captcha="AAAAA")
    await visitor.page.check("[name=acepta_datos]")
    await visitor.press("Registrar")
    assert "El código no corresponde a la imagen" in await visitor.said()
    await examine(visitor, "captcha-wrong")


@pytest.mark.parametrize("code", REFUSED)
async def test_each_refusal(visitor: Visitor, code: str) -> None:
    slug, number, fields = REFUSED[code]
    await visitor.register(slug, tipo_documento="CC", numero_documento=number, **fields)
    await examine(visitor, f"refused-{code}")


async def test_the_status_of_a_refusal_whatever_it_is(visitor: Visitor) -> None:
    slug, number, fields = REFUSED["not_in_sso"]
    await visitor.register(slug, tipo_documento="CC", numero_documento=number, **fields)
    await visitor.open(f"/registro/estado/{await visitor.radicado()}")
    assert "La verificación no fue favorable" in await visitor.said()
    await examine(visitor, "status-refused")


async def test_from_the_registration_to_the_landing_page(visitor: Visitor, product: Product) -> None:
    person = await product.new_professional()
    await visitor.register("profesional", **document_of(person), registro_profesional="76-1234")
    await examine(visitor, "registered")
    radicado = await visitor.radicado()
    link = await product.link_for(person)
    await product.reaches(radicado, "awaiting_password")
    await visitor.open(f"/registro/estado/{radicado}")
    await examine(visitor, "status-awaiting")
    await visitor.press("Enviar el enlace otra vez")
    await examine(visitor, "status-too-soon")
    await _password_pages(visitor, link)
    await product.reaches(radicado, "completed")
    await visitor.open(f"/registro/estado/{radicado}")
    await examine(visitor, "status-completed")
    await visitor.open(link)
    await examine(visitor, "link-used")
    await visitor.register("profesional", **document_of(person), registro_profesional="76-1234")
    await examine(visitor, "updated")
    await _login_pages(visitor, f"CC{person['document']['number']}")


async def _password_pages(visitor: Visitor, link: str) -> None:
    await visitor.open(link)
    await examine(visitor, "password-empty")
    await visitor.fill(contrasena="Clave-Segura", confirmacion="Clave")
    await examine(visitor, "password-typing")
    await visitor.fill(contrasena="corta", confirmacion="otra")
    await visitor.press("Crear contraseña")
    await examine(visitor, "password-errors")
    await visitor.set_password()
    await examine(visitor, "password-set")


async def _login_pages(visitor: Visitor, login: str) -> None:
    await visitor.open("/ingreso/mipres")
    await visitor.press("Ingresar")
    await examine(visitor, "login-errors")
    await visitor.log_in("mipres", login, "equivocada")
    await examine(visitor, "login-wrong")
    await visitor.log_in("administracion", login)
    await examine(visitor, "wrong-door")
    await visitor.log_in("mipres", login)
    await examine(visitor, "landing-professional")
    await _account_pages(visitor, login)


async def _account_pages(visitor: Visitor, login: str) -> None:
    # Another session of the same person, on another device.
    browser = visitor.page.context.browser
    assert browser
    async with visiting(browser, visitor.product, address=visitor.address) as elsewhere:
        await elsewhere.log_in("mipres", login)
    await visitor.open("/cuenta")
    await examine(visitor, "account")
    await visitor.page.get_by_role("link", name="Cambiar la contraseña").click()
    await visitor.press("Cambiar contraseña")
    await examine(visitor, "account-password-errors")
    await visitor.open("/cuenta")
    await visitor.press("Cerrar esta sesión")
    assert "Cerrar esta sesión" not in await visitor.said()


async def test_the_landing_page_of_each_type_and_the_end_of_a_placement(
    visitor: Visitor, product: Product
) -> None:
    entity = {"nit": "900123456", "name": "Clínica del Ejemplo", "kind": "IPS"}
    person = await product.new_person(sso=PLACEMENT, delegate_of=[entity])
    login = f"CC{person['document']['number']}"
    await product.register(user_type="social_service", document=person["document"])
    await visitor.open(await product.link_for(person))
    await visitor.set_password()
    await visitor.log_in("mipres", login)
    assert "Hospital de Inírida" in await visitor.said()
    await examine(visitor, "landing-social-service")
    await end_placement(product, login)
    await visitor.log_in("mipres", login)
    assert "Su plaza de Servicio Social Obligatorio terminó" in await visitor.said()
    await examine(visitor, "placement-ended")
    await product.register(user_type="other", document=person["document"])
    await visitor.log_in("mipres", login)
    assert "Este perfil ya no permite ingresar" in await visitor.said()
    await examine(visitor, "landing-other-and-ended")
    told = {"kind": "IPS", "nit": entity["nit"]}
    await product.register(user_type="delegate", document=person["document"], entity=told)
    await visitor.log_in("administracion", login)
    assert "Administrador de Usuarios" in await visitor.said()
    await examine(visitor, "landing-delegate")


async def test_while_a_registry_is_silent(visitor: Visitor, product: Product) -> None:
    person = await product.new_person()
    await product.set_registry("rethus", mode="down")
    try:
        await visitor.register("otro", **document_of(person))
        await examine(visitor, "in-progress")
        radicado = await visitor.radicado()
        await product.reaches(radicado, "waiting_registry")
        await visitor.open(f"/registro/estado/{radicado}")
        assert "ReTHUS" in await visitor.said()
        await examine(visitor, "status-waiting")
    finally:
        await product.set_registry("rethus", mode="up")
    await product.reaches(radicado, "awaiting_password")


async def spoken(visitor: Visitor) -> str:
    """The text of the one live region, which interrupts no sentence of a reader."""
    things = await heard(visitor.page)
    [region] = [thing for thing in things if thing.role == "status"]
    assert (region.facts["live"], region.facts["atomic"]) == ("polite", True)
    return " ".join(thing.name for thing in inside(things, "status") if thing.role == "StaticText")


async def test_the_status_page_changes_only_what_is_different(visitor: Visitor, product: Product) -> None:
    person = await product.new_person()
    await product.set_registry("rethus", mode="down")
    try:
        await visitor.register("otro", **document_of(person))
        radicado = await visitor.radicado()
        await product.reaches(radicado, "waiting_registry")
        await visitor.page.clock.install()
        await visitor.open(f"/registro/estado/{radicado}")
        await visitor.page.evaluate("window.isSamePage = true")
        await visitor.page.get_by_role("link", name="Actualizar").focus()
        assert await spoken(visitor) == ""
    finally:
        await product.set_registry("rethus", mode="up")
    await product.reaches(radicado, "awaiting_password")
    await product.link_for(person)
    await visitor.page.clock.fast_forward(10_000)
    announced = visitor.page.get_by_role("status").filter(has_text="Cambió el estado del registro")
    await expect(announced).to_contain_text("Envío del enlace y creación de la contraseña En curso")
    await expect(announced).to_contain_text("sirve hasta el")
    await expect(visitor.page.get_by_role("button", name="Enviar el enlace otra vez")).to_be_visible()
    assert (await spoken(visitor)).startswith("Cambió el estado del registro")
    assert await visitor.page.evaluate("window.isSamePage")
    assert await visitor.page.evaluate("document.activeElement.textContent") == "Actualizar"
    await examine(visitor, "status-changed")


async def test_a_cancelled_registration_and_its_superseded_link(visitor: Visitor, product: Product) -> None:
    person = await product.new_person()
    answer = await product.register(user_type="other", document=person["document"])
    radicado, link = answer.json()["radicado"], await product.link_for(person)
    await supersede_links(product, radicado)
    await visitor.open(link)
    assert "Hay un enlace más reciente" in await visitor.said()
    await examine(visitor, "link-superseded")
    await cancel(product, radicado)
    await visitor.open(f"/registro/estado/{radicado}")
    assert "El registro se interrumpió" in await visitor.said()
    await examine(visitor, "status-cancelled")
    await visitor.open(link)
    await visitor.press("Enviar el enlace otra vez")
    await examine(visitor, "status-not-waiting")


async def test_an_expired_registration_and_its_link(visitor: Visitor, product: Product) -> None:
    person = await product.new_person()
    document = Document(type=DocumentType.CC, number=person["document"]["number"])
    registrations = await hasty_registrations(product, link_lifetime=timedelta(seconds=1))
    submitted = await registrations.submit(
        Submission(user_type=UserType.OTHER, document=document), channel="web"
    )
    link = await product.link_for(person)
    await product.reaches(submitted.radicado, "expired")
    await visitor.open(link)
    assert "El enlace venció" in await visitor.said()
    await examine(visitor, "link-expired")
    await visitor.open(f"/registro/estado/{submitted.radicado}")
    assert "El enlace venció sin usarse" in await visitor.said()
    await examine(visitor, "status-expired")


async def test_recovering_a_password(visitor: Visitor) -> None:
    await visitor.open("/contrasena/recuperar")
    await visitor.press("Pedir enlace")
    await examine(visitor, "recovery-errors")
    await visitor.fill(tipo_documento="CC", numero_documento="1099999998")
    await visitor.solve_captcha()
    await visitor.press("Pedir enlace")
    await examine(visitor, "recovery-asked")


async def test_a_form_that_is_too_old_or_not_ours(visitor: Visitor, product: Product) -> None:
    await visitor.open("/registro/otro")
    [visit] = [one["value"] for one in await visitor.page.context.cookies() if one["name"] == "mipres_visita"]
    await _send_with_token(visitor, stale_form_token(product, visit))
    await examine(visitor, "form-expired")
    await visitor.page.get_by_role("link", name="Volver al formulario con mis datos").click()
    assert await visitor.field("numero_documento").input_value() == "1020304091"
    await examine(visitor, "form-expired-back")
    await _send_with_token(visitor, "ajeno")
    await examine(visitor, "forbidden")


async def _send_with_token(visitor: Visitor, token: str) -> None:
    await visitor.fill(tipo_documento="CC", numero_documento="1020304091")
    await visitor.page.eval_on_selector(
        ".form [name=csrf_token]", "(element, token) => { element.value = token; }", token
    )
    await visitor.press("Registrar")


async def test_letters_of_twice_the_size_fit_a_narrow_screen(visitor: Visitor, product: Product) -> None:
    """The accessibility statement promises it."""
    person = await product.new_professional()
    radicado = (await product.register_professional(person)).json()["radicado"]
    await visitor.page.set_viewport_size({"width": 320, "height": 740})
    paths = [f"/registro/{slug}" for slug in ("delegado", "profesional", "estado", f"estado/{radicado}")]
    paths += [
        "/",
        "/ingreso/administracion",
        "/contrasena/recuperar",
        "/ayuda",
        "/privacidad",
        "/accesibilidad",
    ]
    too_wide = dict[str, int]()
    for path in paths:
        await visitor.open(path)
        await visitor.page.evaluate("document.documentElement.style.fontSize = '200%'")
        too_wide[path] = await visitor.page.evaluate(TOO_WIDE)
    assert {path: pixels for path, pixels in too_wide.items() if pixels} == {}
