"""Notes for the audit trail.

Taken at once, written together, and never in the way of an answer.
"""

import asyncio
from dataclasses import dataclass, field

import pytest
from sqlalchemy.exc import OperationalError

from mipres.database.audit_queue import AuditQueue
from mipres.domain.audit import CITIZEN, AuditEvent, AuditEventType
from tests.fakes import FakeAuditTrail


def event(reference: str) -> AuditEvent:
    return AuditEvent(type=AuditEventType.REGISTRATION_SUBMITTED, actor=CITIZEN, reference=reference)


@dataclass(kw_only=True)
class SlowTrail(FakeAuditTrail):
    """Keeps each writer until it may go on, and fails as often as wanted."""

    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)
    failures: int = 0
    batches: list[int] = field(default_factory=list)

    async def record(self, *events: AuditEvent) -> None:
        await self.may_go_on.wait()
        self.batches.append(len(events))
        if self.failures:
            self.failures -= 1
            raise OperationalError("INSERT", {}, OSError("away"))
        await super().record(*events)


async def test_what_comes_while_one_is_written_is_written_together_and_in_order() -> None:
    trail = SlowTrail()
    queue = AuditQueue(trail)
    queue.take(event("RM-0"))
    # One turn of the loop, so that the first is being written when the others come.
    await asyncio.sleep(0)
    for number in range(1, 6):
        queue.take(event(f"RM-{number}"))
    trail.may_go_on.set()
    await queue.finish()
    assert trail.batches == [1, 5]
    assert [kept.reference for kept in trail.events] == [f"RM-{number}" for number in range(6)]


async def test_a_database_that_fails_loses_a_note_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    trail = SlowTrail(failures=1)
    trail.may_go_on.set()
    queue = AuditQueue(trail)
    queue.take(event("RM-1"))
    await queue.finish()
    queue.take(event("RM-2"))
    await queue.finish()
    assert [kept.reference for kept in trail.events] == ["RM-2"]
    assert "audit_not_written" in capsys.readouterr().out


async def test_a_process_without_notes_ends_at_once() -> None:
    await AuditQueue(FakeAuditTrail()).finish()
