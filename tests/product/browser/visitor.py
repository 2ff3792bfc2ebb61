"""A person at the product's pages with a real browser."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.async_api import Browser, ConsoleMessage, FrameLocator, Locator, Page, Response, ViewportSize

from tests.patience import PATIENCE_SECONDS
from tests.product.conftest import PASSWORD, Product

DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 740}
REDIRECTIONS = range(300, 400)
# A parsed text runs no script, and its <noscript> holds elements, as where scripts are off.
_AS_SENT = """sent => new DOMParser().parseFromString(sent, "text/html")
  .documentElement.isEqualNode(document.documentElement)"""
_EXPECTED_STATUS = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")


@dataclass(kw_only=True)
class Visitor:
    """One visit with cookies of its own.

    `address` is that of the API that is visited, `complaints` is what the browser had to say
    against the pages, and `document` is the answer that the browser shows.
    """

    product: Product
    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)
    document: Response | None = None

    async def open(self, path: str) -> None:
        await self.page.goto(self.address + path)

    async def title(self) -> str:
        """The heading of the page."""
        return " ".join((await self.page.locator("h1").inner_text()).split())

    async def said(self) -> str:
        """Everything in the page's main part, spaces folded."""
        return " ".join((await self.page.locator("main").inner_text()).split())

    def field(self, name: str) -> Locator:
        return self.page.locator(f"[name={name}]:not([type=hidden])")

    async def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            await self._answer(name, value)
            step = self.page.get_by_role("button", name="Ver los municipios")
            if name == "departamento" and await step.is_visible():
                await self.press("Ver los municipios")

    async def solve_captcha(self) -> None:
        await self.page.fill("[name=captcha]", await self.captcha_code())

    async def captcha_code(self) -> str:
        return self.product.code_of(await self.page.input_value("[name=captcha_id]"))

    async def press(self, words: str) -> None:
        """Press a button and wait for the page that comes."""
        async with self.page.expect_navigation():
            await self.page.get_by_role("button", name=words, exact=True).click()

    async def tab_until(self, arrived: str) -> None:
        """Press the Tab key until an expression of the page is true."""
        for _ in range(40):
            await self.page.keyboard.press("Tab")
            if await self.page.evaluate(arrived):
                return
        pytest.fail(f"the Tab key never comes to: {arrived}")

    async def enter(self) -> None:
        """Press the Enter key and wait for the page that comes."""
        async with self.page.expect_navigation():
            await self.page.keyboard.press("Enter")

    async def register(self, slug: str, **fields: str) -> None:
        """Fill the whole form of a type of user and send it."""
        await self.open(f"/registro/{slug}")
        await self.fill(**fields)
        await self.solve_captcha()
        await self.page.check("[name=acepta_datos]")
        await self.press("Registrar")

    async def log_in(self, application: str, login: str, password: str = PASSWORD) -> None:
        await self.open(f"/ingreso/{application}")
        await self.fill(usuario=login, contrasena=password)
        await self.press("Ingresar")

    async def set_password(self, password: str = PASSWORD) -> None:
        await self.fill(contrasena=password, confirmacion=password)
        await self.press("Crear contraseña")

    async def radicado(self) -> str:
        """The number that the page shows."""
        found = re.search(r"RM-\w{12}", await self.page.locator("main").inner_text())
        assert found, "the page shows no radicado"
        return found.group()

    async def is_as_sent(self) -> bool:
        """Whether the page is, node by node, the one of a browser that runs no scripts."""
        assert self.document is not None
        return bool(await self.page.evaluate(_AS_SENT, await self.document.text()))

    @asynccontextmanager
    async def without_scripts(self) -> AsyncIterator[Page]:
        """Show the same answer in a tab that ran none of its scripts.

        Scripts are allowed again once the page stands, for axe is one.
        """
        assert self.document is not None
        body, address = await self.document.body(), self.document.url
        tab = await self.page.context.new_page()
        session = await self.page.context.new_cdp_session(tab)
        await session.send("Emulation.setScriptExecutionDisabled", {"value": True})
        await tab.route(
            address, lambda route: route.fulfill(body=body, content_type="text/html; charset=utf-8")
        )
        await tab.goto(address)
        await session.send("Emulation.setScriptExecutionDisabled", {"value": False})
        yield tab
        await tab.close()

    def remember(self, response: Response) -> None:
        """Keep the answer that the page shows from now on."""
        is_document = response.request.is_navigation_request() and response.frame == self.page.main_frame
        if is_document and response.status not in REDIRECTIONS:
            self.document = response

    def hear(self, page: Page) -> None:
        """Collect what the browser complains about."""
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, message: ConsoleMessage) -> None:
        # A refused form or an unknown page is what some tests ask for; a missing style sheet is not.
        expected = _EXPECTED_STATUS.match(message.text) and not re.search(
            r"/(static|captcha)/", message.location["url"]
        )
        if message.type == "error" and not expected:
            self.complaints.append(f"{message.text} ({message.location['url']})")

    async def _answer(self, name: str, value: str) -> None:
        control = self.field(name)
        kind = await control.first.evaluate("e => e.type")
        if kind == "select-one":
            await control.select_option(value)
        elif kind == "radio":
            await self.page.check(f"[name={name}][value={value}]")
        else:
            await control.fill(value)


@asynccontextmanager
async def visiting(
    browser: Browser, product: Product, *, address: str = "", javascript: bool = True, **options: Any
) -> AsyncIterator[Visitor]:
    """A visit; at its end the browser must have no complaint about any page."""
    options = {"viewport": DESKTOP, "locale": "es-CO"} | options
    context = await browser.new_context(java_script_enabled=javascript, **options)
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    try:
        page = await context.new_page()
        visitor = Visitor(product=product, page=page, address=address or product.url)
        context.on("page", visitor.hear)
        visitor.hear(visitor.page)
        page.on("response", visitor.remember)
        yield visitor
        assert visitor.complaints == []
    finally:
        await context.close()


async def mail_frame(page: Page, product: Product, address: str) -> FrameLocator:
    """Open the newest message to an address in the mail catcher's page; its HTML part."""
    await page.goto(product.stack.url("MAIL_UI_PORT"))
    await page.get_by_role("link", name=f"Para {address}").first.click()
    return page.frame_locator("iframe")
