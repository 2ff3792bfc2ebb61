"""What was asked of us, written into the audit trail a moment after the answer, in as few transactions as can be."""

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mipres.domain.audit import AuditEvent
from mipres.ports import AuditTrail

log = structlog.get_logger()

# A process that ends gives a slow database this long.
_FAREWELL_SECONDS = 5.0


class AuditQueue:
    """Takes notes at once and writes all that have come together, because every writer of the trail waits for the others.

    Fails open: Temporal has taken what was asked, and a registration needs no database yet. What comes of
    it is written by the worker, in the transaction of the fact itself.
    """

    def __init__(self, audit: AuditTrail) -> None:
        self._audit = audit
        self._unwritten: list[AuditEvent] = []
        self._writing: asyncio.Task[None] | None = None

    def take(self, event: AuditEvent) -> None:
        self._unwritten.append(event)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def finish(self) -> None:
        """Write what is left."""
        if self._writing is not None:
            _, unfinished = await asyncio.wait({self._writing}, timeout=_FAREWELL_SECONDS)
            if unfinished:
                log.warning("audit_not_written", unwritten=len(self._unwritten), error="TimeoutError")

    async def _write(self) -> None:
        while self._unwritten:
            events, self._unwritten = self._unwritten, []
            try:
                await self._audit.record(*events)
            except (OSError, SQLAlchemyError) as error:
                types = sorted({event.type.value for event in events})
                log.warning("audit_not_written", types=types, count=len(events), error=type(error).__name__)
