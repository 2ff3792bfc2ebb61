"""The audit trail in PostgreSQL.

Append-only, each row sealed over the one before it with a keyed hash.

The database refuses to change or remove a row (see the migration). The table's owner can get around that,
but cannot seal the changed row again without the key in MIPRES_AUDIT_KEYS that the row names.
"""

import hashlib
import hmac
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    BindParameter,
    Column,
    ColumnElement,
    Insert,
    Row,
    Select,
    String,
    Text,
    bindparam,
    func,
    insert,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.engine import Transaction, reading_factory, session_factory
from mipres.database.tables import AuditHeadRow, AuditRow, table_of
from mipres.domain.audit import AuditEntry, AuditEvent, AuditHead, AuditVerdict
from mipres.keys import AuditKey
from mipres.ports import Clock

GENESIS = bytes(32)
"""What stands in the place of the row before the first."""
# A writer that waited for the row reads what the writer before it left there.
_HEAD = select(*table_of(AuditHeadRow).c["number", "seal"]).with_for_update()
_COLUMNS = tuple(column.name for column in AuditRow.__table__.columns)


def _appending() -> Insert:
    """Append rows, given as an array for each column.

    SQLAlchemy would write VALUES of several rows each time from the start.
    """

    def array_of(column: Column[Any]) -> BindParameter[Any]:
        # The cast to an array with a length would cut a text off without a word.
        of = Text() if isinstance(column.type, String) else column.type
        return bindparam(column.name, type_=ARRAY(of))

    rows = func.unnest(*map(array_of, table_of(AuditRow).c)).table_valued(*_COLUMNS).render_derived()
    return insert(table_of(AuditRow)).from_select(_COLUMNS, select(rows))


_APPEND = _appending()
_DIGEST_SHOWN = 16
_BATCH = 1_000
_END_MISSING = "faltan las últimas filas: fueron borradas"
_OR_ROTATED = ", o MIPRES_SECRET_KEY cambió y la anterior falta en MIPRES_SECRET_KEY_PREVIOUS"


class TrailHead(NamedTuple):
    """The last row of the trail, held for the writer of the next one."""

    number: int
    seal: bytes


class _NewRow(NamedTuple):
    """A row of the trail that is to be written.

    An object of its table would take longer to make than its seal.
    """

    number: int
    occurred_at: datetime
    type: str
    actor: str
    reference: str | None
    person: str | None
    reason: str | None
    details: dict[str, str | int]
    previous_seal: bytes
    key_id: str | None
    seal: bytes = b""


class PostgresAuditTrail:
    """Implements ports.AuditTrail, and writes inside other adapters' transactions.

    Args:
        engine: The process's engine.
        keys: Seal rows and hide logins. The first writes, all read.
        clock: Time of every row.
    """

    def __init__(self, engine: AsyncEngine, *, keys: Sequence[AuditKey], clock: Clock) -> None:
        self._engine = engine
        self._sessions = session_factory(engine)
        self._reading = reading_factory(engine)
        self._keys = tuple(keys)
        self._clock = clock

    async def record(self, *events: AuditEvent) -> None:
        """Append events in a transaction of their own."""
        async with self._engine.begin() as connection:
            await self.record_in(connection, *events)

    async def record_once(self, event: AuditEvent) -> None:
        """Append one event unless it is there already.

        For callers that may be repeated after a crash.
        """
        async with self._sessions.begin() as session:
            head = await _lock_head(session)
            known = select(AuditRow.number).where(
                AuditRow.reference == event.reference,
                AuditRow.type == event.type.value,
                AuditRow.details == dict(event.details),
            )
            if (await session.execute(known.limit(1))).first() is None:
                await self.record_in(session, event, head=head)

    async def record_in(
        self, transaction: Transaction, *events: AuditEvent, head: TrailHead | None = None
    ) -> None:
        """Append events in the transaction of the fact that they record.

        Call it last in the transaction: appending waits for every other writer, and a transaction that
        then waited for a lock of theirs would wait for ever.

        Args:
            transaction: The one of the fact.
            events: What to append.
            head: The end of the trail, where `write_and_hold` holds it for this transaction already.
        """
        if not events:
            return
        number, seal = head or await _lock_head(transaction)
        rows = []
        for event in events:
            row = self._row(event, number=number + 1, previous=seal)
            rows.append(row)
            number, seal = row.number, row.seal
        await transaction.execute(
            _APPEND, {column: [getattr(row, column) for row in rows] for column in _COLUMNS}
        )

    async def entries(
        self,
        *,
        reference: str | None = None,
        login: str | None = None,
        actor: str | None = None,
        limit: int = 200,
    ) -> list[AuditEntry]:
        """The newest events of a radicado or of a login, oldest first.

        Without either, of all; with an actor, only what that one did.
        """
        wanted = []
        if reference is not None:
            wanted.append(AuditRow.reference == reference)
        if login is not None:
            wanted.append(AuditRow.person.in_(self.hashes_of(login)))
        statement = select(AuditRow).order_by(AuditRow.number.desc()).limit(limit)
        if wanted:
            statement = statement.where(or_(*wanted))
        if actor is not None:
            # Behind the name that an operator gave stands the account of the operating system.
            with_account = AuditRow.actor.startswith(f"{actor} (", autoescape=True)
            statement = statement.where(or_(AuditRow.actor == actor, with_account))
        async with self._reading() as session:
            rows = list(await session.scalars(statement))
        return [
            AuditEntry(
                number=row.number,
                occurred_at=row.occurred_at,
                type=row.type,
                actor=row.actor,
                reference=row.reference,
                reason=row.reason,
                details=dict(row.details),
            )
            for row in reversed(rows)
        ]

    def hashes_of(self, login: str) -> tuple[str, ...]:
        """The hashes under which the trail knows a login, the active key's first."""
        return tuple(_person(key, login) for key in self._keys)

    async def people_of(self, references: Collection[str]) -> Mapping[str, frozenset[str]]:
        """Hashes of the people whom the trail names beside these references."""
        statement = (
            select(AuditRow.reference, AuditRow.person)
            .where(AuditRow.reference.in_(references), AuditRow.person.is_not(None))
            .distinct()
        )
        found: dict[str, set[str]] = {reference: set() for reference in references}
        async with self._reading() as session:
            for reference, person in await session.execute(statement):
                found[reference].add(person)
        return {reference: frozenset(people) for reference, people in found.items()}

    async def verify(self) -> AuditVerdict:
        """Check every row against its seal and against the row before it."""
        head, seal = AuditHead(number=0, digest=""), GENESIS
        while True:
            following = select(AuditRow).where(AuditRow.number > head.number)
            async with self._reading() as session:
                rows = (await session.scalars(following.order_by(AuditRow.number).limit(_BATCH))).all()
            for row in rows:
                if problem := self._problem(row, expected=head.number + 1, previous=seal):
                    return AuditVerdict(
                        checked=head.number,
                        head=_or_none(head),
                        broken_at=head.number + 1,
                        problem=problem,
                        missing_key=None if self._knows(row.key_id) else row.key_id,
                    )
                head, seal = _head(row), row.seal
            if len(rows) < _BATCH:
                return await self._verdict_of_the_end(head)

    async def _verdict_of_the_end(self, head: AuditHead) -> AuditVerdict:
        """Judge a trail of intact rows: is the recorded end one of them?"""
        last = (AuditRow.number == AuditHeadRow.number) & (AuditRow.seal == AuditHeadRow.seal)
        is_there = select(AuditRow.number).where(last).exists()
        async with self._reading() as session:
            lost = await session.scalar(select(AuditHeadRow.number).where(AuditHeadRow.number > 0, ~is_there))
        if lost is None:
            return AuditVerdict(checked=head.number, head=_or_none(head))
        return AuditVerdict(
            checked=head.number, head=_or_none(head), broken_at=head.number + 1, problem=_END_MISSING
        )

    async def holds(self, head: str) -> bool:
        """Whether a head that was noted before (`number:digest`) is still in the trail."""
        number = head.partition(":")[0]
        if not number.isdecimal():
            return False
        async with self._reading() as session:
            row = await session.get(AuditRow, int(number))
        return row is not None and hmac.compare_digest(str(_head(row)), head)

    def _row(self, event: AuditEvent, *, number: int, previous: bytes) -> "_NewRow":
        key = self._keys[0]
        row = _NewRow(
            number=number,
            occurred_at=self._clock.now(),
            type=event.type.value,
            actor=event.actor,
            reference=event.reference,
            person=event.person if event.login is None else _person(key, event.login),
            reason=event.reason,
            details=dict(event.details),
            previous_seal=previous,
            key_id=key.id,
        )
        return row._replace(seal=_seal(key, row))

    def _knows(self, key_id: str | None) -> bool:
        return any(key.id == key_id for key in self._keys)

    def _problem(self, row: AuditRow, *, expected: int, previous: bytes) -> str | None:
        if row.number != expected:
            return "falta la fila: fue borrada"
        if not hmac.compare_digest(row.previous_seal, previous):
            return "no sigue a la fila anterior: una de las dos fue reemplazada"
        if not self._knows(row.key_id):
            return f"MIPRES_AUDIT_KEYS no tiene la clave {row.key_id}, con la que se selló"
        seals = [_seal(key, row) for key in self._keys if key.id == row.key_id]
        if not any(hmac.compare_digest(row.seal, seal) for seal in seals):
            return "su contenido no es el que se escribió" + (_OR_ROTATED if row.key_id is None else "")
        return None


def _seal(key: AuditKey, row: "AuditRow | _NewRow") -> bytes:
    content = [
        row.number,
        row.occurred_at.astimezone(UTC).isoformat(),
        row.type,
        row.actor,
        row.reference,
        row.person,
        row.reason,
        dict(row.details),
        row.previous_seal.hex(),
        # Rows of before the trail had keys of its own were sealed without it.
        *([] if row.key_id is None else [row.key_id]),
    ]
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hmac.new(key.seal, canonical.encode(), hashlib.sha256).digest()


def _person(key: AuditKey, login: str) -> str:
    """One hash of a person for each key.

    Without the key no one can try document numbers.
    """
    return hmac.new(key.person, f"person|{login}".encode(), hashlib.sha256).hexdigest()[:32]


def holding(fact: CTE, *others: CTE, only_if: ColumnElement[bool] | None = None) -> Select[Any]:
    """Write the last of a fact, and then wait for every other writer of the trail.

    One statement does both, for a round trip less.

    Args:
        fact: What tells of it.
        others: More that is written, in other rows.
        only_if: Where this is false, more follows before the trail, and nothing waits for it yet.
    """
    counts = [select(func.count()).select_from(part).scalar_subquery() for part in (fact, *others)]
    # Only who has written everything waits for the trail: the count of the rows comes before the lock.
    head = _HEAD.where(*(count >= 0 for count in counts))
    held = (head if only_if is None else head.where(only_if)).subquery("head")
    end = (held.c.number.label("trail_number"), held.c.seal.label("trail_seal"))
    return select(fact, *end).select_from(fact.outerjoin(held, true())).add_cte(*others)


async def write_and_hold(
    transaction: Transaction, statement: Select[Any], values: Mapping[str, object]
) -> tuple[Sequence[Row[Any]], TrailHead | None]:
    """Run a statement of `holding` in the transaction of the fact.

    Returns:
        The rows of the fact, and the end of the trail; None where it is not held, as where the fact has no row.
    """
    rows = (await transaction.execute(statement, values)).all()
    is_held = bool(rows) and rows[0].trail_number is not None
    return rows, TrailHead(rows[0].trail_number, rows[0].trail_seal) if is_held else None


async def _lock_head(transaction: Transaction) -> TrailHead:
    """Wait for every other writer; the last row that there is then."""
    return TrailHead(*(await transaction.execute(_HEAD)).one())


def _head(row: AuditRow) -> AuditHead:
    return AuditHead(number=row.number, digest=row.seal.hex()[:_DIGEST_SHOWN])


def _or_none(head: AuditHead) -> AuditHead | None:
    return head if head.number else None
