"""One Chromium for all tests of this folder, on the product of the one above."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright, expect

from tests.patience import PATIENCE_SECONDS
from tests.product.browser.visitor import Visitor, visiting
from tests.product.conftest import Product

expect.set_options(timeout=PATIENCE_SECONDS * 1000)
# The browser speaks to the tests' own servers only.
QUIET = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
async def chrome(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(QUIET))
        yield browser
        await browser.close()


@pytest.fixture
async def visitor(chrome: Browser, product: Product) -> AsyncIterator[Visitor]:
    async with visiting(chrome, product) as somebody:
        yield somebody


@pytest.fixture
async def plain_visitor(chrome: Browser, product: Product) -> AsyncIterator[Visitor]:
    """Somebody whose browser runs no scripts."""
    async with visiting(chrome, product, javascript=False) as somebody:
        yield somebody
