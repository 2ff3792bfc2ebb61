"""The pages of support in a browser: for everybody, on a phone and on a desk."""

import pytest

from tests.product.browser.accessibility import examine
from tests.product.browser.visitor import Visitor
from tests.product.conftest import Product
from tests.product.support import REASON, STAFF_PASSWORD, new_staff

pytestmark = pytest.mark.browser


async def enter(visitor: Visitor, product: Product) -> None:
    await visitor.open("/soporte/ingreso")
    await visitor.fill(nombre=await new_staff(product), contrasena=STAFF_PASSWORD)
    await visitor.press("Ingresar")
    assert await visitor.title() == "Soporte"


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
    await visitor.fill(motivo=REASON)
    await visitor.page.check("#accion-cancelar")
    await visitor.press("Hacer")
    await examine(visitor, "support-case-done")
    await visitor.open("/soporte")
    await visitor.press("Pedir una clave")
    await examine(visitor, "support-key")
