"""The pages of people who are in, and those on the way to an application."""

from typing import Any

import pyotp
import pytest

from mipres.domain.sentences import USE_MY_PASSKEY
from tests.product.browser.accessibility import examine
from tests.product.browser.rendered import continue_page, door_page, show
from tests.product.browser.visitor import Visitor
from tests.product.conftest import PASSWORD, Product
from tests.product.storage import rows
from tests.product.support import REASON, officer, post_form
from tests.product.test_address_change import moved
from tests.product.test_factor_reset import account_page
from tests.product.visits import login_of

__all__ = ["moved"]
pytestmark = pytest.mark.browser
AGED = (
    "UPDATE sessions SET confirmed_at = now() - interval '11 minutes' "
    "FROM accounts a WHERE a.id = account_id AND login = $1"
)


async def test_the_second_factor_from_the_account_to_the_login(visitor: Visitor, product: Product) -> None:
    person = await product.new_professional()
    await product.complete(person)
    await visitor.log_in("mipres", login_of(person))
    await visitor.open("/cuenta/segundo-factor")
    await examine(visitor, "factor")
    await visitor.press("Agregar la aplicación")
    await examine(visitor, "factor-errors")
    secret = await visitor.page.locator("main code").inner_text()
    await visitor.fill(codigo=pyotp.TOTP(secret.replace(" ", "")).now())
    await visitor.press("Agregar la aplicación")
    assert await visitor.title() == "Guarde sus códigos de recuperación"
    await examine(visitor, "recovery-codes")
    await visitor.open("/cuenta/segundo-factor")
    await examine(visitor, "factor-set-up")
    await rows(product, AGED, login_of(person))
    await visitor.page.reload()
    assert "Confirme que es usted" in await visitor.said()
    await examine(visitor, "factor-proof")
    await visitor.press("Salir")
    await visitor.log_in("mipres", login_of(person))
    await examine(visitor, "second-step")
    assert not await visitor.page.get_by_role("button", name=USE_MY_PASSKEY).is_visible()
    await visitor.press("Continuar")
    await examine(visitor, "second-step-errors")


async def test_a_change_of_address_and_its_stop(visitor: Visitor, moved: tuple[dict[str, Any], str]) -> None:
    await visitor.open(f"/no-fui-yo/{moved[1]}")
    await examine(visitor, "change")
    await visitor.press("No fui yo: detener el cambio")
    assert "El cambio quedó detenido" in await visitor.said()
    await examine(visitor, "change-stopped")


async def test_a_login_whose_access_support_closed(visitor: Visitor, product: Product) -> None:
    person = await product.new_professional()
    await product.complete(person)
    async with officer(product) as (desk, _):
        action = f"{await account_page(product, person)}/suspender"
        done = await post_form(desk, action, action, motivo=REASON)
        assert "Acceso suspendido" in done.text, done.text
    await visitor.log_in("mipres", login_of(person), PASSWORD)
    await examine(visitor, "access-closed")


async def test_the_way_to_an_application(visitor: Visitor, product: Product) -> None:
    await show(visitor, door_page(), at="/oidc/authorize")
    await examine(visitor, "oidc-door")
    await show(visitor, continue_page(), at="/ingreso/mipres/continuar")
    await examine(visitor, "oidc-continue")
    person = await product.new_professional()
    await product.complete(person)
    await visitor.log_in("mipres", login_of(person))
    await visitor.open("/oidc/logout?client_id=mipres")
    assert await visitor.title() == "¿Quiere salir?"
    await examine(visitor, "oidc-logout")
