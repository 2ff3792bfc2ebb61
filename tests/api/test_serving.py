"""What the server bounds before the application sees anything, over real sockets."""

import asyncio
import base64
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from uvicorn import Config
from uvicorn.importer import import_from_string
from uvicorn.server import ServerState

from api import main
from api import serving as served_by
from api.serving import MOST_CONNECTIONS, MOST_UNFINISHED_HEADER_BYTES, SERVER_ENVIRONMENT
from dev.probes import LOOPBACK, free_port, http_ok
from dev.process import SILENT, Part, supervisor_of
from tests.conftest import PAYLOAD_KEYS
from tests.patience import PATIENCE_SECONDS

DOCKERFILE = Path(__file__).parents[2] / "Dockerfile"
CONNECTIONS = 16
HELD = 1500
LOCK = DOCKERFILE.with_name("requirements.lock")
LIVE = b"HEAD /health/live HTTP/1.1\r\nHost: mipres.test\r\n\r\n"
UPGRADE = (
    b"GET /health/live HTTP/1.1\r\nHost: mipres.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SENT_BY_EACH = 4 * 1024 * 1024
# What the same attack of 64 MiB costs while nothing bounds it is more than 64 MiB.
MOST_GROWTH = 16 * 1024 * 1024


@asynccontextmanager
async def serving(
    tmp_path: Path, *command: str, **variables: str
) -> AsyncIterator[tuple[int, psutil.Process]]:
    """The production entry, started by a command: port and process."""
    port = free_port()
    settings = {
        "MIPRES_DATA_DIR": str(tmp_path),
        "MIPRES_DATABASE_URL": f"postgresql+asyncpg://mipres:secret@{LOOPBACK}:{free_port()}/mipres",
        "MIPRES_TEMPORAL_ADDRESS": f"{LOOPBACK}:{free_port()}",
        "MIPRES_SECRET_KEY": "s" * 40,
        "MIPRES_PAYLOAD_KEYS": "test:" + base64.b64encode(PAYLOAD_KEYS["test"]).decode(),
    }
    part = Part(
        name="api",
        command=(sys.executable, *command, "api.main:app", "--host", LOOPBACK, "--port", str(port)),
        environment={**os.environ, **settings, **variables},
        is_ready=http_ok(port, "/health/live"),
    )
    async with supervisor_of(SILENT) as supervisor:
        await supervisor.start(part)
        yield port, psutil.Process(supervisor.process_ids()["api"])


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[int, psutil.Process]]:
    """As `make run` and the image start it."""
    async with serving(tmp_path, "-m", "uvicorn", **SERVER_ENVIRONMENT) as started:
        yield started


def exchange(port: int, request: bytes) -> bytes:
    with socket.create_connection((LOOPBACK, port), timeout=10) as connection:
        connection.sendall(request)
        return connection.recv(65536)


def send_unfinished(port: int) -> socket.socket:
    """Send a header that never ends, for as long as the server takes it."""
    connection = socket.create_connection((LOOPBACK, port), timeout=10)
    connection.sendall(b"GET / HTTP/1.1\r\nHost: mipres.test\r\nX-Long: ")
    chunk = b"x" * 65536
    try:
        for _ in range(SENT_BY_EACH // len(chunk)):
            connection.sendall(chunk)
    except ConnectionError:
        return connection
    return connection


async def test_headers_that_never_end_cost_no_memory(served: tuple[int, psutil.Process]) -> None:
    port, process = served
    before = process.memory_info().rss
    held = [send_unfinished(port) for _ in range(CONNECTIONS)]
    grown = process.memory_info().rss - before
    for connection in held:
        connection.close()
    assert grown < MOST_GROWTH
    assert exchange(port, LIVE).startswith(b"HTTP/1.1 200")


async def test_hosts_and_upgrades_over_the_wire(served: tuple[int, psutil.Process]) -> None:
    port, _ = served
    for hosts in (b"", b"Host: a\r\nHost: b\r\n"):
        for version in (b"1.0", b"1.1"):
            answer = exchange(port, b"GET /health/live HTTP/" + version + b"\r\n" + hosts + b"\r\n")
            assert answer.split()[1] == b"400", (hosts, version)
    assert exchange(port, UPGRADE).startswith(b"HTTP/1.1 200")


async def test_held_connections_keep_nobody_out(served: tuple[int, psutil.Process]) -> None:
    port, _ = served
    held = [socket.create_connection((LOOPBACK, port), timeout=10) for _ in range(HELD)]
    try:
        assert exchange(port, LIVE).startswith(b"HTTP/1.1 200")
    finally:
        for connection in held:
            connection.close()


async def test_beyond_the_limit_of_connections_the_answer_is_503(tmp_path: Path) -> None:
    few = SERVER_ENVIRONMENT | {"UVICORN_LIMIT_CONCURRENCY": "8"}
    async with serving(tmp_path, "-m", "uvicorn", **few) as (port, _):
        assert exchange(port, LIVE).startswith(b"HTTP/1.1 200")
        held = [socket.create_connection((LOOPBACK, port), timeout=10) for _ in range(8)]
        try:
            assert exchange(port, LIVE).startswith(b"HTTP/1.1 503")
        finally:
            for connection in held:
                connection.close()


async def test_plain_uvicorn_with_the_locked_packages_has_the_same_edges(tmp_path: Path) -> None:
    locked = set(re.findall(r"^([\w-]+)==", LOCK.read_text(encoding="utf-8"), re.MULTILINE))
    absent = {"httptools", "websockets", "wsproto"} - locked
    start = f"import sys; sys.modules.update(dict.fromkeys({sorted(absent)})); import uvicorn; uvicorn.main()"
    async with serving(tmp_path, "-c", start) as (port, _):
        assert b" 101 " not in exchange(port, UPGRADE)
        with send_unfinished(port) as connection:
            assert is_ended(connection)


def is_ended(connection: socket.socket) -> bool:
    """Whether the server answers or closes instead of waiting for more."""
    try:
        connection.recv(65536)
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


@pytest.fixture
async def timed(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """The port of the image's protocol, with a short time for heads."""
    monkeypatch.setattr(served_by, "HEAD_SECONDS", 0.2)
    protocol = import_from_string(SERVER_ENVIRONMENT["UVICORN_HTTP"])
    config = Config(answer_with_nothing, http=protocol, log_config=None)
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: protocol(config, ServerState(), {}, loop), LOOPBACK, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def answer_with_nothing(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


@pytest.mark.parametrize("before", [b"", LIVE], ids=["first", "second"])
@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nX-Slow: "], ids=["nothing", "slowly"])
async def test_a_head_that_comes_too_slowly_ends_its_connection(
    timed: int, before: bytes, begun: bytes
) -> None:
    reader, writer = await asyncio.open_connection(LOOPBACK, timed)
    if before:
        writer.write(before)
        assert b" 204 " in await reader.readuntil(b"\r\n\r\n")
    writer.write(begun)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await ended_within(reader, 0.02):
            writer.write(b"x" if begun else b"")
    writer.close()


async def ended_within(reader: asyncio.StreamReader, seconds: float) -> bool:
    try:
        return await asyncio.wait_for(reader.read(1), seconds) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_the_image_sets_what_make_run_sets() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    assert dict(re.findall(r"(UVICORN_\w+)=(\S+)", text)) == SERVER_ENVIRONMENT
    assert MOST_UNFINISHED_HEADER_BYTES * MOST_CONNECTIONS <= 128 * 1024 * 1024


def test_a_process_has_one_application(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uvicorn asks for it twice; a second would complain of its settings again."""
    for name in ("configure_logging", "core_lines_through_python"):
        monkeypatch.setattr(main, name, lambda: None)
    monkeypatch.setattr(main, "load_settings", lambda **_: None)
    monkeypatch.setattr(main, "create_app", lambda _: object())
    try:
        assert import_from_string("api.main:app") is import_from_string("api.main:app")
    finally:
        main._served.cache_clear()
