"""Codes of an application and recovery codes, from the account to the login."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import httpx2
import pyotp

from tests.product.conftest import PASSWORD, Product, csrf_of
from tests.product.storage import rows
from tests.product.test_own_account import post, ready
from tests.product.visits import ask_recovery, log_in, login_of, set_password, without_random

PAGE = "/cuenta/segundo-factor"
STEP = "/ingreso/mipres/segundo-factor"
_SECRET = re.compile(r"Clave: <code>([A-Z2-7 ]+)</code>")
_RECOVERY = re.compile(r"<li><code>([0-9A-Z-]{14})</code>")


async def set_up(visitor: httpx2.AsyncClient) -> tuple[pyotp.TOTP, list[str]]:
    """Add an application, as a person without JavaScript does."""
    page = await visitor.get(PAGE)
    codes = pyotp.TOTP(_SECRET.findall(page.text)[0].replace(" ", ""))
    shown = await post(visitor, page, f"{PAGE}/codigos", codigo=codes.now())
    return codes, _RECOVERY.findall(shown.text)


def later(codes: pyotp.TOTP) -> str:
    """The code of the next half minute, which is accepted already and was not used."""
    return codes.at(datetime.now(UTC) + timedelta(seconds=30))


async def second_step(visitor: httpx2.AsyncClient, page: httpx2.Response, code: str) -> httpx2.Response:
    return await visitor.post(STEP, data={"csrf_token": csrf_of(page), "codigo": code})


async def test_a_login_asks_for_a_code_before_any_session(product: Product) -> None:
    async with product.browser() as visitor, product.browser() as elsewhere:
        person = await ready(product, visitor)
        codes, recovery = await set_up(visitor)
        assert len(recovery) == 10
        page = await log_in(elsewhere, person)
        assert (page.url.path, "mipres_sesion_mipres" in elsewhere.cookies) == (STEP, False)
        assert (await elsewhere.get("/inicio/mipres")).url.path == "/ingreso/mipres"
        empty = await second_step(elsewhere, page, " ")
        assert (empty.status_code, "Escriba el código" in empty.text) == (422, True)
        wrong = await second_step(elsewhere, page, "000 000")
        assert (wrong.status_code, "El código no es correcto" in wrong.text) == (422, True)
        assert (await second_step(elsewhere, page, later(codes))).url.path == "/inicio/mipres"
        found = await rows(
            product,
            "SELECT amr FROM sessions s JOIN accounts a ON a.id = account_id WHERE login = $1 ORDER BY s.created_at",
            login_of(person),
        )
        assert [row["amr"] for row in found] == [["pwd", "otp", "mfa"]] * 2


async def test_new_recovery_codes_are_the_same_when_the_page_is_loaded_again(product: Product) -> None:
    async with product.browser() as visitor, product.browser() as other:
        await ready(product, visitor)
        await ready(product, other)
        page = await visitor.get(PAGE)
        codes = pyotp.TOTP(_SECRET.findall(page.text)[0].replace(" ", ""))
        shown = await post(visitor, page, f"{PAGE}/codigos", codigo=codes.now())
        loaded = await visitor.get(str(shown.url))
        assert len(_RECOVERY.findall(shown.text)) == 10
        assert _RECOVERY.findall(loaded.text) == _RECOVERY.findall(shown.text)
        # Another person in the same browser sees nothing of them.
        visitor.cookies.delete("mipres_sesion_mipres")
        visitor.cookies.set("mipres_sesion_mipres", other.cookies["mipres_sesion_mipres"])
        assert not _RECOVERY.findall((await visitor.get(str(shown.url))).text)


async def test_a_recovery_code_opens_once(product: Product) -> None:
    async with product.browser() as visitor, product.browser() as elsewhere:
        person = await ready(product, visitor)
        _, recovery = await set_up(visitor)
        page = await log_in(elsewhere, person)
        assert (await second_step(elsewhere, page, recovery[0].lower())).url.path == "/inicio/mipres"
        assert "Le quedan 9 de 10" in (await elsewhere.get(PAGE)).text
        page = await log_in(elsewhere, person)
        assert (await second_step(elsewhere, page, recovery[0])).status_code == 422


async def test_without_the_password_nobody_learns_of_the_factor(product: Product) -> None:
    async with product.browser() as visitor, product.browser() as one, product.browser() as other:
        person = await ready(product, visitor)
        stranger = await ready(product, other)
        await set_up(visitor)
        answers = [await log_in(one, somebody, "No-es-la-clave-1") for somebody in (person, stranger)]
        texts = [
            without_random(page).replace(login_of(somebody), "")
            for page, somebody in zip(answers, (person, stranger), strict=True)
        ]
        assert texts[0] == texts[1]
        assert (await one.get(STEP)).url.path == "/ingreso/mipres"


async def test_of_two_tabs_one_opens_a_session(product: Product) -> None:
    async with product.browser() as visitor, product.browser() as elsewhere:
        person = await ready(product, visitor)
        _, recovery = await set_up(visitor)
        page = await log_in(elsewhere, person)
        answers = await asyncio.gather(*(second_step(elsewhere, page, code) for code in recovery[:2]))
        assert sorted(answer.url.path for answer in answers) == ["/ingreso/mipres", "/inicio/mipres"]


async def test_a_change_needs_a_proof_of_the_last_minutes(product: Product) -> None:
    async with product.browser() as visitor:
        person = await ready(product, visitor)
        await set_up(visitor)
        fresh = await visitor.get(PAGE)
        age = "UPDATE sessions SET confirmed_at = now() - interval '11 minutes' FROM accounts a WHERE a.id = account_id AND login = $1"
        await rows(product, age, login_of(person))
        for path in ("codigos/quitar", "recuperacion"):
            refused = await post(visitor, fresh, f"{PAGE}/{path}")
            assert (refused.status_code, "confirme primero" in refused.text) == (422, True)
        assert "Quitar la aplicación" not in refused.text
        wrong = await post(visitor, refused, f"{PAGE}/confirmar", actual="No-es-la-clave-1")
        assert (wrong.status_code, "No es su contraseña" in wrong.text) == (422, True)
        page = await post(visitor, wrong, f"{PAGE}/confirmar", actual=PASSWORD)
        assert "Quitar la aplicación" in page.text
        gone = await post(visitor, page, f"{PAGE}/codigos/quitar")
        assert "Agregar la aplicación" in gone.text
        assert (await log_in(visitor, person)).url.path == "/inicio/mipres"


async def test_a_new_factor_ends_the_other_sessions(product: Product) -> None:
    async with product.browser() as visitor, product.browser() as elsewhere:
        person = await ready(product, visitor)
        await log_in(elsewhere, person)
        await set_up(visitor)
        assert (await elsewhere.get("/inicio/mipres")).url.path == "/ingreso/mipres"
        assert (await visitor.get("/inicio/mipres")).url.path == "/inicio/mipres"


async def test_a_form_of_another_session_changes_nothing(product: Product) -> None:
    async with product.browser() as visitor, product.browser() as other:
        await ready(product, visitor)
        await ready(product, other)
        await set_up(visitor)
        page, foreign = await visitor.get(PAGE), await other.get(PAGE)
        session = re.findall(r'name="sesion" value="([^"]+)"', foreign.text)[0]
        for path in ("confirmar", "codigos", "codigos/quitar", "recuperacion", "llaves", "llaves/quitar"):
            sent = {"csrf_token": csrf_of(page), "sesion": session, "actual": PASSWORD, "codigo": "000000"}
            refused = await visitor.post(f"{PAGE}/{path}", data=sent)
            assert (refused.status_code, "No se guardó nada" in refused.text) == (422, True), path
        assert "Le quedan 10 de 10" in (await visitor.get(PAGE)).text


async def test_a_recovered_password_still_asks_for_the_factor(product: Product) -> None:
    async with product.browser() as visitor, product.browser() as elsewhere:
        person = await ready(product, visitor)
        _, recovery = await set_up(visitor)
        await ask_recovery(product, elsewhere, person["document"])
        await set_password(elsewhere, await product.link_for(person, count=2), "Otra-Clave-2027")
        page = await log_in(elsewhere, person, "Otra-Clave-2027")
        assert page.url.path == STEP
        assert (await second_step(elsewhere, page, recovery[0])).url.path == "/inicio/mipres"
