"""The pages of support in a browser: for everybody, on a phone and on a desk."""

import asyncio

import pyotp
import pytest

from mipres.domain.lockout import FREE_FAILURES
from tests.product.browser.accessibility import examine
from tests.product.browser.visitor import Visitor
from tests.product.conftest import Product
from tests.product.storage import rows
from tests.product.support import REASON, STAFF_PASSWORD, new_staff
from tests.product.test_factor_reset import account_page
from tests.product.visits import login_of

pytestmark = pytest.mark.browser


async def enter(visitor: Visitor, product: Product) -> str:
    """Log somebody new in, and return the name."""
    name = await new_staff(product)
    await log_in(visitor, name)
    assert await visitor.title() == "Soporte"
    return name


async def log_in(visitor: Visitor, name: str, password: str = STAFF_PASSWORD) -> None:
    await visitor.open("/soporte/ingreso")
    await visitor.fill(nombre=name, contrasena=password)
    await visitor.press("Ingresar")


async def test_the_pages_of_support_are_for_everybody(visitor: Visitor, product: Product) -> None:
    person = await product.new_professional()
    radicado = (await product.register_professional(person)).json()["radicado"]
    await product.link_for(person)
    await visitor.open("/soporte/ingreso")
    await examine(visitor, "support-login")
    await visitor.press("Ingresar")
    await examine(visitor, "support-login-errors")
    await enter(visitor, product)
    await examine(visitor, "support")
    await visitor.press("Buscar")
    await examine(visitor, "support-errors")
    await visitor.fill(tipo_documento="CC", numero_documento=person["document"]["number"])
    await visitor.press("Buscar")
    await examine(visitor, "support-results")
    await visitor.open(f"/soporte/registro/{radicado}")
    await examine(visitor, "support-case")
    await visitor.press("Hacer")
    await examine(visitor, "support-case-errors")
    await visitor.open(f"/soporte/registro/{radicado}/cancelar")
    await examine(visitor, "support-cancel")
    await visitor.press("Cancelar el registro")
    await examine(visitor, "support-cancel-errors")
    await visitor.fill(motivo=REASON)
    await visitor.press("Cancelar el registro")
    await examine(visitor, "support-case-done")
    await visitor.open("/soporte/lista/stuck")
    await examine(visitor, "support-list")
    await visitor.open("/soporte/revision")
    await examine(visitor, "support-review")
    await visitor.open("/soporte/revision/continuar")
    await examine(visitor, "support-review-confirm")
    await visitor.press("Confirmar")
    await examine(visitor, "support-review-errors")
    await visitor.open("/soporte/nada")
    await examine(visitor, "support-not-found")
    await visitor.open("/soporte")
    await visitor.press("Pedir una clave")
    await examine(visitor, "support-key")


async def test_an_own_password_and_two_accounts_of_one_person(visitor: Visitor, product: Product) -> None:
    old, new = await product.new_professional(), await product.new_professional()
    await asyncio.gather(product.complete(old), product.complete(new))
    await enter(visitor, product)
    await visitor.open("/soporte/contrasena")
    await examine(visitor, "support-password")
    await visitor.press("Cambiar contraseña")
    await examine(visitor, "support-password-errors")
    await visitor.open(await account_page(product, old))
    await examine(visitor, "support-account")
    await visitor.open(f"{await account_page(product, old)}/unir")
    await examine(visitor, "support-join-login")
    await visitor.press("Continuar")
    await examine(visitor, "support-join-login-errors")
    await visitor.fill(usuario=login_of(new))
    await visitor.press("Continuar")
    assert await visitor.title() == "¿Unir las dos cuentas?"
    await examine(visitor, "support-join")


async def test_the_second_factor_of_support(visitor: Visitor, product: Product) -> None:
    name = await enter(visitor, product)
    await visitor.open("/soporte/segundo-factor")
    await examine(visitor, "support-factor")
    secret = await visitor.page.locator("main code").inner_text()
    await visitor.fill(codigo=pyotp.TOTP(secret.replace(" ", "")).now())
    await visitor.press("Agregar la aplicación")
    assert await visitor.title() == "Guarde sus códigos de recuperación"
    await examine(visitor, "support-recovery-codes")
    await visitor.open("/soporte/segundo-factor")
    await examine(visitor, "support-factor-set-up")
    await visitor.press("Salir")
    await log_in(visitor, name)
    await examine(visitor, "support-second-step")


async def test_a_member_of_support_whose_login_is_locked(visitor: Visitor, product: Product) -> None:
    other = await new_staff(product)
    for _ in range(FREE_FAILURES + 1):
        await log_in(visitor, other, "no es la contraseña")
    await enter(visitor, product)
    [row] = await rows(product, "SELECT id FROM staff WHERE name = $1", other)
    await visitor.open(f"/soporte/equipo/{row['id']}/desbloquear")
    await examine(visitor, "support-team-unlock")


async def test_temporal_s_interface_reads_with_the_session_of_support(
    visitor: Visitor, product: Product
) -> None:
    person = await product.new_professional()
    radicado = (await product.register_professional(person)).json()["radicado"]
    number, interface = person["document"]["number"], product.stack.url("TEMPORAL_UI_PORT")
    page = await visitor.page.context.new_page()
    await page.goto(interface)
    # What the dialog "Codec Server" keeps in the browser.
    chosen = {
        "endpoint": f'"{product.public_url}/codec"',
        "includeCredentials": "true",
        "overrideRemoteCodecConfiguration": "true",
    }
    await page.evaluate(
        "chosen => Object.entries(chosen).forEach((one) => localStorage.setItem(...one))", chosen
    )
    history = f"{interface}/namespaces/default/workflows/registration%2F{radicado}"
    async with page.expect_response(lambda answer: "/codec/decode" in answer.url) as refused:
        await page.goto(history)
    assert (await refused.value).status == 401
    assert number not in await page.inner_text("body")

    await enter(visitor, product)
    async with page.expect_response(lambda answer: "/codec/decode" in answer.url) as closed:
        await page.goto(history)
    assert (await closed.value).ok
    await page.get_by_text("Dé un motivo en").first.wait_for()
    assert number not in await page.inner_text("body")
    await visitor.open(f"/soporte/registro/{radicado}")
    await visitor.fill(motivo=REASON)
    await visitor.press("Hacer")
    async with page.expect_response(
        lambda answer: "/codec/decode" in answer.url and answer.status == 200
    ) as read:
        await page.goto(history)
    assert (await read.value).ok
    await page.get_by_text(number).first.wait_for()
    # What the browser complains about there, the refused call among it, is no page of the product.
    await page.close()
    visitor.complaints.clear()
