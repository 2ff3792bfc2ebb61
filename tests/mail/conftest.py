"""A mail catcher for each test, and what it has received."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dev.mail_catcher.inbox import Inbox
from dev.mail_catcher.smtp import SmtpDesk


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "mail")


@pytest.fixture
async def desk(inbox: Inbox) -> AsyncIterator[SmtpDesk]:
    desk = SmtpDesk(inbox, host="127.0.0.1", port=0)
    await desk.open()
    yield desk
    desk.close()
