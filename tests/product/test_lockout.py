"""A login that somebody hammers at.

Locked like any other, announced by mail, opened by its mailbox.
"""

import re

import httpx2

from mipres.clock import SystemClock
from mipres.database.lockouts import LoginLockouts
from mipres.domain.lockout import CAPTCHA_AFTER, FREE_FAILURES, HARD_LIMIT, STRANGERS_LIMIT, Origin
from mipres.support.staff import guarded
from tests.product.conftest import PASSWORD, Product, csrf_of
from tests.product.storage import derived_key
from tests.product.support import STAFF_PASSWORD, engine_of, new_staff
from tests.product.test_enumeration import other_api
from tests.product.visits import ask_recovery, log_in, login_of, set_password, solved, without_random

INSIDE = "/inicio/mipres"
OTHER_PASSWORD = "Otra-Clave-2027"


async def test_a_lock_shows_nothing_is_told_by_mail_and_recovery_lifts_it(product: Product) -> None:
    person = await product.new_professional()
    unknown = {"document": {"type": "CC", "number": "70999977"}}
    await product.complete(person)
    pages: dict[str, str] = {}
    async with product.browser() as visitor:
        for someone in (person, unknown):
            for _ in range(10):
                answer = await log_in(visitor, someone, OTHER_PASSWORD)
            # The lock began with the tenth; from now on the right password is wrong too.
            answer = await log_in(visitor, someone, PASSWORD)
            assert answer.status_code == 422
            pages[login_of(someone)] = without_random(answer).replace(login_of(someone), "LOGIN")
        assert len(set(pages.values())) == 1

        async def told() -> bool:
            subjects = [mail["Subject"] for mail in await product.mails_to(person["email"])]
            return subjects.count("MIPRES: bloqueamos por unos minutos el ingreso de su usuario") == 1

        await product.eventually(told)
        await ask_recovery(product, visitor, person["document"])
        link = await product.link_for(person, count=2)
        assert (await set_password(visitor, link, OTHER_PASSWORD)).status_code == 200
        assert (await log_in(visitor, person, OTHER_PASSWORD)).url.path == "/inicio/mipres"


async def test_guesses_from_elsewhere_keep_no_owner_out(product: Product) -> None:
    """The owner enters from another network and in a known browser."""
    person = await product.new_professional()
    await product.complete(person)

    async def enter(client: httpx2.AsyncClient, source: str, password: str) -> httpx2.Response:
        page = await client.get("/ingreso/mipres")
        typed = {"csrf_token": csrf_of(page), "usuario": login_of(person), "contrasena": password}
        return await client.post("/ingreso/mipres", data=typed, headers={"X-Forwarded-For": source})

    async with other_api(product, rate_limits="off") as client:
        for _ in range(10):
            assert (await enter(client, "203.0.113.7", OTHER_PASSWORD)).status_code == 422
        assert (await enter(client, "203.0.113.7", PASSWORD)).status_code == 422
        answer = await enter(client, "198.51.100.1", PASSWORD)
        assert answer.url.path == INSIDE
        known = dict(client.cookies)
        client.cookies.clear()
        for number in range(60):
            await enter(client, f"10.9.{number // 9}.1", OTHER_PASSWORD)
        for cookies in ({}, known):
            client.cookies.clear()
            client.cookies.update(cookies)
            assert (await enter(client, "198.51.100.1", PASSWORD)).url.path == INSIDE


async def test_a_login_under_attack_asks_for_the_captcha_and_at_last_for_recovery(product: Product) -> None:
    """The same pages for a person and for a login of nobody."""
    person = await product.new_professional()
    unknown = {"document": {"type": "CC", "number": "70999976"}}
    await product.complete(person)
    pages: list[list[str]] = []
    async with other_api(product, rate_limits="off", captcha="image") as client:
        for someone in (person, unknown):
            login, shown, page = login_of(someone), [], await client.get("/ingreso/mipres")
            for number in range(STRANGERS_LIMIT + 1):
                sent = {"usuario": login, "contrasena": OTHER_PASSWORD, "csrf_token": csrf_of(page)}
                if "captcha_id" in page.text:
                    sent |= solved(product, page)
                source = {"X-Forwarded-For": f"10.8.{number // 9}.1"}
                page = await client.post("/ingreso/mipres", data=sent, headers=source)
                shown.append(re.sub(r'value="[^"]+"|/captcha/[^"]+|' + login, "", without_random(page)))
            pages.append(shown)
    assert pages[0] == pages[1]
    asked = ["Código de la imagen" in page for page in pages[0]]
    assert asked.index(True) == CAPTCHA_AFTER - 1
    assert "ya no se comprueba ninguna contraseña" in pages[0][-1]
    assert "ya no se comprueba ninguna contraseña" not in pages[0][-2]


# ---- The same at the door of support


CLOSED = "ya no se comprueba ninguna contraseña"


async def guess(product: Product, name: str, times: int, *, in_known_browsers: bool = False) -> None:
    """Fail a few times from each of many origins, so that none of them is locked."""
    async with engine_of(product) as engine:
        lockouts = LoginLockouts(engine, key=derived_key(product, "lockouts"), clock=SystemClock())
        for number in range(times):
            source = f"{in_known_browsers}{number // (FREE_FAILURES - 1)}"
            origin = Origin(network=source, device=source if in_known_browsers else None)
            turn = await lockouts.begin(guarded(name), origin, is_human=True)
            assert not turn.is_locked


async def try_as_support(
    client: httpx2.AsyncClient, name: str, password: str = STAFF_PASSWORD
) -> httpx2.Response:
    """Open the form and send it, without any captcha."""
    page = await client.get("/soporte/ingreso")
    typed = {"csrf_token": csrf_of(page), "nombre": name, "contrasena": password}
    return await client.post("/soporte/ingreso", data=typed)


async def test_many_guesses_at_a_name_of_support_ask_for_the_captcha(product: Product) -> None:
    name = await new_staff(product)
    await guess(product, name, CAPTCHA_AFTER - 1)
    async with other_api(product, rate_limits="off", captcha="image") as client:
        wrong = await try_as_support(client, name, OTHER_PASSWORD)
        assert "Código de la imagen" in wrong.text
        # The right password is not looked at without it.
        unproven = await try_as_support(client, name)
        assert (unproven.status_code, "Código de la imagen" in unproven.text) == (422, True)
        typed = {"nombre": name, "contrasena": STAFF_PASSWORD, **solved(product, unproven)}
        assert (await client.post("/soporte/ingreso", data=typed)).url.path == "/soporte"


async def test_after_a_hundred_guesses_only_an_operator_opens_a_name_of_support(product: Product) -> None:
    """Its own browser is let in until then, and no other."""
    name = await new_staff(product)
    async with other_api(product, rate_limits="off") as client:
        assert (await try_as_support(client, name)).url.path == "/soporte"
        known = dict(client.cookies)
        await guess(product, name, STRANGERS_LIMIT)
        client.cookies.clear()
        stranger = await try_as_support(client, name)
        assert (stranger.status_code, CLOSED in stranger.text) == (422, True)
        client.cookies.update(known)
        assert (await try_as_support(client, name)).url.path == "/soporte"
        await guess(product, name, HARD_LIMIT - 10)
        await guess(product, name, 10, in_known_browsers=True)
        closed = await try_as_support(client, name)
        assert (closed.status_code, CLOSED in closed.text) == (422, True)
