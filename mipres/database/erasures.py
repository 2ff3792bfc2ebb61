"""Who was erased, and when: what was submitted before writes nothing any more.

A row is a keyed hash and a time. It names no one, and without the key it says nothing.
"""

import hashlib
import hmac
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from mipres.database.engine import reading_factory
from mipres.database.tables import ErasureRow
from mipres.domain.errors import PersonErasedError
from mipres.ports import Clock

_LOCK_BYTES = 8


class Erasures:
    """Tombstones of erased persons.

    Args:
        engine: The process's engine.
        key: Key of the hash of a login.
        clock: Time of an erasure, the same clock as that of submissions.
    """

    def __init__(self, engine: AsyncEngine, *, key: bytes, clock: Clock) -> None:
        self._reading = reading_factory(engine)
        self._key = key
        self._clock = clock

    async def record_in(self, session: AsyncSession, login: str) -> datetime:
        """Record an erasure beside the removal of the account; return its moment."""
        person = await self._hold(session, login)
        now = self._clock.now()
        fresh = insert(ErasureRow).values(person=person, erased_at=now)
        await session.execute(fresh.on_conflict_do_update(index_elements=["person"], set_={"erased_at": now}))
        return now

    async def admit_in(self, session: AsyncSession, login: str, *, submitted_at: datetime) -> None:
        """Hold the person until the transaction ends, so that no erasure comes between.

        Raises:
            PersonErasedError: the person was erased after the submission.
        """
        person = await self._hold(session, login)
        # A statement of its own: what an erasure wrote while this one waited has to be seen.
        if await session.scalar(_erasure_of(person, submitted_at)):
            raise PersonErasedError

    async def covers(self, login: str, *, submitted_at: datetime) -> bool:
        """Tell whether the person was erased after the submission."""
        async with self._reading() as session:
            found = await session.scalar(_erasure_of(self._hashed(login), submitted_at))
        return found is not None

    async def _hold(self, session: AsyncSession, login: str) -> bytes:
        """Take the person's lock: before the first row of a person there is none to lock."""
        person = self._hashed(login)
        number = int.from_bytes(person[:_LOCK_BYTES], signed=True)
        await session.execute(select(func.pg_advisory_xact_lock(number)))
        return person

    def _hashed(self, login: str) -> bytes:
        return hmac.new(self._key, login.encode(), hashlib.sha256).digest()


def _erasure_of(person: bytes, submitted_at: datetime) -> Select[datetime]:
    return select(ErasureRow.erased_at).where(
        ErasureRow.person == person, ErasureRow.erased_at >= submitted_at
    )
