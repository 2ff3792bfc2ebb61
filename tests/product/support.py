"""Somebody of support at work.

An account made as operators make it, and a browser that is logged in.
"""

import itertools
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx2
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.clock import SystemClock
from mipres.database.audit import PostgresAuditTrail
from mipres.database.credentials import Hasher
from mipres.database.engine import create_engine
from mipres.database.lockouts import LoginLockouts
from mipres.support.staff import PostgresStaff
from tests.product.conftest import Product, csrf_of
from tests.product.storage import audit_keys_of, derived_key

STAFF_PASSWORD = "tres caballos verdes en la orilla"
REASON = "la persona lo pidió en la mesa de ayuda"
_names = itertools.count(1)


@asynccontextmanager
async def engine_of(product: Product) -> AsyncIterator[AsyncEngine]:
    password, port = product.stack.secret("POSTGRES_PASSWORD"), product.stack.ports["POSTGRES_PORT"]
    engine = create_engine(f"postgresql+asyncpg://mipres:{password}@127.0.0.1:{port}/mipres")
    yield engine
    await engine.dispose()


async def new_staff(product: Product) -> str:
    """The name of a fresh account of support."""
    name = f"soporte{next(_names)}.{os.getpid()}"
    async with engine_of(product) as engine:
        staff = PostgresStaff(
            engine,
            hasher=Hasher(),
            lockouts=LoginLockouts(engine, key=derived_key(product, "lockouts"), clock=SystemClock()),
            audit=PostgresAuditTrail(engine, keys=audit_keys_of(product), clock=SystemClock()),
            clock=SystemClock(),
        )
        await staff.add(name, STAFF_PASSWORD, actor="operator:tests")
    return name


async def enter(visitor: httpx2.AsyncClient, name: str, password: str = STAFF_PASSWORD) -> httpx2.Response:
    page = await visitor.get("/soporte/ingreso")
    sent = {"csrf_token": csrf_of(page), "nombre": name, "contrasena": password}
    return await visitor.post("/soporte/ingreso", data=sent)


@asynccontextmanager
async def officer(product: Product) -> AsyncIterator[tuple[httpx2.AsyncClient, str]]:
    """A browser in which somebody of support is logged in, and their name."""
    name = await new_staff(product)
    async with product.browser() as visitor:
        home = await enter(visitor, name)
        assert home.url.path == "/soporte", home.text
        yield visitor, name


async def post_form(visitor: httpx2.AsyncClient, page: str, action: str, **fields: str) -> httpx2.Response:
    opened = await visitor.get(page)
    return await visitor.post(action, data={"csrf_token": csrf_of(opened), **fields})


@contextmanager
def without_redirects(visitor: httpx2.AsyncClient) -> Iterator[httpx2.AsyncClient]:
    visitor.follow_redirects = False
    yield visitor
    visitor.follow_redirects = True
