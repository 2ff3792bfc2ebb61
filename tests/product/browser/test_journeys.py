"""Whole paths in a real browser.

From the choice of the type to the landing page, with scripts and without.
"""

import re
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.product.browser.visitor import DESKTOP, PHONE, Visitor, mail_frame, visiting
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
    "eps-subsidised": (
        "delegado",
        _entity("EPS", "SUBSIDIADO"),
        {"tipo_entidad": "EPS", "regimen": "SUBSIDIADO", "nit": NIT},
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
# What the landing page says of each, beside who is in.
SHOWN = {
    "ips": ("Delegado Administrativo", "Entidad de Ejemplo", "Administrador de Usuarios"),
    "eps": ("Delegado Administrativo", "Contributivo", "Administrador de Usuarios"),
    "eps-subsidised": ("Delegado Administrativo", "Subsidiado", "Administrador de Usuarios"),
    "provider": ("Delegado Administrativo", "Proveedor", "Administrador de Usuarios"),
    "natural-provider": ("Delegado Administrativo", "Medellín, Antioquia", "Administrador de Usuarios"),
    "professional": ("Profesional de la Salud", "76-1234", "Prescripción"),
    "social-service": ("Servicio Social Obligatorio", "Hospital de Inírida", "31 de diciembre de 2099"),
    "other": ("Otro Usuario", "Admisión", "Dispensador", "Transcriptor IPS"),
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
        said = await visitor.said()
        for fact in ("Pepa Canaria Única", *SHOWN[name]):
            assert fact in said


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
    offered = visitor.page.locator("#municipio option:not([value=''])")
    await visitor.open("/registro/delegado")
    await visitor.fill(tipo_entidad="PROVEEDOR", tiene_nit="NO", departamento="11")
    await expect(offered).to_have_text(["Bogotá, D.C."])
    await visitor.fill(departamento="05")
    await expect(offered).to_have_count(125)


async def test_where_the_list_does_not_come_a_button_brings_it(visitor: Visitor) -> None:
    await visitor.page.route("**/municipios.json*", lambda route: route.fulfill(status=200, body="?"))
    await visitor.open("/registro/delegado")
    await visitor.fill(tipo_entidad="PROVEEDOR", tiene_nit="NO", departamento="05")
    await visitor.press("Ver los municipios")
    assert await visitor.field("departamento").input_value() == "05"
    assert await visitor.page.locator("#municipio option:not([value=''])").count() == 125
    assert await visitor.page.locator(".error-summary").count() == 0
    await visitor.fill(municipio="05001")


async def _visible(visitor: Visitor) -> set[str]:
    names = ("regimen", "tiene_nit", "nit", "departamento", "municipio")
    return {name for name in names if await visitor.field(name).first.is_visible()}


async def test_everything_works_by_keyboard_alone(visitor: Visitor, product: Product) -> None:
    """From the start page to the end of the session, without a mouse."""
    place = {"department": "05", "municipality": "05001"}
    person = await product.new_person(provider_in=place)
    keyboard = visitor.page.keyboard
    await visitor.open("/")
    await keyboard.press("Tab")
    assert await _focused(visitor) == "#contenido"
    await keyboard.press("Enter")
    await _follow(visitor, "/registro/delegado")
    for name, typed in (
        ("tipo_entidad", "Proveedor"),
        ("tiene_nit", " "),
        ("departamento", "Antioquia"),
        ("municipio", "Medellín"),
        ("tipo_documento", "Cédula de ciu"),
        ("numero_documento", person["document"]["number"]),
        ("captcha", await visitor.captcha_code()),
        ("acepta_datos", " "),
    ):
        await _tab_to(visitor, name)
        if name == "municipio":
            await expect(visitor.page.locator("#municipio option")).to_have_count(126)
        await keyboard.type(typed)
        if name == "tiene_nit":
            # Among radios the arrows choose.
            await keyboard.press("ArrowRight")
    await visitor.enter()
    assert "REGISTRO SATISFACTORIO" in await visitor.said()

    await visitor.open(await product.link_for(person))
    await _tab_to(visitor, "contrasena")
    await keyboard.type(PASSWORD)
    await keyboard.press("Tab")
    await keyboard.press("Enter")
    assert await visitor.page.get_attribute("#contrasena", "type") == "text"
    await _tab_to(visitor, "confirmacion")
    await keyboard.type(PASSWORD)
    await visitor.enter()
    await _follow(visitor, "/ingreso/administracion", within="main")
    await _tab_to(visitor, "usuario")
    await keyboard.type(f"CC{person['document']['number']}")
    await _tab_to(visitor, "contrasena")
    await keyboard.type(PASSWORD)
    await visitor.enter()
    assert visitor.page.url.endswith("/inicio/administracion")
    await visitor.tab_until("() => document.activeElement.textContent === 'Salir'")
    await visitor.enter()
    assert visitor.page.url == f"{product.url}/"


async def _follow(visitor: Visitor, href: str, *, within: str = "body") -> None:
    await visitor.tab_until(f"() => document.activeElement.matches('{within} [href=\"{href}\"]')")
    await visitor.enter()


async def test_the_focus_goes_through_the_form_as_it_is_read(visitor: Visitor) -> None:
    await visitor.open("/registro/profesional")
    await visitor.page.focus("#tipo_documento")
    order = [await _focused(visitor)]
    while order[-1] != "acepta_datos":
        await visitor.page.keyboard.press("Tab")
        order.append(await _focused(visitor))
        assert len(order) < 10
    assert [name.partition("/")[0] for name in order] == [
        "tipo_documento",
        "numero_documento",
        "registro_profesional",
        "actualizar_imagen",
        "",  # the recording, a link
        "captcha",
        "acepta_datos",
    ]


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
    await visitor.tab_until(f"() => document.activeElement.name === '{name}'")


async def test_the_password_rules_are_ticked_while_one_types(visitor: Visitor, product: Product) -> None:
    person = await product.new_person()
    await product.register(user_type="other", document=person["document"])
    await visitor.open(await product.link_for(person))
    rules = visitor.page.locator("[data-rules-for=contrasena] [data-pattern]")
    ticked = "items => items.filter(item => item.classList.contains('met')).length"
    assert await rules.evaluate_all(ticked) == 0
    await visitor.fill(contrasena=PASSWORD)
    assert await rules.evaluate_all("items => items.every(item => item.classList.contains('met'))")
    await visitor.page.get_by_role("button", name="Mostrar contraseña", exact=True).click()
    assert await visitor.page.get_attribute("#contrasena", "type") == "text"
    await visitor.page.get_by_role("button", name="Ocultar contraseña", exact=True).click()
    assert await visitor.page.get_attribute("#contrasena", "type") == "password"


async def test_a_password_can_be_pasted(visitor: Visitor, product: Product) -> None:
    person = await product.new_person()
    await product.register(user_type="other", document=person["document"])
    await visitor.open(await product.link_for(person))
    await visitor.fill(contrasena=PASSWORD)
    await visitor.page.get_by_role("button", name="Mostrar contraseña", exact=True).click()
    await visitor.page.focus("#contrasena")
    await visitor.page.keyboard.press("Control+A")
    await visitor.page.keyboard.press("Control+C")
    await visitor.page.focus("#confirmacion")
    await visitor.page.keyboard.press("Control+V")
    assert await visitor.field("confirmacion").input_value() == PASSWORD


async def test_without_scripts_the_rules_are_told_afterwards(
    plain_visitor: Visitor, product: Product
) -> None:
    person = await product.new_person()
    await product.register(user_type="other", document=person["document"])
    await plain_visitor.open(await product.link_for(person))
    assert "Combinar letras mayúsculas y minúsculas" in await plain_visitor.said()
    await plain_visitor.set_password("minúsculas-2026")
    assert "usar letras mayúsculas" in await plain_visitor.said()


async def test_the_code_is_spoken_in_the_page_and_without_scripts_in_another(
    chrome: Browser, product: Product
) -> None:
    async with visiting(chrome, product) as visitor:
        await visitor.open("/registro/otro")
        async with visitor.page.expect_response("**/captcha/*.wav") as spoken:
            await visitor.page.get_by_role("link", name="Escuchar el código", exact=True).click()
        assert (await spoken.value).ok
        assert len(visitor.page.context.pages) == 1
    async with visiting(chrome, product, javascript=False) as visitor:
        await visitor.open("/registro/otro")
        link = visitor.page.get_by_role("link", name="Escuchar el código (se abre en otra pestaña)")
        assert re.fullmatch(r"/captcha/[\w.-]+\.wav", await link.get_attribute("href") or "")


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


@pytest.mark.parametrize("name", ["other", "natural-provider"])
async def test_the_receipt_prints_without_the_furniture(
    visitor: Visitor, product: Product, name: str
) -> None:
    slug, facts, fields, _ = TYPES[name]
    person = await product.new_person(**facts)
    await visitor.register(slug, **fields, **_document(person))
    radicado = await visitor.radicado()
    assert await _printed_pages(visitor) == 1
    await visitor.page.emulate_media(media="print")
    assert await visitor.page.get_by_text(radicado).first.is_visible()
    assert await visitor.page.get_by_text("Comprobante de registro").first.is_visible()
    for furniture in (".site-nav", ".site-footer", ".button"):
        assert not await visitor.page.locator(furniture).first.is_visible()


async def test_the_receipt_of_updated_data_prints_on_one_page(visitor: Visitor, product: Product) -> None:
    slug, facts, fields, _ = TYPES["eps"]
    person = await product.new_person(**facts)
    await visitor.register(slug, **fields, **_document(person))
    await visitor.open(await product.link_for(person))
    await visitor.set_password()
    await visitor.register(slug, **fields, **_document(person))
    assert "Datos del usuario actualizados satisfactoriamente" in await visitor.said()
    assert await _printed_pages(visitor) == 1


async def _printed_pages(visitor: Visitor) -> int:
    # Letter is the size of Colombia's offices.
    printed = await visitor.page.pdf(format="Letter")
    return len(re.findall(rb"/Type\s*/Page\b", printed))


async def test_buttons_beside_each_other_have_one_width(chrome: Browser, product: Product) -> None:
    for viewport in (PHONE, DESKTOP):
        async with visiting(chrome, product, viewport=viewport) as visitor:
            for path in ("/registro/otro", "/contrasena/recuperar"):
                await visitor.open(path)
                widths = await visitor.page.locator(".buttons .button:visible").evaluate_all(
                    "items => items.map(item => item.getBoundingClientRect().width)"
                )
                assert len(widths) > 1
                assert len(set(widths)) == 1
