"""Whole paths in a real browser: from the choice of the type to the landing page, with scripts and without."""

from typing import Any

import pytest
from playwright.async_api import Browser

from tests.product.browser.visitor import PHONE, Visitor, mail_frame, visiting
from tests.product.conftest import PASSWORD, Product

pytestmark = pytest.mark.browser

NIT = "900123456"
PLACEMENT = {
    "profession": "Medicina",
    "site_code": "940010012301",
    "site_name": "Hospital de Inírida",
    "municipality": "94001",
    "start": "2020-01-01",
    "end": "2099-12-31",
}


def _entity(kind: str, regime: str | None = None) -> dict[str, Any]:
    return {"delegate_of": [{"nit": NIT, "name": "Entidad de Ejemplo", "kind": kind, "regime": regime}]}


TYPES: dict[str, tuple[str, dict[str, Any], dict[str, str], str]] = {
    "ips": ("delegado", _entity("IPS"), {"tipo_entidad": "IPS", "nit": NIT}, "administracion"),
    "eps": (
        "delegado",
        _entity("EPS", "CONTRIBUTIVO"),
        {"tipo_entidad": "EPS", "regimen": "CONTRIBUTIVO", "nit": NIT},
        "administracion",
    ),
    "provider": (
        "delegado",
        _entity("PROVIDER"),
        {"tipo_entidad": "PROVEEDOR", "tiene_nit": "SI", "nit": NIT},
        "administracion",
    ),
    "natural-provider": (
        "delegado",
        {"provider_in": {"department": "05", "municipality": "05001"}},
        {"tipo_entidad": "PROVEEDOR", "tiene_nit": "NO", "departamento": "05", "municipio": "05001"},
        "administracion",
    ),
    "professional": (
        "profesional",
        {
            "rethus": {
                "professions": [{"code": "01", "name": "MEDICINA", "registration": "76-1234"}],
                "sanctions": [],
            }
        },
        {"registro_profesional": "76-1234"},
        "mipres",
    ),
    "social-service": ("sso", {"sso": PLACEMENT}, {}, "mipres"),
    "other": ("otro", {}, {}, "mipres"),
}


def _document(person: dict[str, Any]) -> dict[str, str]:
    return {"tipo_documento": person["document"]["type"], "numero_documento": person["document"]["number"]}


async def test_a_professional_from_the_first_page_to_the_landing_page(
    visitor: Visitor, product: Product
) -> None:
    person = await product.new_professional()
    login = f"CC{person['document']['number']}"
    page = visitor.page
    await visitor.open("/")
    await page.get_by_role("link", name="Profesional de la Salud").click()
    await visitor.fill(**_document(person), registro_profesional="76-1234")
    await visitor.solve_captcha()
    await page.check("[name=acepta_datos]")
    await visitor.press("Registrar")
    said = await visitor.said()
    for fact in (
        "REGISTRO SATISFACTORIO",
        login,
        "Profesional de la Salud",
        "CC",
        "76-1234",
        "p•••@e•••.test",
        "RM-",
    ):
        assert fact in said
    mail = await mail_frame(page, product, person["email"])
    async with page.context.expect_page() as opened:
        await mail.get_by_role("link", name="AQUÍ").click()
    visitor.page = await opened.value
    await visitor.page.wait_for_url("**/contrasena")
    await visitor.set_password()
    assert "Su contraseña fue creada con éxito" in await visitor.said()
    await visitor.page.get_by_role("link", name="Ingresar a MIPRES No UPC").first.click()
    await visitor.fill(usuario=login, contrasena=PASSWORD)
    await visitor.press("Ingresar")
    assert (
        "Pepa Canaria Única" in await visitor.said() or "Pepa Canaria Única" in await visitor.page.content()
    )
    assert visitor.page.url.endswith("/inicio/mipres")
    await visitor.press("Salir")
    await visitor.open("/inicio/mipres")
    assert visitor.page.url.endswith("/ingreso/mipres")


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no-scripts"])
@pytest.mark.parametrize("name", TYPES)
async def test_every_type_of_user_gets_in(
    chrome: Browser, product: Product, name: str, *, javascript: bool
) -> None:
    slug, facts, fields, application = TYPES[name]
    person = await product.new_person(**facts)
    async with visiting(chrome, product, javascript=javascript, viewport=PHONE) as visitor:
        await visitor.register(slug, **fields, **_document(person))
        assert "REGISTRO SATISFACTORIO" in await visitor.said()
        await visitor.open(await product.link_for(person))
        await visitor.set_password()
        await visitor.log_in(application, f"CC{person['document']['number']}")
        assert visitor.page.url.endswith(f"/inicio/{application}")


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no-scripts"])
async def test_only_the_fields_that_apply_are_shown(
    chrome: Browser, product: Product, *, javascript: bool
) -> None:
    async with visiting(chrome, product, javascript=javascript) as visitor:
        await visitor.open("/registro/delegado")
        assert await _visible(visitor) == set()
        shown = {"IPS": {"nit"}, "EPS": {"nit", "regimen"}, "PROVEEDOR": {"tiene_nit"}}
        for kind, expected in shown.items():
            await visitor.fill(tipo_entidad=kind)
            assert await _visible(visitor) == expected
        await visitor.fill(tiene_nit="SI")
        assert await _visible(visitor) == {"tiene_nit", "nit"}
        await visitor.fill(tiene_nit="NO")
        assert await _visible(visitor) == {"tiene_nit", "departamento", "municipio"}
        # What was answered before does not count for another kind of entity.
        await visitor.fill(tipo_entidad="IPS")
        assert await _visible(visitor) == {"nit"}


async def test_the_municipalities_are_those_of_the_department(visitor: Visitor) -> None:
    await visitor.open("/registro/delegado")
    await visitor.fill(tipo_entidad="PROVEEDOR", tiene_nit="NO", departamento="11")
    offered = await visitor.page.locator("#municipio option:not([value=''])").all_inner_texts()
    assert offered == ["Bogotá, D.C."]
    await visitor.fill(departamento="05")
    assert await visitor.page.locator("#municipio option:not([value=''])").count() == 125


async def _visible(visitor: Visitor) -> set[str]:
    names = ("regimen", "tiene_nit", "nit", "departamento", "municipio")
    return {name for name in names if await visitor.field(name).first.is_visible()}


async def test_the_form_works_by_keyboard_alone(visitor: Visitor, product: Product) -> None:
    person = await product.new_professional()
    keyboard = visitor.page.keyboard
    await visitor.open("/registro/profesional")
    await keyboard.press("Tab")
    assert await _focused(visitor) == "#contenido"
    await keyboard.press("Enter")
    await _tab_to(visitor, "tipo_documento")
    await keyboard.type("Cédula de ciu")
    for name, text in (
        ("numero_documento", person["document"]["number"]),
        ("registro_profesional", "76-1234"),
        ("captcha", await visitor.captcha_code()),
    ):
        await _tab_to(visitor, name)
        await keyboard.type(text)
    await _tab_to(visitor, "acepta_datos")
    await keyboard.press("Space")
    async with visitor.page.expect_navigation():
        await keyboard.press("Enter")
    assert "REGISTRO SATISFACTORIO" in await visitor.said()


async def test_errors_take_the_focus_and_lead_to_their_fields(visitor: Visitor) -> None:
    await visitor.open("/registro/profesional")
    await visitor.press("Registrar")
    assert (await visitor.page.title()).startswith("Error: ")
    focused = visitor.page.locator(".error-summary:focus")
    assert "Diligencie todos los campos" in await focused.inner_text()
    await visitor.page.get_by_role("link", name="Escriba el número de identificación").click()
    assert await _focused(visitor) == "numero_documento"


async def _focused(visitor: Visitor) -> str:
    found: str = await visitor.page.evaluate(
        "() => document.activeElement.name || document.activeElement.getAttribute('href') || ''"
    )
    return found


async def _tab_to(visitor: Visitor, name: str) -> None:
    for _ in range(30):
        await visitor.page.keyboard.press("Tab")
        if await _focused(visitor) == name:
            return
    pytest.fail(f"the Tab key never reaches {name}")


async def test_the_password_rules_are_ticked_while_one_types(visitor: Visitor, product: Product) -> None:
    person = await product.new_person()
    await product.register(user_type="other", document=person["document"])
    await visitor.open(await product.link_for(person))
    rules = visitor.page.locator("[data-rules-for=contrasena] li")
    assert (
        await rules.evaluate_all("items => items.filter(item => item.classList.contains('met')).length") <= 1
    )
    await visitor.fill(contrasena=PASSWORD)
    assert await rules.evaluate_all("items => items.every(item => item.classList.contains('met'))")
    await visitor.page.get_by_role("button", name="Mostrar contraseña", exact=True).click()
    assert await visitor.page.get_attribute("#contrasena", "type") == "text"


async def test_another_image_keeps_what_was_typed(chrome: Browser, product: Product) -> None:
    for javascript in (True, False):
        async with visiting(chrome, product, javascript=javascript) as visitor:
            await visitor.open("/registro/otro")
            await visitor.fill(tipo_documento="CC", numero_documento="1020304091")
            before = await visitor.page.input_value("[name=captcha_id]")
            await visitor.page.get_by_role("button", name="Actualizar imagen").click()
            await visitor.page.wait_for_selector(
                f"[name=captcha_id]:not([value='{before}'])", state="attached"
            )
            assert await visitor.field("numero_documento").input_value() == "1020304091"
            assert await visitor.page.locator(".error-summary").count() == 0


async def test_the_receipt_prints_without_the_furniture(visitor: Visitor, product: Product) -> None:
    person = await product.new_person()
    await visitor.register("otro", **_document(person))
    radicado = await visitor.radicado()
    await visitor.page.emulate_media(media="print")
    assert await visitor.page.get_by_text(radicado).first.is_visible()
    assert await visitor.page.get_by_text("Comprobante de registro").first.is_visible()
    for furniture in (".site-nav", ".site-footer", ".button"):
        assert not await visitor.page.locator(furniture).first.is_visible()
