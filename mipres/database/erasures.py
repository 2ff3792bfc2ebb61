"""Who was erased, and when: what was submitted before writes nothing any more.

A row is a keyed hash and a time. It names no one, and without the key it says nothing.
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, LargeBinary, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from mipres.database.engine import Transaction, reading_factory
from mipres.database.tables import ErasureRow
from mipres.ports import Clock

_LOCK_BYTES = 8
_LOCK = select(func.pg_advisory_xact_lock(bindparam("number", type_=BigInteger)))
WAS_ERASED = (
    select(ErasureRow.erased_at)
    .where(
        ErasureRow.person == any_(bindparam("persons", type_=ARRAY(LargeBinary))),
        ErasureRow.erased_at >= bindparam("submitted_at"),
    )
    .exists()
)
"""Whether the person was erased after the submission of `Erasures.submission`."""


class Erasures:
    """Tombstones of erased persons.

    Args:
        engine: The process's engine.
        key: Key of the hash of a login.
        clock: Time of an erasure, the same clock as that of submissions.
        older_keys: Hashed logins before a rotation; those erasures hold on.
    """

    def __init__(
        self, engine: AsyncEngine, *, key: bytes, clock: Clock, older_keys: Sequence[bytes] = ()
    ) -> None:
        self._reading = reading_factory(engine)
        self._keys = (key, *older_keys)
        self._clock = clock

    async def record_in(self, session: AsyncSession, login: str) -> datetime:
        """Record an erasure beside the removal of the account; return its moment."""
        await self.hold_in(session, login)
        person, now = self._hashed(login)[0], self._clock.now()
        fresh = insert(ErasureRow).values(person=person, erased_at=now)
        await session.execute(fresh.on_conflict_do_update(index_elements=["person"], set_={"erased_at": now}))
        return now

    def submission(self, login: str, *, submitted_at: datetime) -> dict[str, object]:
        """The values of WAS_ERASED for a submission."""
        return {"persons": self._hashed(login), "submitted_at": submitted_at}

    async def covers(self, login: str, *, submitted_at: datetime) -> bool:
        """Tell whether the person was erased after the submission."""
        values = self.submission(login, submitted_at=submitted_at)
        async with self._reading() as session:
            return bool(await session.scalar(select(WAS_ERASED), values))

    async def hold_in(self, transaction: Transaction, login: str) -> None:
        """Hold the person until the transaction ends, so that no erasure comes between.

        Before the first row of a person there is none to lock. A later statement of the transaction sees what
        an erasure wrote while this one waited.
        """
        # In one order everywhere, because during a rotation another key is the first elsewhere.
        for number in sorted(
            int.from_bytes(hashed[:_LOCK_BYTES], signed=True) for hashed in self._hashed(login)
        ):
            await transaction.execute(_LOCK, {"number": number})

    def _hashed(self, login: str) -> list[bytes]:
        return [hmac.new(key, login.encode(), hashlib.sha256).digest() for key in self._keys]
