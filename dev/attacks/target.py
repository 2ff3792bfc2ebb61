"""The product that is attacked, and what its attackers and victims have at hand."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count
from typing import Any

import httpx2
from temporalio.client import Client

from dev.chaos.waiting import NotYetError, patiently
from dev.citizen import Citizen, create_password, hidden_of, link_in, next_number
from dev.private_stack import PrivateStack, private_stack
from dev.probes import LOOPBACK
from mipres import composition
from mipres.captcha.challenges import CaptchaChallenges
from mipres.composition import DatabaseServices
from mipres.settings.names import DEVELOPMENT_KEY, variable
from mipres.temporal.connection import connect

PATIENCE_SECONDS = 45.0
REASON = "la persona lo pidió en la mesa de ayuda"
_CHALLENGE = re.compile(r'name="captcha_id" value="([^"]+)"')


class NotTriedError(Exception):
    """What an attack needs did not come about, so it says nothing."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A private stack, and clients of every kind.

    Attributes:
        owner: A client of Temporal with the product's keys.
        stranger: One that reaches Temporal and has no key.
    """

    stack: PrivateStack
    api: httpx2.AsyncClient
    mail: httpx2.AsyncClient
    registries: httpx2.AsyncClient
    database: DatabaseServices
    owner: Client
    stranger: Client
    api_port: int
    networks: Iterator[str]

    @asynccontextmanager
    async def browser(self, address: str | None = None) -> AsyncIterator[httpx2.AsyncClient]:
        """A browser at an address, or in a network where nobody else is."""
        async with httpx2.AsyncClient(
            base_url=self.stack.url("API_PORT"),
            headers={"X-Forwarded-For": address or next(self.networks)},
            trust_env=False,
            follow_redirects=True,
            timeout=30,
        ) as opened:
            yield opened

    async def newcomer(self) -> Citizen:
        """Somebody whom the registries know and the product does not."""
        citizen = Citizen(number=next_number())
        await self.set_record(citizen)
        return citizen

    async def set_record(self, citizen: Citizen, **facts: object) -> None:
        """Let the registries know a person; `facts` go before what they know."""
        answer = await self.registries.post("/_control/people", json=[citizen.record() | facts])
        answer.raise_for_status()

    @asynccontextmanager
    async def slow_registry(self, name: str) -> AsyncIterator[None]:
        """Let a registry answer late during the block."""
        path = f"/_control/{name}"
        (await self.registries.put(path, json={"mode": "slow", "latency_ms": 2500})).raise_for_status()
        try:
            yield
        finally:
            (await self.registries.put(path, json={"mode": "up"})).raise_for_status()

    async def register(self, citizen: Citizen) -> httpx2.Response:
        """Register through the API."""
        return await self.api.post("/api/v1/registrations", json=citizen.request())

    async def registered(self, citizen: Citizen) -> str:
        """Register, and the radicado of the registration that began."""
        answer = await self.register(citizen)
        need(answer.status_code == HTTPStatus.CREATED, answer.text)
        return str(answer.json()["radicado"])

    async def account(self) -> Citizen:
        """Somebody with an account and `PASSWORD`."""
        citizen = await self.newcomer()
        await self.registered(citizen)
        async with self.browser() as browser:
            done = await create_password(browser, await self.link_to(citizen.email))
        need(done.is_success, done.text)
        return citizen

    async def links_to(self, address: str) -> list[str]:
        """Every password link that an address got, the oldest first."""
        listed = (await self.mail.get("/api/v1/messages")).raise_for_status().json()["messages"]
        ids = [mail["ID"] for mail in reversed(listed) if mail["To"][0]["Address"] == address]
        texts = [(await self.mail.get(f"/api/v1/message/{mail}")).json()["Text"] for mail in ids]
        return [link for text in texts if (link := link_in(text))]

    async def link_to(self, address: str, *, number: int = 1) -> str:
        """The newest link once there are `number` of them."""

        async def arrived() -> str:
            links = await self.links_to(address)
            if len(links) < number:
                raise NotYetError(address)
            return links[-1]

        return await patiently(arrived, seconds=PATIENCE_SECONDS)

    def solved(self, page: httpx2.Response) -> dict[str, str]:
        """What a form hides, and its captcha solved."""
        found = _CHALLENGE.search(page.text)
        need(found is not None, "the page shows no captcha")
        challenge = found[1] if found else ""
        challenges = CaptchaChallenges(
            self.database.engine,
            key=composition.purpose_key(self.stack.settings, "captcha"),
            clock=self.database.clock,
        )
        return {**hidden_of(page), "captcha_id": challenge, "captcha": challenges.code_of(challenge) or ""}

    async def has_password(self, citizen: Citizen) -> bool:
        statement = "SELECT count(*) FROM accounts WHERE login = $1 AND password_hash IS NOT NULL"
        return await self.number(statement, citizen.login) > 0

    async def number(self, statement: str, *values: object) -> int:
        """The number that a statement yields."""
        async with self.stack.database() as connection:
            return int(await connection.fetchval(statement, *values))

    async def command(self, *words: str, typed: str = "", **settings: str) -> int:
        """Run the product's command line; its exit code."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("MIPRES_")}
        told = {variable(name): value for name, value in settings.items()}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mipres.cli", *words),
            env={**own, "MIPRES_DATA_DIR": str(self.stack.data_dir), **told},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await process.communicate(typed.encode())
        return process.returncode or 0


def need(condition: bool, what: str) -> None:  # noqa: FBT001 - it reads as an assertion.
    """Hold what an attack relies on.

    Raises:
        NotTriedError: it is not so.
    """
    if not condition:
        raise NotTriedError(what)


async def eventually(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until something holds.

    Raises:
        NotYetError: it never did.
    """

    async def ask() -> None:
        if not await holds():
            raise NotYetError(what)

    await patiently(ask, seconds=PATIENCE_SECONDS)


@asynccontextmanager
async def open_target() -> AsyncIterator[Target]:
    """Start a product with limits and captcha as in production, and stop it after the block."""
    async with AsyncExitStack() as exits:
        stack = await exits.enter_async_context(
            private_stack(rate_limits="on", captcha="image", trusted_proxies=LOOPBACK, submit_wait_seconds=8)
        )

        async def client(port: str, **options: Any) -> httpx2.AsyncClient:
            made = httpx2.AsyncClient(base_url=stack.url(port), trust_env=False, timeout=30, **options)
            return await exits.enter_async_context(made)

        connection = composition.temporal_connection(stack.settings)
        yield Target(
            stack=stack,
            api=await client("API_PORT", headers={"Authorization": f"Bearer {DEVELOPMENT_KEY}"}),
            mail=await client("MAIL_UI_PORT"),
            registries=await client("REGISTRY_PORT"),
            database=await exits.enter_async_context(composition.open_database(stack.settings)),
            owner=await connect(connection, identity="ataques"),
            stranger=await Client.connect(stack.settings.temporal_address),
            api_port=stack.ports["API_PORT"],
            networks=(f"198.18.{number}.7" for number in count(1)),
        )
