"""What support does to an account in the whole product, and what the person sees."""

import re
from typing import Any

import httpx2

from tests.product.conftest import Product
from tests.product.support import REASON, officer, post_form
from tests.product.visits import ask_recovery, log_in, login_of, set_password

OTHER_PASSWORD = "Otra-Clave-2027"


async def ready(product: Product, visitor: httpx2.AsyncClient) -> tuple[dict[str, Any], str]:
    person = await product.new_professional()
    radicado: str = (await product.register_professional(person)).json()["radicado"]
    await set_password(visitor, await product.link_for(person))
    await product.reaches(radicado, "completed")
    return person, radicado


async def decides(desk: httpx2.AsyncClient, address: str, action: str) -> httpx2.Response:
    """Open the page that says what follows, and confirm."""
    return await post_form(desk, f"{address}/{action}", f"{address}/{action}", motivo=REASON)


async def test_support_suspends_and_reinstates_and_the_person_learns_why(product: Product) -> None:
    async with product.browser() as visitor, officer(product) as (desk, _):
        person, radicado = await ready(product, visitor)
        assert (await log_in(visitor, person)).url.path == "/inicio/mipres"
        document = person["document"]
        results = await post_form(
            desk,
            "/soporte",
            "/soporte/buscar",
            tipo_documento=document["type"],
            numero_documento=document["number"],
        )
        address = re.findall(r'href="(/soporte/cuenta/[^"]+)"', results.text)[0]
        page = await desk.get(address)
        assert ("MIPRES No UPC, desde" in page.text, login_of(person) in page.text) == (True, False)

        unconfirmed = await desk.get(f"{address}/suspender")
        assert "¿Suspender el acceso?" in unconfirmed.text
        assert f"{address}/reinstalar" not in page.text
        assert (await visitor.get("/inicio/mipres")).url.path == "/inicio/mipres"
        assert "Acceso suspendido." in (await decides(desk, address, "suspender")).text
        assert (await product.view(radicado))["access"] == "suspended"

        assert (await visitor.get("/inicio/mipres")).url.path == "/ingreso/mipres"
        closed = await log_in(visitor, person)
        assert "Su cuenta está suspendida por soporte" in closed.text
        assert "ya está suspendida" in (await decides(desk, address, "suspender")).text
        assert "Acceso abierto otra vez." in (await decides(desk, address, "reinstalar")).text
        assert (await log_in(visitor, person)).url.path == "/inicio/mipres"
        assert "Sesiones cerradas." in (await decides(desk, address, "cerrar-sesiones")).text
        assert (await visitor.get("/inicio/mipres")).url.path == "/ingreso/mipres"


async def test_the_page_of_an_account_asks_for_a_reason_and_a_known_action(product: Product) -> None:
    async with product.browser() as visitor, officer(product) as (desk, _):
        person, _ = await ready(product, visitor)
        document = person["document"]
        results = await post_form(
            desk,
            "/soporte",
            "/soporte/buscar",
            tipo_documento=document["type"],
            numero_documento=document["number"],
        )
        address = re.findall(r'href="(/soporte/cuenta/[^"]+)"', results.text)[0]
        asking = f"{address}/suspender"
        short = await post_form(desk, asking, asking, motivo="no")
        assert (short.status_code, "al menos 10 caracteres" in short.text) == (422, True)
        assert (await desk.get(f"{address}/borrar")).status_code == 404


async def test_support_unlocks_a_login_with_a_reason(product: Product) -> None:
    async with product.browser() as visitor, officer(product) as (desk, _):
        person, _ = await ready(product, visitor)
        for _ in range(10):
            await log_in(visitor, person, "Otra-Clave-2027")
        assert (await log_in(visitor, person)).status_code == 422
        results = await post_form(desk, "/soporte", "/soporte/buscar", radicado=login_of(person).lower())
        address = re.findall(r'href="(/soporte/cuenta/[^"]+)"', results.text)[0]
        assert "Ingreso desbloqueado." in (await decides(desk, address, "desbloquear")).text
        assert (await log_in(visitor, person)).url.path == "/inicio/mipres"
        assert "no tenía intentos fallidos" in (await decides(desk, address, "desbloquear")).text


async def test_support_joins_two_accounts_after_seeing_both(product: Product) -> None:
    async with product.browser() as visitor, officer(product) as (desk, _):
        (old, _), (new, _) = await ready(product, visitor), await ready(product, visitor)
        results = await post_form(desk, "/soporte", "/soporte/buscar", radicado=login_of(old))
        address = re.findall(r'href="(/soporte/cuenta/[^"]+)"', results.text)[0]
        asking = f"{address}/unir"
        unknown = await post_form(desk, asking, asking, usuario="CC99999997")
        assert (unknown.status_code, "Ninguna cuenta tiene ese usuario" in unknown.text) == (422, True)
        both = await post_form(desk, asking, asking, usuario=login_of(new).lower())
        pair = both.url.path
        for secret in (login_of(old), login_of(new), old["email"], new["email"]):
            assert secret not in f"{both.text} {both.url}"
        wrong = await post_form(desk, pair, pair, motivo=REASON, prueba="no vale")
        assert (wrong.status_code, f'value="{REASON}"' in wrong.text) == (422, True)
        assert "de 3 a 40 letras" in wrong.text
        assert (await log_in(visitor, old)).url.path == "/inicio/mipres"
        done = await post_form(desk, pair, pair, motivo=REASON, prueba="SOL-2026-118")
        assert "Cuentas unidas." in done.text
        lasting = done.url.path
        page = await desk.get(address)
        assert f'href="{lasting}"' in page.text
        assert "En esta cuenta no hay nada que decidir" in page.text


async def joined(product: Product, visitor: httpx2.AsyncClient) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two people of whom support made one: by the old document and by the new."""
    (old, _), (new, _) = await ready(product, visitor), await ready(product, visitor)
    async with officer(product) as (desk, _):
        results = await post_form(desk, "/soporte", "/soporte/buscar", radicado=login_of(old))
        address = re.findall(r'href="(/soporte/cuenta/[^"]+)"', results.text)[0]
        asking = f"{address}/unir"
        pair = (await post_form(desk, asking, asking, usuario=login_of(new))).url.path
        done = await post_form(desk, pair, pair, motivo=REASON, prueba="SOL-2026-118")
        assert "Cuentas unidas." in done.text
    return old, new


async def test_the_login_of_the_old_document_names_the_new_one_after_the_password(product: Product) -> None:
    async with product.browser() as visitor, product.browser() as stranger:
        old, new = await joined(product, visitor)
        wrong = await log_in(stranger, old, OTHER_PASSWORD)
        assert ("no son correctos" in wrong.text, login_of(new) in wrong.text) == (True, False)
        told = await log_in(stranger, old)
        assert "Su cuenta se unió a la de su nuevo documento" in told.text
        assert f"Ingrese con el usuario {login_of(new)}" in told.text
        assert (await stranger.get("/inicio/mipres")).url.path == "/ingreso/mipres"
        assert (await log_in(stranger, new)).url.path == "/inicio/mipres"


async def test_a_recovery_by_the_old_document_is_of_the_account_that_goes_on(product: Product) -> None:
    async with product.browser() as visitor:
        old, new = await joined(product, visitor)
        assert (await ask_recovery(product, visitor, old["document"])).status_code == 202
        link = await product.link_for(new, count=2)
        page = await visitor.get(link)
        assert (login_of(new) in page.text, login_of(old) in page.text) == (True, False)
        assert "Su contraseña cambió" in (await set_password(visitor, link, OTHER_PASSWORD)).text
        assert (await log_in(visitor, new, OTHER_PASSWORD)).url.path == "/inicio/mipres"


async def test_the_page_of_an_account_is_found_by_its_number_only(product: Product) -> None:
    async with officer(product) as (desk, _):
        unknown = "/soporte/cuenta/00000000-0000-0000-0000-000000000000"
        assert (await desk.get(unknown)).status_code == 404
