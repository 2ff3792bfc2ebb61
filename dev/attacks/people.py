"""What a stranger at the pages can try against people."""

import asyncio
from http import HTTPStatus

import httpx2

from dev.attacks.target import REASON, Target, eventually, need
from dev.citizen import PASSWORD, Citizen, create_password, hidden_of, log_in
from mipres import composition
from mipres.database.credentials import Hasher

_FORM = "/registro/profesional"
_RECOVERY = "/contrasena/recuperar"
_FORMS, _GUESSES = 20, 10
_ANOTHER_PASSWORD = "Otra-Clave-2027"  # noqa: S105 - of people who do not exist.


async def twenty_forms(target: Target) -> bool:
    """Send twenty forms with somebody's document; their own is accepted all the same."""
    victim = await target.newcomer()
    for _ in range(_FORMS):
        async with target.browser() as stranger:
            sent = await _send_form(target, stranger, victim)
            need(sent.is_success, sent.text)
    async with target.browser() as browser:
        return (await _send_form(target, browser, victim)).is_success


async def ten_wrong_passwords(target: Target) -> bool:
    """Try ten wrong passwords from one network; the person logs in from another."""
    victim = await target.account()
    network = next(target.networks).rpartition(".")[0]
    for number in range(_GUESSES):
        # A few attempts from each address, as many as its limit allows.
        async with target.browser(f"{network}.{number // 4 + 1}") as stranger:
            tried = await log_in(stranger, victim.login, _ANOTHER_PASSWORD)
            need(tried.status_code == HTTPStatus.UNPROCESSABLE_ENTITY, tried.text)
    async with target.browser() as browser:
        return _is_in(await log_in(browser, victim.login))


async def two_tabs(target: Target) -> bool:
    """Send the form of one link after another link was opened in the same browser."""
    first, second = await target.newcomer(), await target.newcomer()
    for person in (first, second):
        await target.registered(person)
    async with target.browser() as browser:
        page = await browser.get(await target.link_to(first.email))
        await browser.get(await target.link_to(second.email))
        fields = {**hidden_of(page), "contrasena": PASSWORD, "confirmacion": PASSWORD}
        await browser.post("/contrasena", data=fields)
    return not await target.has_password(second)


async def login_during_a_reset(target: Target) -> bool:
    """Log in with the old password while a new one is stored."""
    victim = await target.account()
    new_hash = await Hasher().hash(_ANOTHER_PASSWORD)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

    async def waits() -> bool:
        return await target.number(waiting) > 0

    async with target.browser() as browser, target.stack.database() as resetting:
        async with resetting.transaction():
            changed = "UPDATE accounts SET password_hash = $1 WHERE login = $2"
            await resetting.execute(changed, new_hash, victim.login)
            login = asyncio.create_task(log_in(browser, victim.login))
            await eventually(waits, "the login does not wait for the reset")
        refused = not _is_in(await login) and not _is_in(await browser.get("/inicio/mipres"))
        need(_is_in(await log_in(browser, victim.login, _ANOTHER_PASSWORD)), "the new password opens nothing")
    return refused


async def changed_address(target: Target) -> bool:
    """Use a link in the old mailbox after the registry has changed the address."""
    victim = await target.account()
    async with target.browser() as browser:
        await _ask_recovery(target, browser, victim)
    old = await target.link_to(victim.email, number=2)
    new_address = f"nuevo.{victim.email}"
    await target.set_record(victim, email=new_address)
    updated = await target.register(victim)
    need(updated.is_success, updated.text)
    async with target.browser() as stranger:
        try:
            is_refused = not (await create_password(stranger, old, _ANOTHER_PASSWORD)).is_success
        except LookupError:
            is_refused = True
    async with target.browser() as browser:
        keeps = _is_in(await log_in(browser, victim.login))
    return is_refused and keeps and not await target.links_to(new_address)


async def erasure_during_the_check(target: Target) -> bool:
    """Let a registration go on that was under way when its person was erased."""
    victim = await target.newcomer()
    data = composition.build_person_data(target.stack.settings, target.database, target.owner)

    async def is_asked() -> bool:
        calls = (await target.registries.get("/_control/calls")).json()["miseguridadsocial"]
        return f"CC {victim.number}" in calls

    async with target.slow_registry("miseguridadsocial"):
        registering = asyncio.create_task(target.register(victim))
        await eventually(is_asked, "the registry is not asked")
        await data.erase(victim.submission.document, actor="operator:ataques", reason=REASON)
        answer = await registering
    accounts = await target.number("SELECT count(*) FROM accounts WHERE login = $1", victim.login)
    return accounts == 0 and answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY


async def borrowed_captcha(target: Target) -> bool:
    """Use the captcha of one form at another, and one captcha twice."""
    victim, other = await target.account(), await target.newcomer()
    async with target.browser() as browser:
        solved = target.solved(await browser.get(_RECOVERY))
        borrowed = await browser.post(_FORM, data={**solved, **_fields(other), **_registration()})
        solved = target.solved(await browser.get(_RECOVERY))
        first = await browser.post(_RECOVERY, data={**solved, **_fields(victim)})
        again = await browser.post(_RECOVERY, data={**solved, **_fields(victim)})
    need(first.is_success, first.text)
    return borrowed.status_code == again.status_code == HTTPStatus.UNPROCESSABLE_ENTITY


async def _send_form(target: Target, browser: httpx2.AsyncClient, citizen: Citizen) -> httpx2.Response:
    solved = target.solved(await browser.get(_FORM))
    return await browser.post(_FORM, data={**solved, **_fields(citizen), **_registration()})


async def _ask_recovery(target: Target, browser: httpx2.AsyncClient, citizen: Citizen) -> None:
    solved = target.solved(await browser.get(_RECOVERY))
    asked = await browser.post(_RECOVERY, data={**solved, **_fields(citizen)})
    need(asked.is_success, asked.text)


def _fields(citizen: Citizen) -> dict[str, str]:
    return {"tipo_documento": "CC", "numero_documento": citizen.number}


def _registration() -> dict[str, str]:
    return {"registro_profesional": "76-1234", "acepta_datos": "SI"}


def _is_in(page: httpx2.Response) -> bool:
    return page.is_success and page.url.path == "/inicio/mipres"
