"""The own account of a person who is in, and what ends a session."""

import re
from typing import Any

import httpx2
import pytest

from tests.product.conftest import PASSWORD, Product, csrf_of
from tests.product.storage import rows
from tests.product.visits import log_in, login_of, set_password

OTHER_PASSWORD = "Otra-Clave-2027"
_SESSION = re.compile(r'name="sesion" value="([^"]+)"')


async def ready(product: Product, visitor: httpx2.AsyncClient, door: str = "mipres") -> dict[str, Any]:
    """Register somebody who then enters by this door."""
    entity = {"nit": "900123456", "name": "Clínica del Ejemplo", "kind": "IPS"}
    person = await product.new_person(delegate_of=[entity])
    kind: dict[str, Any] = {"user_type": "other"}
    if door == "administracion":
        kind = {"user_type": "delegate", "entity": {"kind": "IPS", "nit": entity["nit"]}}
    radicado = (await product.register(document=person["document"], **kind)).json()["radicado"]
    await set_password(visitor, await product.link_for(person))
    await product.reaches(radicado, "completed")
    assert (await log_in(visitor, person, door=door)).url.path == f"/inicio/{door}"
    return person


async def change(visitor: httpx2.AsyncClient, present: str, password: str) -> httpx2.Response:
    page = await visitor.get("/cuenta/contrasena")
    fields = {"actual": present, "contrasena": password, "confirmacion": password}
    return await post(visitor, page, "/cuenta/contrasena", **fields)


async def post(
    visitor: httpx2.AsyncClient, page: httpx2.Response, path: str, **fields: str
) -> httpx2.Response:
    session = _SESSION.findall(page.text)[0]
    return await visitor.post(path, data={"csrf_token": csrf_of(page), "sesion": session} | fields)


@pytest.mark.parametrize("door", ["mipres", "administracion"])
async def test_whoever_is_in_sees_the_account_and_changes_the_password(product: Product, door: str) -> None:
    async with product.browser() as visitor, product.browser() as elsewhere:
        person = await ready(product, visitor, door)
        await log_in(elsewhere, person, door=door)
        page = await visitor.get("/cuenta")
        assert ("Sesiones abiertas" in page.text, "Vigente" in page.text) == (True, True)
        assert page.text.count("Cerrar esta sesión") == 1
        wrong = await change(visitor, "No-es-la-clave-1", OTHER_PASSWORD)
        assert (wrong.status_code, "No es la contraseña actual" in wrong.text) == (422, True)
        weak = await change(visitor, PASSWORD, "corta")
        assert weak.status_code == 422
        assert (await elsewhere.get(f"/inicio/{door}")).url.path == f"/inicio/{door}"
        done = await change(visitor, PASSWORD, OTHER_PASSWORD)
        assert (done.status_code, done.url.path) == (200, "/cuenta")
        ended = await elsewhere.get(f"/inicio/{door}")
        assert "Su sesión terminó porque la contraseña cambió" in ended.text
        assert "no son correctos" in (await log_in(elsewhere, person, PASSWORD, door=door)).text
        assert (await log_in(elsewhere, person, OTHER_PASSWORD, door=door)).url.path == f"/inicio/{door}"


async def test_every_page_says_who_is_in_and_lets_them_leave(product: Product) -> None:
    async with product.browser() as visitor:
        login = login_of(await ready(product, visitor))
        for path in (
            "/",
            "/registro/profesional",
            "/registro/estado",
            "/contrasena/recuperar",
            "/ingreso/mipres",
            "/no-existe",
        ):
            shown = (await visitor.get(path)).text
            assert (login in shown, 'action="/salir"' in shown) == (True, True), path
        page = await visitor.get("/")
        await visitor.post("/salir", data={"csrf_token": csrf_of(page)})
        assert login not in (await visitor.get("/")).text


async def test_sessions_are_ended_one_by_one_and_all_at_once(product: Product) -> None:
    async with product.browser() as visitor, product.browser() as one, product.browser() as other:
        person = await ready(product, visitor)
        for browser in (one, other):
            second = await log_in(browser, person)
            assert "Su ingreso anterior fue el" in second.text
        page = await visitor.get("/cuenta")
        which = re.findall(r'name="cual" value="([0-9a-f-]{36})"', page.text)
        assert len(which) == 2
        assert (await post(visitor, page, "/cuenta/sesiones/cerrar", cual="nada")).status_code == 200
        await post(visitor, page, "/cuenta/sesiones/cerrar", cual=which[0])
        left = [(await browser.get("/inicio/mipres")).url.path for browser in (one, other)]
        assert sorted(left) == ["/ingreso/mipres", "/inicio/mipres"]
        await post(visitor, page, "/cuenta/sesiones/cerrar", cual="otras")
        for browser in (one, other):
            over = await browser.get("/inicio/mipres")
            assert (over.url.path, "Su sesión terminó" in over.text) == ("/ingreso/mipres", True)
        assert (await visitor.get("/inicio/mipres")).url.path == "/inicio/mipres"


async def test_a_form_of_another_session_does_nothing(product: Product) -> None:
    """The other tab's page names a session that this browser has no more."""
    async with product.browser() as visitor, product.browser() as other:
        person, _ = await ready(product, visitor), await ready(product, other)
        foreign = _SESSION.findall((await other.get("/cuenta/contrasena")).text)[0]
        page = await visitor.get("/cuenta/contrasena")
        fields = {"actual": PASSWORD, "contrasena": OTHER_PASSWORD, "confirmacion": OTHER_PASSWORD}
        sent = {"csrf_token": csrf_of(page), "sesion": foreign} | fields
        refused = await visitor.post("/cuenta/contrasena", data=sent)
        assert (refused.status_code, "No se guardó nada" in refused.text) == (422, True)
        sent = {"csrf_token": csrf_of(page), "sesion": foreign, "cual": "otras"}
        assert (await visitor.post("/cuenta/sesiones/cerrar", data=sent)).status_code == 409
        assert (await log_in(visitor, person)).url.path == "/inicio/mipres"


async def test_an_expired_session_says_so_and_the_login_leads_back(product: Product) -> None:
    async with product.browser() as visitor:
        person = await ready(product, visitor)
        expire = "UPDATE sessions SET last_seen_at = now() - interval '16 minutes' FROM accounts a WHERE a.id = account_id AND a.login = $1"
        await rows(product, expire, login_of(person))
        over = await visitor.get("/cuenta/contrasena?aplicacion=mipres")
        assert (over.url.path, "Su sesión terminó" in over.text) == ("/ingreso/mipres", True)
        back = re.findall(r'name="volver" value="([^"]+)"', over.text)[0]
        sent = {"csrf_token": csrf_of(over), "usuario": login_of(person), "contrasena": PASSWORD}
        again = await visitor.post("/ingreso/mipres", data=sent | {"volver": back})
        assert again.url.path == "/cuenta/contrasena"
        assert "Su sesión terminó" not in (await visitor.get("/ingreso/mipres")).text


@pytest.mark.parametrize(
    "back",
    [
        "https://ajeno.test/",
        "//ajeno.test/cuenta",
        "/\\ajeno.test",
        "/soporte",
        "/cuenta?aplicacion=administracion",
    ],
)
async def test_a_login_leads_to_own_pages_only(product: Product, back: str) -> None:
    async with product.browser() as visitor:
        page = await visitor.get("/ingreso/mipres", params={"volver": back})
        assert set(re.findall(r'name="volver" value="([^"]+)"', page.text)) == {"/inicio/mipres"}
        person = await ready(product, visitor)
        page = await visitor.get("/ingreso/mipres")
        sent = {"csrf_token": csrf_of(page), "usuario": login_of(person), "contrasena": PASSWORD}
        assert (
            await visitor.post("/ingreso/mipres", data=sent | {"volver": back})
        ).url.path == "/inicio/mipres"


async def test_without_a_session_the_account_leads_to_the_login(product: Product) -> None:
    async with product.browser() as visitor:
        page = await visitor.get("/cuenta?aplicacion=administracion")
        assert page.url.path == "/ingreso/administracion"
        assert "Su sesión terminó" not in page.text
        assert (await visitor.get("/cuenta/contrasena")).url.path == "/ingreso/mipres"
