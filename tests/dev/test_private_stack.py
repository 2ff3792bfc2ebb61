"""A stack that nobody else uses.

Apart from the shell, killed and restarted in parts, gone afterwards.
"""

import asyncio
import json

import httpx2
import psutil
import pytest

from dev.citizen import MEDICINE, Citizen, next_number
from dev.private_stack import PrivateStack, private_stack
from tests.patience import PATIENCE_SECONDS


async def register_whom_no_mail_reaches(stack: PrivateStack) -> str:
    """The radicado of a registration about which both processes write."""
    person = Citizen(number=next_number()).record()
    refusal = {"mode": "script", "rcpt": "550 5.1.1 No such user", "data": "250 OK"}
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
        await client.put(f"{stack.url('MAIL_UI_PORT')}/_control", json=refusal)
        known = person | {"rethus": {"professions": [MEDICINE], "sanctions": []}}
        await client.post(f"{stack.url('REGISTRY_PORT')}/_control/people", json=[known])
        submission = {
            "user_type": "professional",
            "document": person["document"],
            "professional_registration": "76-1234",
            "data_terms_accepted": True,
        }
        answer = await client.post(
            f"{stack.url('API_PORT')}/api/v1/registrations",
            json=submission,
            headers={"Authorization": "Bearer desarrollo"},
        )
    radicado: str = answer.json()["radicado"]
    return radicado


async def traces_of(stack: PrivateStack, radicado: str) -> dict[str, set[str]]:
    """The traces that each process names beside a radicado, once both have."""
    found: dict[str, set[str]] = {}
    async with asyncio.timeout(PATIENCE_SECONDS):
        while set(found) != {"api", "worker"}:
            await asyncio.sleep(0.1)
            for name, _, text in (line.partition(" │ ") for line in list(stack.lines)):
                if text.startswith("{") and (line := json.loads(text)).get("radicado") == radicado:
                    found.setdefault(name.strip(), set()).add(line["trace_id"])
    return found


async def test_a_private_stack_is_apart_survives_a_crash_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MIPRES_API_PORT", "1")
    async with private_stack(captcha="off") as stack:
        assert stack.settings.captcha == "off"
        assert len(set(stack.ports.values())) == len(stack.ports)
        async with httpx2.AsyncClient(base_url=stack.url("API_PORT"), trust_env=False) as api:
            assert (await api.get("/health/ready")).status_code == 200
        async with stack.database() as connection:
            assert await connection.fetchval("SELECT count(*) FROM accounts") == 0
        traces = await traces_of(stack, await register_whom_no_mail_reaches(stack))
        assert len(set.union(*traces.values())) == 1, "without a collector"
        before = stack.supervisor.process_ids()["registros"]
        await stack.crash("registros")
        await stack.restart("registros")
        processes = stack.supervisor.process_ids()
        assert processes["registros"] != before
        assert any("listo en" in line for line in stack.lines)
        assert str(stack.data_dir) not in "\n".join(stack.lines)
    assert not stack.data_dir.exists()
    assert not any(psutil.pid_exists(pid) for pid in processes.values())
