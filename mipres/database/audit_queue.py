"""Write requests into the audit trail, after the answer and few at a time."""

import asyncio

import structlog

from mipres.database.failures import DATABASE_ERRORS, database_fault
from mipres.domain.audit import AuditEvent
from mipres.ports import AuditTrail

log = structlog.get_logger()

# A process that ends gives a slow database this long.
_LAST_WRITE_SECONDS = 5.0


class AuditQueue:
    """Takes events at once, and writes those that came meanwhile together.

    Each writer of the trail waits for the others, so one writer for many events is faster.

    Fails open: Temporal holds what the person asked for, and a registration needs no database yet. The worker
    writes the result, in the transaction of the fact itself.
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
            _, unfinished = await asyncio.wait({self._writing}, timeout=_LAST_WRITE_SECONDS)
            if unfinished:
                log.warning("audit_not_written", unwritten=len(self._unwritten), error="TimeoutError")

    async def _write(self) -> None:
        while self._unwritten:
            events, self._unwritten = self._unwritten, []
            try:
                await self._audit.record(*events)
            except DATABASE_ERRORS as error:
                types = sorted({event.type.value for event in events})
                log.warning("audit_not_written", types=types, count=len(events), error=database_fault(error))
