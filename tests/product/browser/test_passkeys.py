"""Passkeys in Chromium, with its virtual authenticator."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, CDPSession

from tests.product.browser.accessibility import examine
from tests.product.browser.visitor import Visitor, visiting
from tests.product.conftest import PASSWORD, Product
from tests.product.second_processes import second_api
from tests.product.support import REASON, STAFF_PASSWORD, new_staff
from tests.product.test_factor_reset import account_page, noticed
from tests.product.visits import login_of

pytestmark = pytest.mark.browser
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
}
PRESSED_ONLY = "PublicKeyCredential.isConditionalMediationAvailable = async () => false;"
PAGE = "/cuenta/segundo-factor"


class Device:
    """What keeps passkeys for one browser."""

    def __init__(self, session: CDPSession, name: str) -> None:
        self._session, self._name = session, name

    async def passkeys(self) -> list[dict[str, Any]]:
        found = await self._session.send("WebAuthn.getCredentials", {"authenticatorId": self._name})
        kept: list[dict[str, Any]] = found["credentials"]
        return kept

    async def keep(self, passkey: dict[str, Any]) -> None:
        """Hold a copy of a passkey of another device."""
        await self._session.send(
            "WebAuthn.addCredential", {"authenticatorId": self._name, "credential": passkey}
        )


async def with_device(visitor: Visitor, *, fills_in_logins: bool = False) -> Device:
    """Give the browser a device that says yes to every request at once.

    Args:
        fills_in_logins: Whether it does so before anything is pressed on the page of a login.
    """
    if not fills_in_logins:
        await visitor.page.add_init_script(PRESSED_ONLY)
    session = await visitor.page.context.new_cdp_session(visitor.page)
    await session.send("WebAuthn.enable")
    made = await session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    return Device(session, made["authenticatorId"])


@pytest.fixture(scope="module")
async def doorstep(product: Product) -> AsyncIterator[str]:
    """The product by the name of loopback: an IP address has no passkeys."""
    async with second_api(product.stack.data_dir, host="localhost", public=True) as api:
        yield api.url


@pytest.fixture
async def visitor(chrome: Browser, product: Product, doorstep: str) -> AsyncIterator[Visitor]:
    async with visiting(chrome, product, address=doorstep) as somebody:
        yield somebody


async def enter(visitor: Visitor, login: str) -> None:
    await visitor.open("/ingreso/mipres")
    await visitor.fill(usuario=login, contrasena=PASSWORD)
    await visitor.press("Ingresar")


async def add_passkey(visitor: Visitor) -> None:
    await visitor.open(PAGE)
    await visitor.fill(nombre="Teléfono")
    await visitor.press("Agregar una llave de acceso")


async def test_a_passkey_is_the_second_step_and_the_whole_login(visitor: Visitor, product: Product) -> None:
    person = await product.new_professional()
    await product.complete(person)
    await with_device(visitor)
    await enter(visitor, login_of(person))
    await add_passkey(visitor)
    assert await visitor.title() == "Guarde sus códigos de recuperación"
    await visitor.open(PAGE)
    assert "Teléfono" in await visitor.said()
    await visitor.press("Salir")
    await enter(visitor, login_of(person))
    assert await visitor.title() == "Segundo paso del ingreso"
    await visitor.press("Usar mi llave de acceso")
    assert visitor.page.url.endswith("/inicio/mipres")
    await visitor.press("Salir")
    await visitor.open("/ingreso/mipres")
    await visitor.press("Ingresar con una llave de acceso")
    assert visitor.page.url.endswith("/inicio/mipres")
    await visitor.press("Salir")
    await visitor.open("/ingreso/administracion")
    await visitor.press("Ingresar con una llave de acceso")
    assert "Salir" not in await visitor.page.locator("header").inner_text()
    assert not visitor.page.url.endswith("/inicio/administracion")


async def test_the_browser_offers_the_passkey_at_the_login(visitor: Visitor, product: Product) -> None:
    person = await product.new_professional()
    await product.complete(person)
    await with_device(visitor, fills_in_logins=True)
    await enter(visitor, login_of(person))
    await add_passkey(visitor)
    await visitor.press("Salir")
    await visitor.page.goto(f"{visitor.address}/ingreso/mipres", wait_until="commit")
    await visitor.page.wait_for_url("**/inicio/mipres")


async def test_a_copied_passkey_is_locked_for_both(
    visitor: Visitor, chrome: Browser, product: Product
) -> None:
    person = await product.new_professional()
    await product.complete(person)
    device = await with_device(visitor)
    await enter(visitor, login_of(person))
    await add_passkey(visitor)
    code = await visitor.page.locator("li code").first.inner_text()
    copied = (await device.passkeys())[0]
    await visitor.press("Salir")
    await visitor.open("/ingreso/mipres")
    await visitor.press("Ingresar con una llave de acceso")
    assert visitor.page.url.endswith("/inicio/mipres")
    async with visiting(chrome, product, address=visitor.address) as thief:
        other = await with_device(thief)
        await other.keep(copied)
        for _ in range(3):
            await thief.open("/ingreso/mipres")
            await thief.press("Ingresar con una llave de acceso")
            assert "está bloqueada" in await thief.said()
    await visitor.open(PAGE)
    assert "Su sesión terminó" in await visitor.said()
    await enter(visitor, login_of(person))
    assert await visitor.title() == "Segundo paso del ingreso"
    await visitor.field("codigo").focus()
    await visitor.page.keyboard.type(code)
    await visitor.page.keyboard.press("Enter")
    await visitor.page.wait_for_url("**/inicio/mipres")
    await visitor.open(PAGE)
    assert "Bloqueada" in await visitor.said()


async def test_a_passkey_is_the_second_step_of_support_and_no_login_of_the_public(
    visitor: Visitor, product: Product
) -> None:
    name = await new_staff(product)

    async def enter_support() -> None:
        await visitor.open("/soporte/ingreso")
        await visitor.fill(nombre=name, contrasena=STAFF_PASSWORD)
        await visitor.page.keyboard.press("Enter")

    await with_device(visitor)
    await enter_support()
    await visitor.page.wait_for_url("**/soporte")
    await visitor.page.get_by_role("link", name="Segundo factor").click()
    await visitor.fill(nombre="Teléfono")
    await visitor.press("Agregar una llave de acceso")
    assert await visitor.title() == "Guarde sus códigos de recuperación"
    code = await visitor.page.locator("li code").first.inner_text()
    await visitor.press("Salir")
    await enter_support()
    await visitor.page.wait_for_url("**/soporte/ingreso/segundo-factor")
    await visitor.press("Usar mi llave de acceso")
    assert visitor.page.url.endswith("/soporte")
    await visitor.press("Salir")
    await enter_support()
    await visitor.page.wait_for_url("**/soporte/ingreso/segundo-factor")
    await visitor.field("codigo").focus()
    await visitor.page.keyboard.type(code)
    await visitor.page.keyboard.press("Enter")
    await visitor.page.wait_for_url("**/soporte")
    await visitor.open("/soporte/segundo-factor")
    assert "Le quedan 9 de 10" in await visitor.said()
    await visitor.press("Salir")
    await visitor.open("/ingreso/mipres")
    await visitor.press("Ingresar con una llave de acceso")
    assert not visitor.page.url.endswith("/inicio/mipres")


async def test_the_page_that_keeps_a_factor_is_for_everybody(
    visitor: Visitor, chrome: Browser, product: Product
) -> None:
    person = await product.new_professional()
    await product.complete(person)
    await with_device(visitor)
    await enter(visitor, login_of(person))
    await add_passkey(visitor)
    async with visiting(chrome, product) as desk:
        await desk.open("/soporte/ingreso")
        await desk.fill(nombre=await new_staff(product), contrasena=STAFF_PASSWORD)
        await desk.press("Ingresar")
        page = await account_page(product, person)
        await desk.open(f"{page}/restablecer-segundo-factor")
        await examine(desk, "support-factor-reset")
        await desk.fill(motivo=REASON)
        await desk.press("Confirmar")
        await examine(desk, "support-factor-reset-asked")
        token = await noticed(product, person)
    await visitor.open(f"/no-fui-yo/{token}")
    await examine(visitor, "factor-reset")
    await visitor.page.get_by_role("button", name="No fui yo: conservar mi segundo factor").focus()
    await visitor.page.keyboard.press("Enter")
    await visitor.page.get_by_role("heading", name="Su segundo factor queda como está").wait_for()
    await examine(visitor, "factor-reset-stopped")
