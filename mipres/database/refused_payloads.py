"""Refused payloads as security events of the trail.

A stranger with reach to Temporal can send any number of them, and chooses the ids of workflows: the trail gets
few rows, and of an id only what has the form of a reference.
"""

import time
from collections.abc import Callable

from mipres.database.audit_queue import AuditQueue
from mipres.domain.audit import PRODUCT, AuditEvent, AuditEventType
from mipres.domain.radicado import is_reference
from mipres.temporal.codec import Fault
from mipres.temporal.names import reference_of

EVERY_SECONDS = 3600.0
"""The same fault in the same registration makes one row in this time."""
MOST_IN_THAT_TIME = 100
"""Further registrations share one row for each fault."""
_Kind = tuple[Fault, str | None]


class RefusedPayloads:
    """Turns what the codec refuses into rows, from the codec's own event loop.

    A row counts those of its kind since the row before it.

    Args:
        queue: Writes them behind the codec's back.
        now: Seconds of a clock that only goes forward.
    """

    def __init__(self, queue: AuditQueue, *, now: Callable[[], float] = time.monotonic) -> None:
        self._queue = queue
        self._now = now
        self._began = now()
        self._unwritten: dict[_Kind, int] = {}

    def note(self, fault: Fault, scope: str) -> None:
        """Take one refused payload; write its row, or count it for the next one."""
        if self._now() - self._began >= EVERY_SECONDS:
            self.flush()
        reference = reference_of(scope.partition("#")[0])
        kind: _Kind = (fault, reference if is_reference(reference) else None)
        if kind not in self._unwritten and len(self._unwritten) >= MOST_IN_THAT_TIME:
            kind = (fault, None)
        if kind in self._unwritten:
            self._unwritten[kind] += 1
        else:
            self._unwritten[kind] = 0
            self._write(kind, 1)

    def flush(self) -> None:
        """Write what was only counted, and begin again."""
        for kind, times in self._unwritten.items():
            if times:
                self._write(kind, times)
        self._began, self._unwritten = self._now(), {}

    def _write(self, kind: _Kind, times: int) -> None:
        fault, reference = kind
        details: dict[str, str | int] = {"fault": fault.value, "times": times}
        self._queue.take(
            AuditEvent(
                type=AuditEventType.PAYLOAD_REFUSED, actor=PRODUCT, reference=reference, details=details
            )
        )
