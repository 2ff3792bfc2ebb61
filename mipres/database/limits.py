"""How often each thing was done, counted in PostgreSQL for all processes together."""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from sqlalchemy import Integer, LargeBinary, any_, bindparam, case, delete, func
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from mipres.database.tables import RateLimitRow, table_of
from mipres.domain.limits import Limit
from mipres.ports import Clock

_NO_WAIT = timedelta(0)
_COUNTS: Final = table_of(RateLimitRow)
_MORE: Final = bindparam("more", type_=_COUNTS.c.times.type)
_UNTIL: Final = bindparam("until", type_=_COUNTS.c.ends_at.type)
_IS_OVER: Final = _COUNTS.c.ends_at <= bindparam("now")
_COUNT: Final = (
    insert(_COUNTS)
    .values(limit_name=bindparam("limit"), subject_hash=bindparam("subject"), times=_MORE, ends_at=_UNTIL)
    .on_conflict_do_update(
        index_elements=["limit_name", "subject_hash"],
        set_={
            "times": case(
                (_IS_OVER, _MORE),
                else_=func.least(_COUNTS.c.times + _MORE, bindparam("enough", type_=Integer)),
            ),
            "ends_at": case((_IS_OVER, _UNTIL), else_=_COUNTS.c.ends_at),
        },
    )
    .returning(_COUNTS.c.times, _COUNTS.c.ends_at)
)
_FORGET: Final = delete(_COUNTS).where(
    _COUNTS.c.limit_name == bindparam("limit"),
    _COUNTS.c.subject_hash == any_(bindparam("subjects", type_=ARRAY(LargeBinary))),
)
_MOVE: Final = _FORGET.returning(_COUNTS.c.times, _COUNTS.c.ends_at)


class Limits(Protocol):
    """Counts, and answers how long a subject has to wait."""

    async def take(self, limit: Limit, subject: str) -> timedelta:
        """Count once more; zero within the limit, else how long the subject has to wait."""
        ...

    async def forget(self, limit: Limit, subject: str) -> None:
        """Begin again, as after a success."""
        ...


class PostgresLimits:
    """Windows that begin with the first time.

    Refused times do not make the wait longer.

    Subjects are addresses of people or name them, so only a keyed hash of each is stored;
    retention removes what no longer counts.

    Args:
        engine: The process's engine.
        key: Hides the subjects.
        clock: Says when a window is over.
        generosity: How many times as much as a limit says is allowed.
        older_keys: Hid the subjects before a rotation; what they counted goes on.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        key: bytes,
        clock: Clock,
        generosity: int = 1,
        older_keys: Sequence[bytes] = (),
    ) -> None:
        # Without an older key each count is one statement, and its own transaction.
        self._engine = engine if older_keys else engine.execution_options(isolation_level="AUTOCOMMIT")
        self._key = key
        self._older_keys = tuple(older_keys)
        self._clock = clock
        self._generosity = generosity

    async def take(self, limit: Limit, subject: str) -> timedelta:
        # One statement, so that requests of the same moment are counted one by one.
        now, most = self._clock.now(), limit.most * self._generosity
        async with self._engine.begin() as connection:
            before, ends_at = await self._counted_before(connection, limit, subject)
            values = {
                "limit": limit.name,
                "subject": _hashed(self._key, subject),
                "more": before + 1,
                "until": ends_at or now + limit.window,
                "now": now,
                # Beyond one too many, counting on tells nothing more.
                "enough": most + 1,
            }
            times, ends_at = (await connection.execute(_COUNT, values)).one()
        return ends_at - now if times > most else _NO_WAIT

    async def _counted_before(
        self, connection: AsyncConnection, limit: Limit, subject: str
    ) -> tuple[int, datetime | None]:
        """Take what an older key counted in a window that is still open."""
        if not self._older_keys:
            return 0, None
        moved = await connection.execute(_MOVE, _named(limit, subject, self._older_keys))
        rows = moved.all()
        still_open = [row for row in rows if row.ends_at > self._clock.now()]
        return sum(row.times for row in still_open), max((row.ends_at for row in still_open), default=None)

    async def forget(self, limit: Limit, subject: str) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(_FORGET, _named(limit, subject, (self._key, *self._older_keys)))


def _named(limit: Limit, subject: str, keys: Sequence[bytes]) -> dict[str, object]:
    return {"limit": limit.name, "subjects": [_hashed(key, subject) for key in keys]}


def _hashed(key: bytes, subject: str) -> bytes:
    return hmac.new(key, subject.encode(errors="replace"), hashlib.sha256).digest()


class NoLimits:
    """Where MIPRES_RATE_LIMITS is off.

    Benchmarks, and tests that send everything from one address.
    """

    async def take(self, _limit: Limit, _subject: str) -> timedelta:
        return _NO_WAIT

    async def forget(self, _limit: Limit, _subject: str) -> None:
        return
