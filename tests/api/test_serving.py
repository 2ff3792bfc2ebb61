"""What the server bounds before the application sees anything, over real sockets."""

import base64
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from api.serving import MOST_CONNECTIONS, MOST_UNFINISHED_HEADER_BYTES, SERVER_ENVIRONMENT
from dev.probes import LOOPBACK, free_port, http_ok
from dev.process import SILENT, Part, supervisor_of
from tests.conftest import PAYLOAD_KEYS

DOCKERFILE = Path(__file__).parents[2] / "Dockerfile"
CONNECTIONS = 16
SENT_BY_EACH = 4 * 1024 * 1024
# What the same attack of 64 MiB costs while nothing bounds it is more than 64 MiB.
MOST_GROWTH = 16 * 1024 * 1024


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[int, psutil.Process]]:
    """The production entry as `make run` and the image start it: port and process."""
    port = free_port()
    settings = {
        "MIPRES_DATA_DIR": str(tmp_path),
        "MIPRES_DATABASE_URL": f"postgresql+asyncpg://mipres:secret@{LOOPBACK}:{free_port()}/mipres",
        "MIPRES_TEMPORAL_ADDRESS": f"{LOOPBACK}:{free_port()}",
        "MIPRES_SECRET_KEY": "s" * 40,
        "MIPRES_PAYLOAD_KEYS": "test:" + base64.b64encode(PAYLOAD_KEYS["test"]).decode(),
    }
    command = (sys.executable, "-m", "uvicorn", "api.main:app", "--host", LOOPBACK, "--port", str(port))
    part = Part(
        name="api",
        command=command,
        environment={**os.environ, **SERVER_ENVIRONMENT, **settings},
        is_ready=http_ok(port, "/health/live"),
    )
    async with supervisor_of(SILENT) as supervisor:
        await supervisor.start(part)
        yield port, psutil.Process(supervisor.process_ids()["api"])


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
    assert exchange(port, b"HEAD /health/live HTTP/1.1\r\nHost: mipres.test\r\n\r\n").startswith(
        b"HTTP/1.1 200"
    )


async def test_hosts_and_upgrades_over_the_wire(served: tuple[int, psutil.Process]) -> None:
    port, _ = served
    for hosts in (b"", b"Host: a\r\nHost: b\r\n"):
        for version in (b"1.0", b"1.1"):
            answer = exchange(port, b"GET /health/live HTTP/" + version + b"\r\n" + hosts + b"\r\n")
            assert answer.split()[1] == b"400", (hosts, version)
    upgrade = (
        b"GET /health/live HTTP/1.1\r\nHost: mipres.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert exchange(port, upgrade).startswith(b"HTTP/1.1 200")


def test_the_image_sets_what_make_run_sets() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    assert dict(re.findall(r"(UVICORN_\w+)=(\S+)", text)) == SERVER_ENVIRONMENT
    assert MOST_UNFINISHED_HEADER_BYTES * MOST_CONNECTIONS <= 32 * 1024 * 1024
