"""F5, Back and a discarded tab: each answer to a form stands at an address."""

import pytest
from playwright.async_api import Page, Request, expect

from tests.product.browser.visitor import Visitor
from tests.product.visits import login_of

pytestmark = pytest.mark.browser


class Sent:
    """The forms that a page has sent since."""

    def __init__(self, page: Page) -> None:
        self.posts: list[str] = []
        page.on("request", self._note)

    def _note(self, request: Request) -> None:
        if request.method == "POST":
            self.posts.append(request.url)


@pytest.fixture(params=["visitor", "plain_visitor"])
def somebody(request: pytest.FixtureRequest) -> Visitor:
    """With JavaScript, and without it."""
    found: Visitor = request.getfixturevalue(request.param)
    return found


async def shown(visitor: Visitor) -> list[str]:
    summary = visitor.page.locator(".error-summary li")
    return [await summary.nth(number).inner_text() for number in range(await summary.count())]


async def wrong_form(visitor: Visitor) -> None:
    await visitor.open("/registro/profesional")
    await visitor.fill(tipo_documento="CC", numero_documento="12 a", registro_profesional="76-1234")
    await visitor.solve_captcha()
    await visitor.press("Registrar")


async def test_a_form_with_errors_survives_f5_and_back(somebody: Visitor) -> None:
    await wrong_form(somebody)
    sent, errors = Sent(somebody.page), await shown(somebody)
    assert len(errors) == 2
    for _ in range(2):
        await somebody.page.reload()
        assert await shown(somebody) == errors
        assert await somebody.field("numero_documento").input_value() == "12 a"
        assert await somebody.field("captcha").input_value() == ""
    await somebody.page.goto(somebody.address + "/ayuda")
    await somebody.page.go_back()
    assert await shown(somebody) == errors
    assert await somebody.field("registro_profesional").input_value() == "76-1234"
    assert sent.posts == []


async def test_a_discarded_tab_shows_the_same(somebody: Visitor) -> None:
    """A telephone that takes the tab back asks for its address, in the same browser."""
    await wrong_form(somebody)
    errors, address = await shown(somebody), somebody.page.url
    tab = await somebody.page.context.new_page()
    await tab.goto(address)
    assert await tab.locator(".error-summary li").all_inner_texts() == errors
    await tab.close()


async def test_a_wrong_login_survives_f5_and_keeps_no_password(somebody: Visitor) -> None:
    person = await somebody.product.new_professional()
    await somebody.log_in("mipres", login_of(person), "Equivocada-1")
    sent, errors = Sent(somebody.page), await shown(somebody)
    await somebody.page.reload()
    assert await shown(somebody) == errors
    assert await somebody.field("usuario").input_value() == login_of(person)
    assert await somebody.field("contrasena").input_value() == ""
    assert sent.posts == []


async def test_back_from_the_created_password_leads_to_the_login(somebody: Visitor) -> None:
    person = await somebody.product.new_professional()
    await somebody.product.register_professional(person)
    await somebody.open(await somebody.product.link_for(person))
    await somebody.set_password()
    done = await somebody.said()
    await somebody.page.reload()
    assert await somebody.said() == done
    await somebody.page.go_back()
    assert "El enlace ya se usó" in await somebody.said()


async def test_the_errors_have_the_focus_after_each_load(somebody: Visitor) -> None:
    await wrong_form(somebody)
    for _ in range(2):
        assert await somebody.page.locator(".error-summary").evaluate("it => it === document.activeElement")
        await somebody.page.reload()


async def test_a_form_whose_answer_was_stopped_can_be_sent_again(visitor: Visitor) -> None:
    page = visitor.page
    await page.clock.install()
    await visitor.open("/registro/otro")
    # Nothing answers, as after the browser's own button has stopped the sending.
    await page.evaluate(
        "addEventListener('submit', (event) => {"
        " window.sent = (window.sent ?? 0) + !event.defaultPrevented; event.preventDefault(); })"
    )
    button = page.locator("main [data-busy]")
    await button.dblclick()
    await expect(button).to_have_text("Enviando…")
    assert await page.evaluate("window.sent") == 1
    await page.clock.fast_forward(20_000)
    await expect(button).to_have_text("Registrar")
    await button.click()
    assert await page.evaluate("window.sent") == 2
