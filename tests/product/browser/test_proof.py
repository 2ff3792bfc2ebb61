"""The browser's own work instead of a code, where MIPRES_CAPTCHA is proof."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Route

from tests.product.browser.accessibility import examine
from tests.product.browser.visitor import Visitor, visiting
from tests.product.conftest import Product
from tests.product.second_processes import Second, second_api

pytestmark = pytest.mark.browser

UNPROVEN = "No se pudo comprobar su navegador; escriba el código de la imagen"


@pytest.fixture(scope="module")
async def proving_api(product: Product) -> AsyncIterator[Second]:
    async with second_api(product.stack.data_dir, captcha="proof") as api:
        yield api


@pytest.fixture
async def anybody(chrome: Browser, product: Product, proving_api: Second) -> AsyncIterator[Visitor]:
    async with visiting(chrome, product) as somebody:
        yield somebody


async def fill(visitor: Visitor, api: Second) -> None:
    """Fill the whole form except for the captcha."""
    person = await visitor.product.new_person()
    await visitor.page.goto(f"{api.url}/registro/otro")
    document = person["document"]
    await visitor.fill(tipo_documento=document["type"], numero_documento=document["number"])
    await visitor.page.check("[name=acepta_datos]")


async def image_width(visitor: Visitor) -> float:
    box = await visitor.page.locator(".captcha-image").bounding_box()
    assert box is not None
    return box["width"]


async def test_a_browser_registers_without_any_code(anybody: Visitor, proving_api: Second) -> None:
    await fill(anybody, proving_api)
    assert not await anybody.page.is_visible(".captcha-image")
    assert not await anybody.page.is_visible("[name=captcha]")
    await examine(anybody, "captcha-proof")
    await anybody.press("Registrar")
    assert await anybody.radicado()


async def test_the_form_waits_until_the_work_is_done(anybody: Visitor, proving_api: Second) -> None:
    release = asyncio.Event()

    async def held(route: Route) -> None:
        await release.wait()
        await route.continue_()

    await anybody.page.route("**/captcha/prueba*", held)
    await fill(anybody, proving_api)
    button = anybody.page.get_by_role("button", name="Registrar", exact=True)
    await button.click()
    await button.click()
    assert await anybody.page.get_by_text("Su navegador está comprobando").is_visible()
    assert await anybody.field("numero_documento").is_visible()
    async with anybody.page.expect_navigation():
        release.set()
    assert await anybody.radicado()


async def test_a_person_may_type_the_code_instead(anybody: Visitor, proving_api: Second) -> None:
    await fill(anybody, proving_api)
    await anybody.page.get_by_role("button", name="Prefiero escribir el código de una imagen").click()
    assert await image_width(anybody) > 250
    await examine(anybody, "captcha-instead-of-proof")
    await anybody.solve_captcha()
    await anybody.press("Registrar")
    assert await anybody.radicado()


async def test_where_the_work_cannot_be_done_the_image_stays(anybody: Visitor, proving_api: Second) -> None:
    await anybody.page.route("**/captcha/prueba*", lambda route: route.fulfill(status=200, json={}))
    await fill(anybody, proving_api)
    await anybody.page.wait_for_selector(".captcha-image", state="visible")
    await anybody.solve_captcha()
    await anybody.press("Registrar")
    assert await anybody.radicado()


async def test_a_false_proof_is_told_and_leaves_the_image(anybody: Visitor, proving_api: Second) -> None:
    await fill(anybody, proving_api)
    await anybody.page.get_by_text("Comprobado. Puede enviar el formulario.").wait_for()
    await anybody.page.evaluate("document.querySelector('[name=altcha]').value = 'AAAA'")
    await anybody.press("Registrar")
    assert UNPROVEN in await anybody.said()
    assert await anybody.page.is_visible(".captcha-image")
    await anybody.solve_captcha()
    await anybody.press("Registrar")
    assert await anybody.radicado()


async def test_a_proof_counts_once(anybody: Visitor, proving_api: Second) -> None:
    await fill(anybody, proving_api)
    await anybody.page.get_by_text("Comprobado. Puede enviar el formulario.").wait_for()
    proof = await anybody.page.input_value("[name=altcha]")
    await anybody.press("Registrar")
    await fill(anybody, proving_api)
    await anybody.page.get_by_text("Comprobado. Puede enviar el formulario.").wait_for()
    await anybody.page.evaluate("used => document.querySelector('[name=altcha]').value = used", proof)
    await anybody.press("Registrar")
    assert UNPROVEN in await anybody.said()


async def test_without_scripts_there_is_the_image(
    chrome: Browser, product: Product, proving_api: Second
) -> None:
    async with visiting(chrome, product, javascript=False) as visitor:
        await fill(visitor, proving_api)
        assert await image_width(visitor) > 250
        assert not await visitor.page.is_visible("[data-proof-line]")
        await visitor.solve_captcha()
        await visitor.press("Registrar")
        assert await visitor.radicado()
