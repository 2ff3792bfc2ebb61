"""A stack that nobody else uses.

Apart from the shell, killed and restarted in parts, gone afterwards.
"""

import httpx2
import psutil
import pytest

from dev.private_stack import private_stack


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
        before = stack.supervisor.process_ids()["registros"]
        await stack.crash("registros")
        await stack.restart("registros")
        processes = stack.supervisor.process_ids()
        assert processes["registros"] != before
        assert any("listo en" in line for line in stack.lines)
        assert str(stack.data_dir) not in "\n".join(stack.lines)
    assert not stack.data_dir.exists()
    assert not any(psutil.pid_exists(pid) for pid in processes.values())
