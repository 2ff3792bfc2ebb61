"""The whole journey over HTTP, and what must never be found in Temporal."""

import httpx2

from tests.product.conftest import PASSWORD, Product, csrf_of


async def test_a_professional_registers_sets_a_password_and_logs_in(product: Product) -> None:
    person = await product.new_professional()
    radicado = await product.complete(person)
    assert (await product.view(radicado))["outcome"] == "registered"
    async with product.browser() as visitor:
        landing = await _log_in(visitor, f"CC{person['document']['number']}", PASSWORD)
        assert landing.url.path == "/inicio/mipres"
        assert "Pepa Canaria Única" in landing.text
        left = await visitor.post("/salir", data={"csrf_token": csrf_of(landing)})
        assert left.url.path == "/"
        assert (await visitor.get("/inicio/mipres")).url.path == "/ingreso/mipres"


async def _log_in(visitor: httpx2.AsyncClient, login: str, password: str) -> httpx2.Response:
    page = await visitor.get("/ingreso/mipres")
    sent = {"csrf_token": csrf_of(page), "usuario": login, "contrasena": password}
    return await visitor.post("/ingreso/mipres", data=sent)
