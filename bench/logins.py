"""What a login costs, with one step and with two, and a code for tokens."""

import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pyotp
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from bench.http import Answer, Connection, expect
from bench.mailbox import Mailbox
from bench.people import new_professionals
from bench.visits import Driver
from dev.citizen import PASSWORD, Citizen, csrf_of
from dev.private_stack import PrivateStack
from mipres.settings.names import DEVELOPMENT_CLIENT_SECRET

PLAIN, TWO_STEPS, EXCHANGE = "login", "login with a code of an application", "code for tokens"
_APPLICATION = "mipres"
_LOGIN = f"/ingreso/{_APPLICATION}"
_FACTOR = "/cuenta/segundo-factor"
_VERIFIER = "v" * 64
_SECRET = re.compile(r"Clave: <code>([A-Z2-7 ]+)</code>")


async def login_times(stack: PrivateStack, mailbox: Mailbox, *, repetitions: int) -> dict[str, list[float]]:
    """Seconds of each, in turn: only the posts count, not the pages that lead to them."""
    plain, guarded = await _registered(stack, mailbox)
    codes = await _with_second_factor(stack, guarded)
    times: dict[str, list[float]] = {PLAIN: [], TWO_STEPS: [], EXCHANGE: []}
    async with stack.database() as connection:
        for _ in range(repetitions):
            visitor = Connection(port=stack.settings.api_port)
            times[PLAIN].append(await _log_in(visitor, plain))
            times[EXCHANGE].append(await _exchange(stack, visitor))
            visitor.close()
            # Each code counts once, and the next one comes in half a minute.
            await connection.execute("UPDATE second_factors SET code_step = NULL")
            visitor = Connection(port=stack.settings.api_port)
            times[TWO_STEPS].append(await _log_in(visitor, guarded, codes))
            visitor.close()
    return times


async def _registered(stack: PrivateStack, mailbox: Mailbox) -> list[Citizen]:
    people = await new_professionals(stack.settings.registry_port, 2)
    driver = Driver(stack.settings.api_port, mailbox)
    for person in people:
        await driver.register(person)
    driver.close()
    return people


async def _with_second_factor(stack: PrivateStack, person: Citizen) -> pyotp.TOTP:
    visitor = Connection(port=stack.settings.api_port)
    await _log_in(visitor, person)
    page = expect(await visitor.get(_FACTOR), 200)
    codes = pyotp.TOTP(_SECRET.findall(page.text)[0].replace(" ", ""))
    form = {"csrf_token": csrf_of(page), "codigo": codes.now()}
    expect(await visitor.post(f"{_FACTOR}/codigos", data=form), 200)
    visitor.close()
    return codes


async def _log_in(visitor: Connection, person: Citizen, codes: pyotp.TOTP | None = None) -> float:
    page = expect(await visitor.get(_LOGIN), 200)
    form = {"csrf_token": csrf_of(page), "usuario": person.login, "contrasena": PASSWORD}
    seconds, answer = await _timed_post(visitor, _LOGIN, form)
    if codes is None:
        return seconds
    step = expect(await visitor.get(answer.headers["location"]), 200)
    code = {"csrf_token": csrf_of(step), "codigo": codes.now()}
    more, _ = await _timed_post(visitor, f"{_LOGIN}/segundo-factor", code)
    return seconds + more


async def _exchange(stack: PrivateStack, visitor: Connection) -> float:
    client = stack.settings.oidc_clients[_APPLICATION]
    asked = {
        "client_id": client.client_id,
        "redirect_uri": client.redirect_uris[0],
        "response_type": "code",
        "scope": "openid email mipres",
        "state": "s",
        "code_challenge": create_s256_code_challenge(_VERIFIER),
        "code_challenge_method": "S256",
    }
    sent_back = await visitor.get(f"/oidc/authorize?{urlencode(asked)}", follow=False)
    code = parse_qs(urlsplit(expect(sent_back, 303).headers["location"]).query)["code"][0]
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect_uris[0],
        "code_verifier": _VERIFIER,
        "client_id": client.client_id,
        "client_secret": DEVELOPMENT_CLIENT_SECRET,
    }
    application = Connection(port=stack.settings.api_port)
    began = time.perf_counter()
    expect(await application.post("/oidc/token", data=form), 200)
    seconds = time.perf_counter() - began
    application.close()
    return seconds


async def _timed_post(visitor: Connection, path: str, form: Mapping[str, Any]) -> tuple[float, Answer]:
    began = time.perf_counter()
    answer = await visitor.post(path, data=form, follow=False)
    return time.perf_counter() - began, expect(answer, 303)
