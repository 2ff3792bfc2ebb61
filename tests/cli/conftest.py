import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from unittest.mock import AsyncMock, Mock

import pytest
from typer.testing import CliRunner, Result

from mipres.cli import running
from mipres.cli.app import app
from mipres.cli.running import Tools
from mipres.settings.model import Settings

Command = Callable[..., Result]
URL = "http://ui.test/radicado"
UI_LIST = "http://ui.test/lista"


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least that a process needs; nothing of it is connected to."""
    for name in [name for name in os.environ if name.startswith("MIPRES_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MIPRES_SECRET_KEY", "s" * 32)
    monkeypatch.setenv("MIPRES_PAYLOAD_KEYS", "uno:" + "A" * 43 + "=")
    monkeypatch.setenv("MIPRES_DATABASE_URL", "postgresql+asyncpg://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("MIPRES_DATA_DIR", "/nonexistent")


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Tools:
    """The tools of every command, which a test tells what to answer."""
    support = AsyncMock()
    support.desk.url_of, support.desk.url_of_list = Mock(return_value=URL), Mock(return_value=UI_LIST)
    stand_in = Tools(
        support=support,
        accounts=AsyncMock(),
        joins=AsyncMock(),
        factor_resets=AsyncMock(),
        reviews=AsyncMock(),
        staff=AsyncMock(),
        audit=AsyncMock(),
        milestones=AsyncMock(),
        lockouts=AsyncMock(),
        client_grants=AsyncMock(),
        person_data=AsyncMock(),
        reseal=AsyncMock(),
    )

    @asynccontextmanager
    async def open_tools(_settings: Settings) -> AsyncIterator[Tools]:
        yield stand_in

    monkeypatch.setattr(running, "open_tools", open_tools)
    return stand_in


@pytest.fixture
def command() -> Command:
    def run(*words: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, list(words), input=stdin)

    return run
