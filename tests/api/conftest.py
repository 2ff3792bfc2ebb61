"""The application in this process, over whatever the test gives it."""

import html
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from itsdangerous import TimestampSigner
from sqlalchemy.ext.asyncio import AsyncEngine

from api.main import create_app
from dev.probes import free_port
from mipres.database.audit import PostgresAuditTrail
from mipres.database.credentials import Hasher
from mipres.database.lockouts import LoginLockouts
from mipres.settings.model import Settings
from mipres.support.staff import PostgresStaff
from tests.conftest import PAYLOAD_KEYS
from tests.fakes import FakeClock

API_KEY = "a-key-of-the-tests"
STAFF_NAME, STAFF_PASSWORD = "ana.rojas", "tres caballos verdes en la orilla"
OpenClient = Callable[..., Awaitable[httpx2.AsyncClient]]
TimeTravel = Callable[[float], None]


@pytest.fixture
def make_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FastAPI]:
    """Build an application; what is not given lies where nothing answers."""
    monkeypatch.setenv("MIPRES_DATA_DIR", str(tmp_path))

    def make(*, unchecked: Mapping[str, Any] | None = None, **told: Any) -> FastAPI:
        nowhere = {
            "database_url": f"postgresql+asyncpg://mipres:secret@127.0.0.1:{free_port()}/mipres",
            "temporal_address": f"127.0.0.1:{free_port()}",
        }
        fixed: dict[str, Any] = {
            "secret_key": "s" * 40,
            "payload_keys": PAYLOAD_KEYS,
            "api_keys": API_KEY,
            "captcha": "off",
            "rate_limits": "on",
            "public_url": "http://mipres.test",
            "submit_wait_seconds": 1,
        }
        settings = Settings(**(nowhere | fixed | told))
        # What production demands of other settings is not what a test of pages looks at.
        return create_app(settings.model_copy(update=unchecked))

    return make


@pytest.fixture
async def open_client(make_app: Callable[..., FastAPI]) -> AsyncIterator[OpenClient]:
    """Start an application with the given settings and speak to it."""
    async with AsyncExitStack() as stack:

        async def start(**told: Any) -> httpx2.AsyncClient:
            app = make_app(**told)
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = httpx2.ASGITransport(app=app)
            client = httpx2.AsyncClient(
                transport=transport, base_url="http://mipres.test", follow_redirects=True
            )
            return await stack.enter_async_context(client)

        yield start


@pytest.fixture
def time_travel(monkeypatch: pytest.MonkeyPatch) -> TimeTravel:
    """Move the clock that tokens of forms and captchas are dated and judged by."""

    def travel(seconds: float) -> None:
        monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: int(time.time() + seconds))

    return travel


@pytest.fixture
async def staff(
    engine: AsyncEngine, audit: PostgresAuditTrail, lockouts: LoginLockouts, clock: FakeClock, hasher: Hasher
) -> PostgresStaff:
    """Support with one member, `STAFF_NAME`."""
    made = PostgresStaff(engine, hasher=hasher, lockouts=lockouts, audit=audit, clock=clock)
    await made.add(STAFF_NAME, STAFF_PASSWORD, actor="operator:root")
    return made


async def log_in_as_staff(client: httpx2.AsyncClient) -> httpx2.Response:
    page = await client.get("/soporte/ingreso")
    typed = {"nombre": STAFF_NAME, "contrasena": STAFF_PASSWORD}
    return await client.post("/soporte/ingreso", data={**hidden(page), **typed})


def way_back(page: httpx2.Response) -> str:
    """Where the page of a form that was not received leads: to its form."""
    found = re.findall(r'<a class="button" href="([^"]+)">Volver al formulario con mis datos</a>', page.text)
    assert len(found) == 1, page.text
    return html.unescape(found[0])


def hidden(page: httpx2.Response) -> dict[str, str]:
    """The hidden fields of a page's form, unescaped as a browser does it."""
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text)
    return {html.unescape(name): html.unescape(value) for name, value in found}
