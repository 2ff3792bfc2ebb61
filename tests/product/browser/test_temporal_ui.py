"""Support at work in Temporal's interface, while a registry is down."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Locator, Page, expect

from mipres.temporal.ui import list_url, workflow_url
from tests.patience import PATIENCE_SECONDS
from tests.product.conftest import Product
from tests.product.support import STAFF_PASSWORD, new_staff
from workflows.saved_views import saved_views

pytestmark = pytest.mark.browser
# The interface is a large program, and loading it again takes a busy machine its time.


@dataclass(frozen=True, kw_only=True)
class Stuck:
    """A registration that waits for SSO, and a person who is unreadable there."""

    radicado: str
    person: dict[str, Any]

    @property
    def workflow_id(self) -> str:
        return f"registration/{self.radicado}"


@dataclass(kw_only=True)
class Desk:
    """A support officer's tab."""

    page: Page
    ui: str

    async def search(self, key: str) -> None:
        """Follow the link of a saved view."""
        [view] = [one for one in saved_views(datetime.now(UTC)) if one.key == key]
        await self.page.goto(list_url(view.query, ui_url=self.ui, namespace="default"))

    def found(self, stuck: Stuck) -> Locator:
        return self.page.get_by_role("link", name=stuck.workflow_id, exact=True)

    async def searches_until_found(self, key: str, stuck: Stuck) -> None:
        """The list lags behind the workflow by a moment, so the page is opened again."""
        for _ in range(4):
            await self.search(key)
            if await _appears(self.found(stuck)):
                return
        pytest.fail(f"{key} does not show {stuck.workflow_id}")

    async def open(self, stuck: Stuck) -> None:
        await self.page.goto(workflow_url(stuck.workflow_id, ui_url=self.ui, namespace="default"))
        await self.page.get_by_text("Pending Activities").first.wait_for()

    async def turn_to(self, tab: str) -> None:
        await self.page.locator(f'a[href$="/{tab}"]').first.click()

    def details(self) -> Locator:
        """What the workflow says of itself, which the interface shows in frames."""
        return self.page.frame_locator("iframe").nth(1).locator("body")

    async def press(self, words: str) -> None:
        await self.page.get_by_role("button", name=words, exact=True).first.click()

    async def confirm(self, words: str, *, reason: str) -> None:
        """Fill in why, and press the dialog's own button."""
        dialog = self.page.locator("dialog[open]")
        if await dialog.get_by_role("textbox").count():
            await dialog.get_by_role("textbox").first.fill(reason)
        await dialog.get_by_role("button", name=words, exact=True).click()
        await expect(dialog).to_have_count(0)


async def _appears(locator: Locator) -> bool:
    try:
        await locator.first.wait_for(timeout=8_000)
    except Exception:  # noqa: BLE001 - Playwright's own timeout; whatever else it is, the next look says so.
        return False
    return True


@pytest.fixture
async def stuck(product: Product) -> AsyncIterator[Stuck]:
    await product.set_registry("sso", mode="down")
    person = await product.new_person(
        sso={
            "profession": "MEDICINA",
            "site_code": "940010001",
            "site_name": "Hospital de Inírida",
            "municipality": "94001",
            "start": "2026-07-01",
            "end": "2027-06-30",
        }
    )
    answer = await product.register(user_type="social_service", document=person["document"])
    assert answer.status_code == 202, answer.text
    yield Stuck(radicado=answer.json()["radicado"], person=person)
    await product.set_registry("sso", mode="up")


async def _context(chrome: Browser, *, codec: str) -> BrowserContext:
    context = await chrome.new_context(
        viewport={"width": 1280, "height": 900}, locale="es-CO", timezone_id="America/Bogota"
    )
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    # As the interface keeps what is filled in under "Codec Server".
    stored = {
        "endpoint": f'"{codec}"',
        "includeCredentials": "true",
        "overrideRemoteCodecConfiguration": "true",
    }
    lines = [f"localStorage.setItem({name!r}, {value!r});" for name, value in stored.items()]
    await context.add_init_script("\n".join(lines))
    return context


@pytest.fixture(scope="module")
async def desk(chrome: Browser, product: Product) -> AsyncIterator[Desk]:
    """A tab whose owner is logged in at /soporte."""
    context = await _context(chrome, codec=f"{product.url}/codec")
    page = await context.new_page()
    await page.goto(f"{product.url}/soporte/ingreso")
    await page.fill("[name=nombre]", await new_staff(product))
    await page.fill("[name=contrasena]", STAFF_PASSWORD)
    await page.get_by_role("button", name="Ingresar").click()
    await page.get_by_role("heading", name="Soporte").first.wait_for()
    yield Desk(page=page, ui=product.stack.url("TEMPORAL_UI_PORT"))
    await context.close()


@pytest.fixture
async def outsider(chrome: Browser, product: Product) -> AsyncIterator[Desk]:
    """A tab of somebody who is not of support."""
    context = await _context(chrome, codec=f"{product.url}/codec")
    yield Desk(page=await context.new_page(), ui=product.stack.url("TEMPORAL_UI_PORT"))
    await context.close()


async def test_the_search_finds_it_and_its_page_tells_all(desk: Desk, stuck: Stuck) -> None:
    await desk.searches_until_found("waiting-sso", stuck)
    await desk.found(stuck).click()
    await expect(desk.page.get_by_role("heading", name=stuck.workflow_id)).to_be_visible()
    # What explains the registration needs no reason; what is about the person does.
    await expect(desk.page.locator("body")).to_contain_text(f"/soporte/registro/{stuck.radicado}")
    await expect(desk.page.locator("body")).not_to_contain_text(stuck.person["document"]["number"])

    await desk.turn_to("user-metadata")
    summary = desk.page.frame_locator("iframe").nth(0).locator("body")
    await expect(summary).to_contain_text("Registro de Servicio Social Obligatorio")
    await expect(desk.details()).to_contain_text("Esperando de un registro una respuesta que sirva")
    await expect(desk.details()).to_contain_text("Espera a: SSO")
    await expect(desk.details()).to_contain_text(f"python -m mipres.cli retry {stuck.radicado}")

    await desk.turn_to("pending-activities")
    pending = desk.page.locator("body")
    await expect(pending).to_contain_text("consultar-sso")
    await expect(pending).to_contain_text("El registro SSO no respondió bien")
    await expect(pending).to_contain_text("avise a quien opera SSO")


async def test_whoever_is_not_of_support_reads_nothing_personal(outsider: Desk, stuck: Stuck) -> None:
    await outsider.searches_until_found("waiting-sso", stuck)
    await outsider.found(stuck).click()
    shown, person = outsider.page.locator("body"), stuck.person
    for seen in ("check_placement", "consultar-sso"):
        await expect(shown).to_contain_text(seen)
        for personal in (person["document"]["number"], person["surnames"], person["email"]):
            await expect(shown).not_to_contain_text(personal)
        await outsider.turn_to("pending-activities")


async def test_support_pauses_and_resets_the_activity(desk: Desk, product: Product, stuck: Stuck) -> None:
    await desk.open(stuck)
    await desk.turn_to("pending-activities")
    await desk.press("Pause")
    await desk.confirm("Pause", reason="SSO anunció mantenimiento")
    await expect(desk.page.get_by_role("button", name="Unpause", exact=True)).to_be_visible()
    await desk.searches_until_found("paused", stuck)

    await product.set_registry("sso", mode="up")
    await desk.open(stuck)
    await desk.turn_to("pending-activities")
    await desk.press("Reset")
    await desk.confirm("Reset", reason="SSO ya responde")
    await product.reaches(stuck.radicado, "awaiting_password")


async def test_support_cancels_by_an_update(desk: Desk, product: Product, stuck: Stuck) -> None:
    await desk.open(stuck)
    await desk.press("More Actions")
    await desk.page.get_by_role("menuitem", name="Send an Update").click()
    dialog = desk.page.locator("dialog[open]")
    await dialog.get_by_test_id("update-select").locator("xpath=..").click()
    await dialog.get_by_role("option").filter(has_text="cancel_registration").click()
    await dialog.locator(".cm-content").fill('"la persona lo pidió por teléfono"')
    await dialog.get_by_role("button", name="Submit").click()
    await product.reaches(stuck.radicado, "cancelled")
