"""What people and programs read while something behind the API is away."""

import errno
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from structlog.testing import capture_logs

from api.main import create_app
from dev.probes import free_port
from mipres.settings.model import Settings
from mipres.version import BUILD, VERSION
from tests.api.conftest import way_back

BODY = {"user_type": "other", "document": {"type": "CC", "number": "1020304050"}, "data_terms_accepted": True}
KEY = {"Authorization": "Bearer desarrollo"}


@asynccontextmanager
async def api(database_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    """The application with nothing at Temporal's address."""
    settings = Settings(
        secret_key=SecretStr("s" * 40),
        payload_keys={"k1": bytes(32)},
        database_url=SecretStr(database_url),
        temporal_address=f"127.0.0.1:{free_port()}",
        submit_wait_seconds=1,
        captcha="off",
    )
    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app), base_url="http://localhost:8000", follow_redirects=True
        ) as client,
    ):
        yield client


async def test_without_temporal_nothing_is_promised(database_url: str) -> None:
    async with api(database_url) as client:
        answer = await client.post("/api/v1/registrations", json=BODY, headers=KEY)
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert int(answer.headers["retry-after"]) > 0
        assert (await client.get("/api/v1/registrations/RM-000000000000", headers=KEY)).status_code == 503
        page = await client.get("/registro/otro")
        found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        assert found
        sent = {
            "csrf_token": found.group(1),
            "tipo_documento": "CC",
            "numero_documento": "1020304050",
            "acepta_datos": "SI",
        }
        told = await client.post("/registro/otro", data=sent)
        assert told.status_code == 503
        assert "No podemos confirmar que su solicitud se haya recibido" in told.text
        assert "menos las contraseñas y el código de la imagen" in told.text
        looked = await client.get("/registro/estado/RM-000000000000")
        assert (
            looked.status_code,
            "No podemos confirmar que su solicitud se haya recibido" in looked.text,
        ) == (503, False)
        assert "Lo que ya había registrado no se pierde" in looked.text
        back = await client.get(way_back(told))
        assert back.status_code == 200
        for kept in ('value="CC" selected', 'value="1020304050"', 'value="SI" checked'):
            assert kept in back.text
        fine = {"database": "ok", "schema": "ok", "writable": "ok", "temporal": "down"}
        ready, dependencies = [await client.get(f"/health/{name}") for name in ("ready", "dependencies")]
        assert (ready.status_code, ready.json()) == (200, fine)
        assert (dependencies.status_code, dependencies.json()) == (503, fine)
        assert (await client.get("/health/live")).json() == {
            "status": "ok",
            "version": VERSION,
            "build": BUILD,
        }


async def test_without_the_database_the_login_says_so(database_url: str) -> None:
    nowhere = f"postgresql+asyncpg://mipres:x@127.0.0.1:{free_port()}/mipres"
    async with api(nowhere) as client:
        page = await client.get("/ingreso/mipres")
        found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        assert found
        sent = {"csrf_token": found.group(1), "usuario": "CC1020304050", "contrasena": "x"}
        answer = await client.post("/ingreso/mipres", data=sent)
        assert (answer.status_code, "no está disponible" in answer.text) == (503, True)
        ready, dependencies = [await client.get(f"/health/{name}") for name in ("ready", "dependencies")]
        assert (ready.status_code, dependencies.status_code) == (200, 503)
        assert dependencies.json()["database"] == "down"


async def test_the_log_says_once_why_temporal_gave_no_answer(database_url: str) -> None:
    async with api(database_url) as client:
        with capture_logs() as logs:
            answer = await client.get("/api/v1/registrations/RM-000000000000", headers=KEY)
    assert answer.status_code == 503
    [line] = [line for line in logs if line["event"] == "dependency_unavailable"]
    assert line["error"] == "TemporalUnavailableError"
    assert line["reason"] in {"no connection", "no answer in time"} or "UNAVAILABLE: " in line["reason"]


@pytest.mark.parametrize(
    ("path", "words"),
    [("/api/v1/falla", "El servicio falló"), ("/falla", "Algo falló de nuestro lado")],
)
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "OSError EMFILE"),
        (OSError(errno.ENOSPC, "No space left on device"), "OSError ENOSPC"),
        (PermissionError(errno.EACCES, "Permission denied", "plantilla.html"), "PermissionError EACCES"),
    ],
)
async def test_a_fault_of_this_machine_is_none_of_a_dependency(
    make_app: Callable[..., FastAPI], database_url: str, path: str, words: str, error: OSError, reason: str
) -> None:
    async with failing(make_app(database_url=database_url), path, error) as client:
        with capture_logs() as logs:
            answer = await client.get(path)
    assert (answer.status_code, "retry-after" in answer.headers) == (500, False)
    assert words in answer.text
    assert "plantilla" not in answer.text
    named = [(line["event"], line.get("reason")) for line in logs if line["log_level"] != "info"]
    assert named == [("unexpected_error", reason)]


@pytest.mark.parametrize("path", ["/api/v1/falla", "/falla"])
async def test_a_connection_that_fails_is_a_dependency_that_is_away(
    make_app: Callable[..., FastAPI], database_url: str, path: str
) -> None:
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    async with failing(make_app(database_url=database_url), path, refused) as client:
        answer = await client.get(path)
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert "no está disponible" in answer.text


@asynccontextmanager
async def failing(app: FastAPI, path: str, error: OSError) -> AsyncIterator[httpx2.AsyncClient]:
    """The application with one more page, which fails."""

    async def fail() -> None:
        raise error

    app.add_api_route(path, fail)
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://mipres.test") as client,
    ):
        yield client
