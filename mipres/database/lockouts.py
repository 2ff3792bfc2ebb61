"""Failed logins in a row, by login, and the locks that follow from them."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from mipres.database.engine import session_factory
from mipres.database.tables import LoginGuardRow
from mipres.domain.lockout import FORGOTTEN_AFTER, NOTICE_PAUSE, lock_after
from mipres.ports import Clock


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One attempt to log in.

    Attributes:
        is_locked: It must fail, whatever the password.
        locks: If it fails, the login is locked from now on.
        is_worth_telling: No notice of a lock went to the person for a while.
    """

    is_locked: bool
    locks: bool = False
    is_worth_telling: bool = False


class LoginLockouts:
    """Counts by what was typed, so that an unknown login is locked like any other.

    Only a keyed hash of the login is stored.

    Args:
        engine: The process's engine.
        key: Hides the logins.
        clock: Says when a lock is over.
        older_keys: Hid the logins before a rotation; what they counted goes on.
    """

    def __init__(
        self, engine: AsyncEngine, *, key: bytes, clock: Clock, older_keys: Sequence[bytes] = ()
    ) -> None:
        self._sessions = session_factory(engine)
        self._key = key
        self._older_keys = tuple(older_keys)
        self._clock = clock

    async def begin(self, login: str) -> Turn:
        """Count an attempt as failed before its password is looked at.

        A success lifts it again.

        Otherwise attempts of the same moment would all pass before the first of them had failed.
        """
        now, key = self._clock.now(), _hashed(self._key, login)
        fresh = insert(LoginGuardRow).values(login_hash=key, failures=0, failed_at=now)
        # An update that changes nothing holds the row until the end of the transaction.
        held = fresh.on_conflict_do_update(index_elements=["login_hash"], set_={"login_hash": key})
        async with self._sessions.begin() as session:
            await self._adopt(session, login)
            guard = (await session.scalars(held.returning(LoginGuardRow))).one()
            if guard.locked_until is not None and guard.locked_until > now:
                # Not counted: further attempts must not keep the person out for longer.
                return Turn(is_locked=True)
            return _count(guard, now)

    async def lift(self, login: str) -> bool:
        """Begin again, after a success or by support; whether there was anything to lift."""
        async with self._sessions.begin() as session:
            return await self.lift_in(session, login)

    async def lift_in(self, session: AsyncSession, login: str) -> bool:
        """The same in the transaction of the password that is the reason for it."""
        hashes = [_hashed(key, login) for key in (self._key, *self._older_keys)]
        statement = delete(LoginGuardRow).where(LoginGuardRow.login_hash.in_(hashes))
        lifted = await session.execute(statement.returning(LoginGuardRow.login_hash))
        return lifted.first() is not None

    async def _adopt(self, session: AsyncSession, login: str) -> None:
        """Count on what an older key counted of this login."""
        for older in self._older_keys:
            moved = delete(LoginGuardRow).where(LoginGuardRow.login_hash == _hashed(older, login))
            for row in (await session.scalars(moved.returning(LoginGuardRow))).all():
                values = {
                    column.name: getattr(row, column.name) for column in LoginGuardRow.__table__.columns
                } | {"login_hash": _hashed(self._key, login)}
                await session.execute(insert(LoginGuardRow).values(values).on_conflict_do_nothing())


def _hashed(key: bytes, login: str) -> bytes:
    # Capitals, so that `cc1` and `CC1` are one login here as they are at the door.
    return hmac.new(key, login.upper().encode(errors="replace"), hashlib.sha256).digest()


def _count(guard: LoginGuardRow, now: datetime) -> Turn:
    guard.failures = 1 if guard.failed_at <= now - FORGOTTEN_AFTER else guard.failures + 1
    guard.failed_at = now
    lock = lock_after(guard.failures)
    if not lock:
        return Turn(is_locked=False)
    guard.locked_until = now + lock
    is_worth_telling = guard.told_at is None or guard.told_at <= now - NOTICE_PAUSE
    if is_worth_telling:
        guard.told_at = now
    return Turn(is_locked=False, locks=True, is_worth_telling=is_worth_telling)
