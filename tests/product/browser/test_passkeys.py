"""Passkeys in Chromium, with its virtual authenticator."""

from typing import Any

import pytest
from playwright.async_api import Browser, CDPSession

from tests.product.browser.visitor import Visitor, visiting
from tests.product.conftest import PASSWORD, Product
from tests.product.visits import login_of

pytestmark = pytest.mark.browser
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    # Else the form of the login would be filled in before a test presses its button.
    "automaticPresenceSimulation": False,
}
PAGE = "/cuenta/segundo-factor"


class Device:
    """What keeps passkeys for one browser."""

    def __init__(self, session: CDPSession, name: str) -> None:
        self._session, self._name = session, name

    async def touch(self, *, ready: bool) -> None:
        """Answer by itself from now on, or no more."""
        await self._session.send(
            "WebAuthn.setAutomaticPresenceSimulation", {"authenticatorId": self._name, "enabled": ready}
        )

    async def passkeys(self) -> list[dict[str, Any]]:
        found = await self._session.send("WebAuthn.getCredentials", {"authenticatorId": self._name})
        kept: list[dict[str, Any]] = found["credentials"]
        return kept

    async def keep(self, passkey: dict[str, Any]) -> None:
        """Hold a copy of a passkey of another device."""
        await self._session.send(
            "WebAuthn.addCredential", {"authenticatorId": self._name, "credential": passkey}
        )


async def with_device(visitor: Visitor) -> Device:
    if "//localhost" not in visitor.product.public_url:
        pytest.skip("browsers have passkeys for localhost, and the product of this folder is at 127.0.0.1")
    session = await visitor.page.context.new_cdp_session(visitor.page)
    await session.send("WebAuthn.enable")
    made = await session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    return Device(session, made["authenticatorId"])


async def go(visitor: Visitor, path: str) -> None:
    """Open a page by the name that passkeys work under."""
    await visitor.page.goto(visitor.product.public_url + path)


async def enter(visitor: Visitor, login: str) -> None:
    await go(visitor, "/ingreso/mipres")
    await visitor.fill(usuario=login, contrasena=PASSWORD)
    await visitor.press("Ingresar")


async def add_passkey(visitor: Visitor, device: Device) -> None:
    await go(visitor, PAGE)
    await visitor.fill(nombre="Teléfono")
    await device.touch(ready=True)
    await visitor.press("Agregar una llave de acceso")
    await device.touch(ready=False)


async def test_a_passkey_is_the_second_step_and_the_whole_login(visitor: Visitor, product: Product) -> None:
    person = await product.new_professional()
    await product.complete(person)
    device = await with_device(visitor)
    await enter(visitor, login_of(person))
    await add_passkey(visitor, device)
    assert await visitor.title() == "Guarde sus códigos de recuperación"
    await go(visitor, PAGE)
    assert "Teléfono" in await visitor.said()
    await visitor.press("Salir")
    await enter(visitor, login_of(person))
    assert await visitor.title() == "Segundo paso del ingreso"
    await device.touch(ready=True)
    await visitor.press("Usar mi llave de acceso")
    assert visitor.page.url.endswith("/inicio/mipres")
    await visitor.press("Salir")
    await device.touch(ready=False)
    await go(visitor, "/ingreso/mipres")
    await device.touch(ready=True)
    await visitor.press("Ingresar con una llave de acceso")
    assert visitor.page.url.endswith("/inicio/mipres")
    await visitor.press("Salir")
    await device.touch(ready=False)
    await go(visitor, "/ingreso/administracion")
    await device.touch(ready=True)
    await visitor.press("Ingresar con una llave de acceso")
    assert "Salir" not in await visitor.page.locator("header").inner_text()
    assert not visitor.page.url.endswith("/inicio/administracion")


async def test_a_copied_passkey_is_locked_for_both(
    visitor: Visitor, chrome: Browser, product: Product
) -> None:
    person = await product.new_professional()
    await product.complete(person)
    device = await with_device(visitor)
    await enter(visitor, login_of(person))
    await add_passkey(visitor, device)
    copied = (await device.passkeys())[0]
    await visitor.press("Salir")
    await go(visitor, "/ingreso/mipres")
    await device.touch(ready=True)
    await visitor.press("Ingresar con una llave de acceso")
    assert visitor.page.url.endswith("/inicio/mipres")
    async with visiting(chrome, product) as thief:
        other = await with_device(thief)
        await other.keep(copied)
        for _ in range(3):
            await other.touch(ready=False)
            await go(thief, "/ingreso/mipres")
            await other.touch(ready=True)
            await thief.press("Ingresar con una llave de acceso")
            assert "está bloqueada" in await thief.said()
    await go(visitor, PAGE)
    assert "Bloqueada" in await visitor.said()
