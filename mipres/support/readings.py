"""What support reads of encrypted payloads: with a reason, never without a row."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import reading_factory, session_factory
from mipres.database.tables import StaffReasonRow, StaffSessionRow
from mipres.domain.audit import AuditEvent, AuditEventType
from mipres.ports import Clock
from mipres.support.staff import KEY_LIFETIME, StaffMember, token_hash


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One payload that was decoded.

    Attributes:
        reference: The registration or recovery that it belongs to.
        logins: Of the people whom it names.
        is_personal: It may be about a person, so a reason opens it.
    """

    reference: str | None
    logins: frozenset[str]
    is_personal: bool = True


class Readings:
    """Keeps reasons, and records who read about whom."""

    def __init__(self, engine: AsyncEngine, *, audit: PostgresAuditTrail, clock: Clock) -> None:
        self._sessions = session_factory(engine)
        self._reading = reading_factory(engine)
        self._audit = audit
        self._clock = clock

    async def give_reason(self, token: str, reference: str, reason: str) -> None:
        """Open one registration to a session, for as long as the session lives."""
        # A session that ended meanwhile opens nothing.
        live = select(
            StaffSessionRow.id_hash, literal(reference), literal(reason), literal(self._clock.now())
        ).where(StaffSessionRow.id_hash == token_hash(token))
        statement = insert(StaffReasonRow).from_select(
            ["session_hash", "reference", "reason", "given_at"], live
        )
        async with self._sessions.begin() as session:
            await session.execute(
                statement.on_conflict_do_update(
                    index_elements=["session_hash", "reference"],
                    set_={"reason": statement.excluded.reason, "given_at": statement.excluded.given_at},
                )
            )

    async def reasons(self, member: StaffMember, references: Collection[str]) -> Mapping[str, str]:
        """The reasons that the member gave in this login, by reference.

        A key for the command line reads what the pages' session opened.
        """
        statement = (
            select(StaffReasonRow.reference, StaffReasonRow.reason)
            .join(StaffSessionRow, StaffSessionRow.id_hash == StaffReasonRow.session_hash)
            .where(
                StaffSessionRow.staff_id == member.id,
                StaffReasonRow.reference.in_(references),
                StaffReasonRow.given_at > self._clock.now() - KEY_LIFETIME,
            )
            .order_by(StaffReasonRow.given_at)
        )
        async with self._reading() as session:
            rows = (await session.execute(statement)).all()
        return {row.reference: row.reason for row in rows}

    async def record(
        self, member: StaffMember, readings: Sequence[Reading], reasons: Mapping[str, str]
    ) -> None:
        """Write a row for each person of each registration, with how much was read."""
        known = await self._audit.people_of({item.reference for item in readings if item.reference})
        counts: Counter[tuple[str | None, str | None]] = Counter()
        for item in readings:
            counts.update((item.reference, person) for person in self._people(item, known) or {None})
        await self._audit.record(
            *(
                AuditEvent(
                    type=AuditEventType.PAYLOADS_DECODED,
                    actor=member.actor,
                    reference=reference,
                    person=person,
                    reason=None if reference is None else reasons.get(reference),
                    details={"payloads": payloads},
                )
                for (reference, person), payloads in counts.items()
            )
        )

    async def record_sealed(self, member: StaffMember, reasons: Sequence[str]) -> None:
        """Record reasons that Temporal's interface is about to send with updates."""
        await self._audit.record(
            *(
                AuditEvent(type=AuditEventType.REASON_SEALED, actor=member.actor, reason=reason)
                for reason in reasons
            )
        )

    def _people(self, item: Reading, known: Mapping[str, frozenset[str]]) -> set[str | None]:
        """Those whom the payload names, and whose registration it is."""
        hashes = [self._audit.hashes_of(login) for login in item.logins]
        named: set[str | None] = {hashed[0] for hashed in hashes}
        # The trail may know the same person by the hash of an older key.
        others = known.get(item.reference or "", frozenset()).difference(*hashes)
        return named | others
