"""The whole journey over HTTP, and what must never be found in Temporal."""

from tests.product.conftest import Product, csrf_of
from tests.product.visits import log_in


async def test_a_professional_registers_sets_a_password_and_logs_in(product: Product) -> None:
    person = await product.new_professional()
    radicado = await product.complete(person)
    assert (await product.view(radicado))["outcome"] == "registered"
    async with product.browser() as visitor:
        landing = await log_in(visitor, person)
        assert landing.url.path == "/inicio/mipres"
        assert "Pepa Canaria Única" in landing.text
        left = await visitor.post("/salir", data={"csrf_token": csrf_of(landing)})
        assert left.url.path == "/"
        assert (await visitor.get("/inicio/mipres")).url.path == "/ingreso/mipres"
