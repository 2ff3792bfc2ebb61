"""The second factor of support, from its page to the login; without JavaScript."""

import re

import httpx2
import pyotp

from mipres.domain.lockout import FREE_FAILURES
from tests.product.conftest import Product, csrf_of
from tests.product.storage import rows
from tests.product.support import STAFF_PASSWORD, enter, officer
from tests.product.test_second_factor import later
from tests.product.visits import without_random

PAGE, STEP = "/soporte/segundo-factor", "/soporte/ingreso/segundo-factor"
_SECRET = re.compile(r"Clave: <code>([A-Z2-7 ]+)</code>")
_RECOVERY = re.compile(r"<li><code>([0-9A-Z-]{14})</code>")


async def send(visitor: httpx2.AsyncClient, action: str, **fields: str) -> httpx2.Response:
    page = await visitor.get(PAGE)
    return await visitor.post(action, data={"csrf_token": csrf_of(page), **fields})


async def set_up(visitor: httpx2.AsyncClient) -> tuple[pyotp.TOTP, list[str]]:
    page = await visitor.get(PAGE)
    assert "ingresa sin escribir la contraseña" not in page.text, "that is for the public"
    codes = pyotp.TOTP(_SECRET.findall(page.text)[0].replace(" ", ""))
    shown = await send(visitor, f"{PAGE}/codigos", codigo=codes.now())
    assert shown.url.path == PAGE
    return codes, _RECOVERY.findall(shown.text)


async def step(visitor: httpx2.AsyncClient, code: str) -> httpx2.Response:
    page = await visitor.get(STEP)
    return await visitor.post(STEP, data={"csrf_token": csrf_of(page), "codigo": code})


async def test_the_login_of_support_asks_for_the_second_step_before_any_session(product: Product) -> None:
    async with officer(product) as (visitor, name), product.browser() as elsewhere:
        codes, recovery = await set_up(visitor)
        assert len(recovery) == 10
        page = await enter(elsewhere, name)
        assert (page.url.path, "mipres_soporte" in elsewhere.cookies) == (STEP, False)
        assert (await elsewhere.get("/soporte")).url.path == "/soporte/ingreso"
        empty = await step(elsewhere, " ")
        assert (empty.status_code, "Escriba el código" in empty.text) == (422, True)
        wrong = await step(elsewhere, "000 000")
        assert (wrong.status_code, "El código no es correcto" in wrong.text) == (422, True)
        code = later(codes)
        assert (await step(elsewhere, code)).url.path == "/soporte"
        await enter(elsewhere, name)
        assert (await step(elsewhere, code)).status_code == 422, "a code is right once"
        assert (await step(elsewhere, recovery[0])).url.path == "/soporte"
        found = await rows(
            product,
            "SELECT type, details ->> 'change' AS change FROM audit_entries WHERE actor = $1 ORDER BY number",
            f"staff:{name}",
        )
    told = [row["change"] or row["type"] for row in found]
    assert told == [
        "staff_login_succeeded",
        "codes_added",
        "second_factor_failed",
        "staff_login_succeeded",
        "second_factor_failed",
        "recovery_code_used",
        "staff_login_succeeded",
    ]


async def test_a_first_factor_of_support_ends_the_other_sessions_and_keys(product: Product) -> None:
    async with officer(product) as (visitor, name), product.browser() as elsewhere:
        assert (await enter(elsewhere, name)).url.path == "/soporte"
        await set_up(visitor)
        assert (await visitor.get("/soporte")).url.path == "/soporte"
        assert (await elsewhere.get("/soporte")).url.path == "/soporte/ingreso"


async def test_a_change_by_support_needs_a_proof_of_the_last_minutes(product: Product) -> None:
    async with officer(product) as (visitor, name):
        await set_up(visitor)
        age = "UPDATE staff_sessions SET authenticated_at = now() - interval '11 minutes' FROM staff s WHERE s.id = staff_id AND name = $1"
        await rows(product, age, name)
        for action in ("codigos/quitar", "recuperacion"):
            refused = await send(visitor, f"{PAGE}/{action}")
            assert (refused.status_code, "confirme primero" in refused.text) == (422, True)
        wrong = await send(visitor, f"{PAGE}/confirmar", actual="no es esa contraseña")
        assert (wrong.status_code, "La contraseña no es correcta" in wrong.text) == (422, True)
        proven = await send(visitor, f"{PAGE}/confirmar", actual=STAFF_PASSWORD)
        assert "Quitar la aplicación" in proven.text
        renewed = await send(visitor, f"{PAGE}/recuperacion")
        assert len(_RECOVERY.findall(renewed.text)) == 10
        gone = await send(visitor, f"{PAGE}/codigos/quitar")
        assert _SECRET.search(gone.text), "another one is offered"


async def test_without_the_password_nobody_learns_which_member_has_a_factor(product: Product) -> None:
    async with (
        officer(product) as (visitor, name),
        officer(product) as (_, other),
        product.browser() as one,
    ):
        await set_up(visitor)
        answers = [await enter(one, each, "no es esa contraseña") for each in (name, other, "nadie.aqui")]
        texts = {
            without_random(page).replace(each, "")
            for page, each in zip(answers, (name, other, "nadie.aqui"), strict=True)
        }
        assert len(texts) == 1
        assert (await one.get(STEP)).url.path == "/soporte/ingreso"
        assert (await one.post(STEP, data={"csrf_token": csrf_of(answers[0]), "codigo": "1"})).url.path == (
            "/soporte/ingreso"
        )


async def test_wrong_codes_of_support_lock_apart_from_the_password(product: Product) -> None:
    async with officer(product) as (visitor, name), product.browser() as elsewhere:
        codes, _ = await set_up(visitor)
        await enter(elsewhere, name)
        texts = [(await step(elsewhere, "000000")).text for _ in range(FREE_FAILURES + 1)]
        assert "demasiados códigos equivocados" in texts[-1]
        await enter(elsewhere, name)
        assert "demasiados códigos equivocados" in (await step(elsewhere, later(codes))).text
