"""The product that is killed part by part, and clients of what people look at."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from temporalio.client import Client

from dev.chaos.waiting import patiently
from dev.data_directory import DataDirectory
from dev.private_stack import PrivateStack, private_stack
from mipres import composition
from mipres.settings.names import DEVELOPMENT_KEY
from mipres.temporal.connection import connect

# Within the three seconds that a first attempt may take, and long enough to be caught.
SLOWNESS_MS = 2_000
PARTS = ("api", "worker", "temporal", "postgres", "correo", "registros")


@dataclass(frozen=True, kw_only=True)
class Product:
    """A private stack and its clients, which ask again while a part is away."""

    stack: PrivateStack
    api: httpx2.AsyncClient
    mail: httpx2.AsyncClient
    registries: httpx2.AsyncClient
    temporal: Client

    async def set_registry(self, name: str, **behaviour: object) -> None:
        await patiently(lambda: _put(self.registries, f"/_control/{name}", behaviour))

    @asynccontextmanager
    async def slow_registry(self, name: str) -> AsyncIterator[None]:
        """Have a registry answer late during the block."""
        await self.set_registry(name, mode="slow", latency_ms=SLOWNESS_MS)
        try:
            yield
        finally:
            await self.set_registry(name, mode="up")

    async def set_mail(self, mode: str) -> None:
        await patiently(lambda: _put(self.mail, "/_control", {"mode": mode}))

    async def tell_registries(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Have the registries know people, or know something else of them."""

        async def add() -> None:
            (await self.registries.post("/_control/people", json=list(records))).raise_for_status()

        await patiently(add)

    async def count(self, statement: str, *values: object) -> int:
        """The number that a statement yields."""

        async def ask() -> int:
            async with self.stack.database() as connection:
                return int(await connection.fetchval(statement, *values))

        return await patiently(ask)


async def _put(client: httpx2.AsyncClient, path: str, body: object) -> None:
    (await client.put(path, json=body)).raise_for_status()


@asynccontextmanager
async def open_product(
    *, prepare: Callable[[DataDirectory], Awaitable[None]] | None = None
) -> AsyncIterator[Product]:
    """Start a product of its own, and stop it after the block.

    `prepare` fills its data directory first.
    """
    async with AsyncExitStack() as exits:
        stack = await exits.enter_async_context(private_stack(prepare=prepare))

        async def client(port: str, **options: Any) -> httpx2.AsyncClient:
            made = httpx2.AsyncClient(base_url=stack.url(port), trust_env=False, timeout=30, **options)
            return await exits.enter_async_context(made)

        connection = composition.temporal_connection(stack.settings)
        yield Product(
            stack=stack,
            api=await client("API_PORT", headers={"Authorization": f"Bearer {DEVELOPMENT_KEY}"}),
            mail=await client("MAIL_UI_PORT"),
            registries=await client("REGISTRY_PORT"),
            temporal=await connect(connection, identity="caos", lazy=True),
        )
