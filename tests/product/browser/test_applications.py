"""Into applications with a browser: a consent, and a factor that is demanded."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import pyotp
import pytest
from playwright.async_api import Browser, Route

from dev.demo_application.app import Registered, create_app
from dev.serving import open_listener, port_of, serve
from tests.product.browser.accessibility import examine
from tests.product.browser.visitor import PHONE, Visitor, visiting
from tests.product.conftest import PASSWORD, Product
from tests.product.test_second_factor import later
from tests.product.test_support_commands import Command, command
from tests.product.visits import login_of

__all__ = ["command"]
pytestmark = pytest.mark.browser
HOSPITAL, PORTAL = "Hospital de la Sabana", "Portal de prestadores"


@asynccontextmanager
async def application(product: Product, command: Command, name: str, *options: str) -> AsyncIterator[str]:
    """Run an application that a command has added; its address."""
    listener = open_listener("127.0.0.1", 0, option="--port")
    address = f"http://localhost:{port_of(listener)}"
    client_id = f"app-{port_of(listener)}"
    known = ("--name", name, "--redirect-uri", f"{address}/volver", "--audience", "prescribers", *options)
    added = await command("applications", "add", client_id, *known, "--json")
    assert added.exit_code == 0, added.output
    secret = json.loads(added.stdout)["client_secret"]
    registered = Registered(
        client_id=client_id, client_secret=secret, issuer=product.public_url, name=name, address=address
    )
    stopping = asyncio.Event()
    serving = asyncio.create_task(serve(create_app(registered), listener, stopping=stopping))
    yield address
    stopping.set()
    await serving


async def by_keyboard(visitor: Visitor, words: str) -> None:
    await visitor.tab_until(f"() => document.activeElement.innerText === '{words}'")
    await visitor.enter()


async def typed(visitor: Visitor, person: dict[str, Any]) -> None:
    await visitor.fill(usuario=login_of(person), contrasena=PASSWORD)
    await visitor.press("Ingresar")


async def test_a_person_refuses_and_then_allows_an_application_outside_the_state(
    chrome: Browser, product: Product, command: Command
) -> None:
    person = await product.new_professional()
    await product.complete(person)
    async with (
        application(product, command, HOSPITAL, "--external") as hospital,
        visiting(chrome, product, address=product.public_url) as visitor,
    ):
        page = visitor.page
        await page.goto(f"{hospital}/ingresar")
        await typed(visitor, person)
        # The page in between leads on by itself.
        await page.wait_for_url("**/oidc/authorize?*")
        assert await visitor.title() == f"¿Autoriza a {HOSPITAL}?"
        assert "Su correo electrónico" in await visitor.said()
        await examine(visitor, "oidc-consent")

        await page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
        await by_keyboard(visitor, "No autorizar")
        await page.wait_for_url(f"{hospital}/**")
        assert "access_denied" in await visitor.said()
        await page.goto(f"{hospital}/ingresar")
        await by_keyboard(visitor, "Autorizar")
        await page.wait_for_url(f"{hospital}/")
        assert f"{person['given_names']} {person['surnames']}" in await visitor.said()
        await page.goto(f"{hospital}/ingresar")
        await page.wait_for_url(f"{hospital}/")
        await visitor.open("/cuenta")
        assert HOSPITAL in await visitor.said()

        async with visiting(chrome, product, address=product.public_url, javascript=False) as plain:
            await plain.page.goto(f"{hospital}/ingresar")
            await typed(plain, person)
            await plain.page.wait_for_url(f"{hospital}/")
            assert person["surnames"] in await plain.said()
            # A browser that follows no refresh shows the page, and its button leads on.
            await plain.page.route("**/continuar?*", without_refresh)
            asked = (await plain.page.request.get(f"{hospital}/ingresar", max_redirects=0)).headers[
                "location"
            ]
            request = asked.removeprefix(product.public_url)
            await plain.page.goto(
                f"{product.public_url}/ingreso/mipres/continuar?volver={quote(request, safe='')}"
            )
            assert await plain.title() == "Ingreso correcto"
            await plain.page.get_by_role("link", name="Continuar").click()
            await plain.page.wait_for_url(f"{hospital}/")


async def without_refresh(route: Route) -> None:
    answer = await route.fetch()
    body = re.sub(r'<meta http-equiv="refresh"[^>]*>', "", await answer.text())
    await route.fulfill(response=answer, body=body)


async def test_who_shows_the_factor_that_an_application_demands_comes_back_to_it(
    chrome: Browser, product: Product, command: Command
) -> None:
    person = await product.new_professional()
    await product.complete(person)
    async with (
        application(product, command, PORTAL, "--require-second-factor") as portal,
        application(product, command, HOSPITAL) as hospital,
        visiting(chrome, product, address=product.public_url) as visitor,
    ):
        page = visitor.page
        await page.goto(f"{portal}/ingresar")
        await typed(visitor, person)
        await page.wait_for_url("**/cuenta/segundo-factor?*")
        assert "la aplicación que pidió su ingreso necesita un segundo factor" in await visitor.said()
        await examine(visitor, "factor-demanded")
        codes = pyotp.TOTP((await page.locator("main code").inner_text()).replace(" ", ""))
        await visitor.fill(codigo=codes.now())
        await visitor.press("Agregar la aplicación")
        assert await visitor.title() == "Guarde sus códigos de recuperación"
        await examine(visitor, "recovery-codes-on-the-way")
        await page.get_by_role("link", name="Ya los guardé").click()
        await page.wait_for_url(f"{portal}/")
        assert person["surnames"] in await visitor.said()
        await page.get_by_role("link", name="Salir").click()

        # Another one demands it of this login alone, by `acr_values`.
        asked = (await page.request.get(f"{hospital}/ingresar", max_redirects=0)).headers["location"]
        await page.goto(f"{asked}&acr_values=urn:mipres:2fa")
        await typed(visitor, person)
        assert await visitor.title() == "Segundo paso del ingreso"
        await visitor.fill(codigo=later(codes))
        await visitor.press("Continuar")
        await page.wait_for_url(f"{hospital}/")
        assert person["surnames"] in await visitor.said()
