"""`make run`'s launcher for real.

The whole product on free ports, driven from outside.
"""

import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from dev.probes import free_port
from tests.dev.launched import LaunchedProduct, free_ports, launch, running
from tests.dev.programs import gone
from tests.patience import PATIENCE_SECONDS

PROFESSIONAL = {
    "user_type": "professional",
    "document": {"type": "CC", "number": "1020304050"},
    "professional_registration": "76-1234",
    "data_terms_accepted": True,
}


@pytest.fixture
def ports() -> dict[str, int]:
    return {**free_ports(), "METRICS_PORT": free_port()}


@pytest.fixture
def data_dir(open_directory: Path, request: pytest.FixtureRequest) -> Path:
    return open_directory / str(request.node.name)


async def refused(data_dir: Path, ports: Mapping[str, int]) -> str:
    process = await launch(data_dir, ports)
    said, _ = await process.communicate()
    assert process.returncode == 1
    return said.decode()


async def query(data_dir: Path, statement: str) -> object:
    left = dict(line.split("=", 1) for line in (data_dir / "stack.env").read_text().splitlines())
    connection = await asyncpg.connect(
        host="127.0.0.1",
        port=int(left["MIPRES_POSTGRES_PORT"]),
        user="mipres",
        password=left["MIPRES_POSTGRES_PASSWORD"],
        database="mipres",
        ssl=False,
    )
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def api(stack: LaunchedProduct, method: str, path: str, body: object = None) -> dict[str, Any]:
    """Call the JSON API as a program of somebody else would."""
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
        address = f"{stack.url('API_PORT')}/api/v1/registrations{path}"
        answer = await client.request(
            method, address, json=body, headers={"Authorization": "Bearer desarrollo"}
        )
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def every_part_answers(stack: LaunchedProduct) -> None:
    assert await stack.status("API_PORT", "/health/ready") == 200
    assert await stack.status("REGISTRY_PORT", "/_control/calls") == 200
    assert await stack.status("MAIL_UI_PORT", "/api/v1/messages") == 200
    assert await stack.status("TEMPORAL_UI_PORT", "/") == 200
    assert stack.lines.count("listo") == 1


async def a_second_start_is_refused_by_its_data_or_by_its_ports(
    data_dir: Path, another: Path, ports: Mapping[str, int]
) -> None:
    assert "Ya hay un `make run` en marcha" in await refused(data_dir, ports)
    said = await refused(another, ports)
    for name, port in ports.items():
        assert f"El puerto {port} (MIPRES_{name}) ya está en uso" in said


async def test_a_launcher_is_alone_and_the_next_one_finds_what_a_killed_one_left(
    data_dir: Path, open_directory: Path, ports: dict[str, int]
) -> None:
    async with running(data_dir, {**ports, "POSTGRES_PORT": 0}) as stack:
        radicado = (await api(stack, "POST", "", PROFESSIONAL))["radicado"]
        family = stack.family()
        stack.process.kill()
        await stack.process.wait()
        # The next launcher waits for what is still ending.
        async with running(data_dir, ports) as again:
            assert gone(family)
            assert await query(data_dir, "SELECT login FROM accounts") == "CC1020304050"
            assert (await api(again, "GET", f"/{radicado}"))["stage"] == "awaiting_password"
            # It runs on, and is not only remembered: a person who registers again joins it.
            assert (await api(again, "POST", "", PROFESSIONAL))["radicado"] == radicado
            await every_part_answers(again)
            await a_second_start_is_refused_by_its_data_or_by_its_ports(
                data_dir, open_directory / "another", ports
            )
            await ends_at_ctrl_c(again, data_dir)


async def ends_at_ctrl_c(stack: LaunchedProduct, data_dir: Path) -> None:
    family = stack.family()
    stack.process.send_signal(signal.SIGINT)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await stack.process.wait()
    assert stack.process.returncode == 0
    assert gone(family)
    assert not (data_dir / "stack.env").exists()
    assert (data_dir / "secrets.env").stat().st_mode & 0o777 == 0o600
