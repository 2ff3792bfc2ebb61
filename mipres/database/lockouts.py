"""Failed logins in a row, by login and by origin, and what follows from them."""

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import LargeBinary, any_, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from mipres.database.engine import session_factory
from mipres.database.tables import LoginGuardRow, LoginOriginRow
from mipres.domain.lockout import (
    FORGOTTEN_AFTER,
    NOTICE_PAUSE,
    STRANGERS_LIMIT,
    Gate,
    Origin,
    asks_captcha,
    is_closed,
    lock_after,
)
from mipres.ports import Clock

_HASHES = any_(bindparam("login_hashes", type_=ARRAY(LargeBinary)))
_LIFTED = (
    delete(LoginGuardRow)
    .where(LoginGuardRow.login_hash == _HASHES)
    .returning(LoginGuardRow.login_hash)
    .cte("lifted")
)
_HOW_MANY = select(func.count()).select_from(_LIFTED).scalar_subquery()
# The login first, as every attempt holds it first: the origins wait for the count.
_ORIGINS = (
    delete(LoginOriginRow)
    .where(LoginOriginRow.login_hash == _HASHES, _HOW_MANY >= 0)
    .returning(LoginOriginRow.origin_hash)
    .cte("origins")
)
_LIFT = select(_HOW_MANY).add_cte(_ORIGINS)
LIFTING = (_LIFTED, _ORIGINS)
"""What lifts the locks of a login, and of its origins, in a larger statement."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One attempt to log in.

    Attributes:
        gate: Unless it is open the attempt must fail, whatever the password.
        locks: If it fails, its origin is locked or the login closed from now on.
        is_worth_telling: No notice of a lock went to the person for a while.
        asks_captcha: This attempt, or the one after it, needs a solved captcha.
    """

    gate: Gate = Gate.OPEN
    locks: bool = False
    is_worth_telling: bool = False
    asks_captcha: bool = False

    @property
    def is_locked(self) -> bool:
        return self.gate is not Gate.OPEN


@dataclass(frozen=True, kw_only=True)
class LoginLock:
    """What keeps a login shut now.

    Attributes:
        failures: Failed attempts in a row, from everywhere.
        until: When the longest lock of a network or browser ends; None if there is none.
        is_closed: Whether only a new password or support opens the login in an unknown browser.
    """

    failures: int
    until: datetime | None
    is_closed: bool


class LoginLockouts:
    """Counts by what was typed, so that an unknown login is locked like any other.

    Only keyed hashes of the login, the network and the browser are stored.

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

    async def begin(self, login: str, origin: Origin, *, is_human: bool = False) -> Turn:
        """Count an attempt as failed before its password is looked at.

        A success lifts it again.

        Otherwise attempts of the same moment would all pass before the first of them had failed.

        Args:
            login: What was typed.
            origin: Where it was typed.
            is_human: Whether a captcha was solved for this attempt, or none is in use.
        """
        now = self._clock.now()
        async with self._sessions.begin() as session:
            await self._adopt(session, login, origin)
            guard, own = await self._held(session, login, origin, now)
            gate = _gate(guard, own, origin, now=now, is_human=is_human)
            if gate is Gate.OPEN:
                return _count(guard, own, origin, now)
            # Not counted: further attempts must not keep the person out for longer.
            return Turn(gate=gate, asks_captcha=asks_captcha(guard.failures, origin))

    async def lock_in(self, session: AsyncSession, login: str) -> LoginLock | None:
        """What keeps a login shut now, for support."""
        return (await self.locks_in(session, [login])).get(login)

    async def locks_in(self, session: AsyncSession, logins: Sequence[str]) -> dict[str, LoginLock]:
        """What keeps each of these logins shut now; those that are open are absent."""
        owners = {_hashed(key, login): login for login in logins for key in (self._key, *self._older_keys)}
        guards = select(LoginGuardRow.login_hash, LoginGuardRow.failures)
        locks = select(LoginOriginRow.login_hash, LoginOriginRow.locked_until)
        locks = locks.where(LoginOriginRow.locked_until > self._clock.now())
        failures, until = Counter[str](), dict[str, datetime]()
        for own, count in await session.execute(guards.where(LoginGuardRow.login_hash.in_(owners))):
            failures[owners[own]] += count
        for own, end in await session.execute(locks.where(LoginOriginRow.login_hash.in_(owners))):
            until[owners[own]] = max(filter(None, (end, until.get(owners[own]))))
        return {
            login: LoginLock(failures=failures[login], until=until.get(login), is_closed=is_closed)
            for login in logins
            if (is_closed := failures[login] >= STRANGERS_LIMIT) or login in until
        }

    async def lift(self, login: str) -> bool:
        """Begin again, after a success or by support; whether there was anything to lift."""
        async with self._sessions.begin() as session:
            return await self.lift_in(session, login)

    async def lift_in(self, session: AsyncSession, login: str) -> bool:
        """The same in the transaction of what is the reason for it."""
        return bool(await session.scalar(_LIFT, self.hashes_of(login)))

    def hashes_of(self, login: str) -> dict[str, object]:
        """The values of LIFTING for a login."""
        return {"login_hashes": [_hashed(key, login) for key in (self._key, *self._older_keys)]}

    async def _held(
        self, session: AsyncSession, login: str, origin: Origin, now: datetime
    ) -> tuple[LoginGuardRow, LoginOriginRow]:
        """Return the counts of the login and of the origin, and hold both rows."""
        key, own = _hashed(self._key, login), _hashed_origin(self._key, login, origin)
        fresh = insert(LoginGuardRow).values(login_hash=key, failures=0, failed_at=now)
        # An update that changes nothing holds the row.
        held = fresh.on_conflict_do_update(index_elements=["login_hash"], set_={"login_hash": key})
        guard = (await session.scalars(held.returning(LoginGuardRow))).one()
        first = insert(LoginOriginRow).values(origin_hash=own, login_hash=key, failures=0, failed_at=now)
        kept = first.on_conflict_do_update(index_elements=["origin_hash"], set_={"login_hash": key})
        return guard, (await session.scalars(kept.returning(LoginOriginRow))).one()

    async def _adopt(self, session: AsyncSession, login: str, origin: Origin) -> None:
        """Count on what an older key counted of this login and origin."""
        key, own = _hashed(self._key, login), _hashed_origin(self._key, login, origin)
        for older in self._older_keys:
            old_key, old_own = _hashed(older, login), _hashed_origin(older, login, origin)
            moved = delete(LoginGuardRow).where(LoginGuardRow.login_hash == old_key).returning(LoginGuardRow)
            for row in (await session.scalars(moved)).all():
                values = {**dict(_values(row)), "login_hash": key}
                await session.execute(insert(LoginGuardRow).values(values).on_conflict_do_nothing())
            renamed = update(LoginOriginRow).where(LoginOriginRow.origin_hash == old_own)
            await session.execute(renamed.values(origin_hash=own, login_hash=key))


def _values(row: LoginGuardRow) -> Iterator[tuple[str, object]]:
    for column in LoginGuardRow.__table__.columns:
        yield column.name, getattr(row, column.name)


def _hashed(key: bytes, login: str) -> bytes:
    # Capitals, so that `cc1` and `CC1` are one login here as they are at the door.
    return hmac.new(key, login.upper().encode(errors="replace"), hashlib.sha256).digest()


def _hashed_origin(key: bytes, login: str, origin: Origin) -> bytes:
    return hmac.new(_hashed(key, login), origin.counted_as.encode(), hashlib.sha256).digest()


def _gate(
    guard: LoginGuardRow, own: LoginOriginRow, origin: Origin, *, now: datetime, is_human: bool
) -> Gate:
    if is_closed(guard.failures, origin):
        return Gate.CLOSED
    if own.locked_until is not None and own.locked_until > now:
        return Gate.LOCKED
    if asks_captcha(guard.failures, origin) and not is_human:
        return Gate.CAPTCHA
    return Gate.OPEN


def _count(guard: LoginGuardRow, own: LoginOriginRow, origin: Origin, now: datetime) -> Turn:
    guard.failures += 1
    own.failures = 1 if own.failed_at <= now - FORGOTTEN_AFTER else own.failures + 1
    guard.failed_at = own.failed_at = now
    asks = asks_captcha(guard.failures, origin)
    if lock := lock_after(own.failures):
        own.locked_until = now + lock
    if not lock and not is_closed(guard.failures, origin):
        return Turn(asks_captcha=asks)
    is_worth_telling = guard.told_at is None or guard.told_at <= now - NOTICE_PAUSE
    if is_worth_telling:
        guard.told_at = now
    return Turn(locks=True, is_worth_telling=is_worth_telling, asks_captcha=asks)
