"""PostgreSQL's clock, which all processes share.

A machine whose own clock is wrong mails no dead links.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

log = structlog.get_logger()

# A round trip takes milliseconds, and nothing in the product is decided by a second.
NOTEWORTHY = timedelta(seconds=2)


def machine_time() -> datetime:
    return datetime.now(UTC)


class DatabaseClock:
    """Implements ports.Clock: the machine's clock, corrected by PostgreSQL's.

    Until the first connection, and while PostgreSQL is away, the last correction holds.

    Args:
        engine: Its new connections are asked for the time.
        machine: The machine's own clock.
    """

    def __init__(self, engine: AsyncEngine, *, machine: Callable[[], datetime] = machine_time) -> None:
        self._machine = machine
        self._ahead = timedelta(0)
        event.listen(engine.sync_engine, "connect", self._compare)

    def now(self) -> datetime:
        return self._machine() + self._ahead

    def _compare(self, connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("SELECT clock_timestamp()")
        [at_the_server] = cursor.fetchone()
        cursor.close()
        # The driver has begun a transaction for the question.
        connection.rollback()
        self._ahead = at_the_server.astimezone(UTC) - self._machine()
        if abs(self._ahead) > NOTEWORTHY:
            log.warning("clocks_differ", database_is_ahead_by_seconds=round(self._ahead.total_seconds()))
