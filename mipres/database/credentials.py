"""Password hashes (argon2id, OWASP parameters) and the check at login."""

import asyncio
import os
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Generic, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.access import access_of
from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import reading_factory, session_factory
from mipres.database.lockouts import LoginLockouts, Turn
from mipres.database.tables import AccountRow, ProfileRow
from mipres.domain.access import Access
from mipres.domain.applications import Application
from mipres.domain.audit import CITIZEN, AuditEvent, AuditEventType
from mipres.domain.eligibility import today_in_bogota
from mipres.domain.lockout import Gate, Origin
from mipres.ports import Clock

# OWASP Password Storage: argon2id with 19 MiB, two passes, one lane.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
Row = TypeVar("Row")


@cache
def _decoy_of(parameters: PasswordHasher) -> str:
    """A hash whose password is not known.

    Verifying against it takes the same time as against a real hash, so an unknown login does not answer
    faster than a wrong password.
    """
    return parameters.hash(uuid.uuid4().hex)


class Hasher:
    """Hashes and verifies in threads, on all processors but one.

    The last one answers those who wait for no hash. More at once would only make every login wait
    longer, and keep memory for it.

    Args:
        parameters: What a new hash costs; tests of other things than the hash choose less.
    """

    def __init__(self, parameters: PasswordHasher = _HASHER) -> None:
        self._parameters = parameters
        self._slots = asyncio.Semaphore(max(1, (os.cpu_count() or 1) - 1))
        self._decoy = _decoy_of(parameters)

    async def hash(self, password: str) -> str:
        async with self._slots:
            return await asyncio.to_thread(self._parameters.hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Tell whether the password is right.

        Without a hash the answer is no, in the same time.
        """
        async with self._slots:
            matches = await asyncio.to_thread(_matches, password_hash or self._decoy, password)
        return matches and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._parameters.check_needs_rehash(password_hash)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt to log in.

    Attributes:
        guarded: The login under which failures are counted.
        origin: Where it was typed.
        is_human: Whether a captcha was solved for this attempt, or none is in use.
    """

    guarded: str
    password: str = field(repr=False)
    origin: Origin
    is_human: bool


@dataclass(frozen=True, kw_only=True)
class Judgement(Generic[Row]):
    """How an attempt came out.

    Attributes:
        turn: What the counts of failures say.
        row: The account of the login, right or wrong.
        verified_hash: What the password was right for; None for every failure alike.
    """

    turn: Turn
    row: Row | None = None
    verified_hash: str | None = field(default=None, repr=False)

    @property
    def is_unjudged(self) -> bool:
        """Whether the password was not looked at, for want of a solved captcha."""
        return self.turn.gate is Gate.CAPTCHA


class PasswordChecks:
    """Owns the order in which a login is judged, for citizens and support alike.

    It counts a failure before it looks at the password, takes one real hash whatever it knows of the login, and
    lifts the count only after the right password.
    """

    def __init__(self, *, hasher: Hasher, lockouts: LoginLockouts) -> None:
        self._hasher = hasher
        self._lockouts = lockouts

    async def judge(
        self, attempt: Attempt, look_up: Callable[[], Awaitable[tuple[Row | None, str | None]]]
    ) -> Judgement[Row]:
        """Judge an attempt.

        Args:
            attempt: What was typed, and where.
            look_up: Finds the account, and the hash that opens it; both None for an unknown login. It must
                have given its connection back when it returns.
        """
        turn = await self._lockouts.begin(attempt.guarded, attempt.origin, is_human=attempt.is_human)
        if turn.gate is Gate.CAPTCHA:
            return Judgement(turn=turn)
        row, password_hash = await look_up()
        # Outside the database session: who waits for a processor must not keep a connection.
        matches = await self._hasher.verify(password_hash, attempt.password)
        if turn.is_locked or not matches:
            return Judgement(turn=turn, row=row)
        await self._lockouts.lift(attempt.guarded)
        return Judgement(turn=turn, row=row, verified_hash=password_hash)


@dataclass(frozen=True, kw_only=True)
class Authenticated:
    """An account whose password was right, and what it opens today.

    Attributes:
        verified_hash: What the password was right for; a session opens only while it stands.
        joined_login: The login that replaced this one, where support joined the two accounts.
    """

    account_id: uuid.UUID
    verified_hash: str = field(repr=False)
    access: Access
    today: date
    joined_login: str | None = None

    @property
    def applications(self) -> frozenset[Application]:
        return self.access.applications(self.today)


@dataclass(frozen=True, kw_only=True)
class LoginResult:
    """How an attempt to log in came out.

    Attributes:
        account: None for every failure alike: a failure reveals nothing of the account.
        tell_lock: The login has just been locked, and its person, if any, should know.
        is_closed: No password is checked any more until another one is set.
        is_unjudged: The password was not looked at, for want of a solved captcha.
        asks_captcha: The next attempt needs one.
    """

    account: Authenticated | None
    tell_lock: bool = False
    is_closed: bool = False
    is_unjudged: bool = False
    asks_captcha: bool = False


class PostgresCredentials:
    """Checks a login and its password, counts failures, and records both.

    Unknown login, wrong password, no password yet, and a locked login whose password is right: each takes
    the same statements and one real hash, so that neither answer nor time tells them apart.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        hasher: Hasher,
        lockouts: LoginLockouts,
        audit: PostgresAuditTrail,
        clock: Clock,
    ) -> None:
        self._sessions = session_factory(engine)
        self._reading = reading_factory(engine)
        self._hasher = hasher
        self._checks = PasswordChecks(hasher=hasher, lockouts=lockouts)
        self._audit = audit
        self._clock = clock

    async def authenticate(
        self, login: str, password: str, wanted: Application, *, origin: Origin, is_human: bool = False
    ) -> LoginResult:
        """Judge an attempt to enter, or the password of a person who is in.

        Its success is written down with the session that it opens.

        Args:
            login: What was typed.
            password: What was typed.
            wanted: The application to enter.
            origin: Where it was typed.
            is_human: Whether a captcha was solved for this attempt, or none is in use.
        """
        attempt = Attempt(guarded=login, password=password, origin=origin, is_human=is_human)
        judged = await self._checks.judge(attempt, lambda: self._look_up(login))
        turn = judged.turn
        if judged.is_unjudged:
            return LoginResult(account=None, is_unjudged=True, asks_captcha=True)
        if judged.row is None or judged.verified_hash is None:
            cause = turn.gate.value if turn.is_locked else "wrong_credentials"
            failure = AuditEventType.LOGIN_LOCKED if turn.locks else AuditEventType.LOGIN_FAILED
            await self._record(failure, login, wanted, cause)
            return LoginResult(
                account=None,
                tell_lock=turn.is_worth_telling,
                is_closed=turn.gate is Gate.CLOSED,
                asks_captcha=turn.asks_captcha,
            )
        standing = await self._renewed_hash(judged.row.id, password, old=judged.verified_hash)
        account = await self._opened(judged.row, verified_hash=standing)
        if wanted not in account.applications:
            await self._record(AuditEventType.LOGIN_FAILED, login, wanted, "password_right")
        return LoginResult(account=account)

    async def known(self, account_id: uuid.UUID) -> Authenticated | None:
        """What an account opens whose owner was recognised by a passkey.

        None without a password: such an account opens nothing.
        """
        async with self._reading() as session:
            account = await session.get(AccountRow, account_id)
        if account is None or account.password_hash is None:
            return None
        return await self._opened(account, verified_hash=account.password_hash)

    async def _record(self, event: AuditEventType, login: str, wanted: Application, cause: str) -> None:
        # Half a character of a broken form is no text that can be hashed.
        login = login.encode(errors="replace").decode()
        details = {"application": wanted.value, "cause": cause}
        await self._audit.record(AuditEvent(type=event, actor=CITIZEN, login=login, details=details))

    async def _look_up(self, login: str) -> tuple[AccountRow | None, str | None]:
        # PostgreSQL takes no NUL in a text, and no login has anything but letters and digits.
        if not (login.isascii() and login.isalnum()):
            return None, None
        async with self._reading() as session:
            found: AccountRow | None = await session.scalar(
                select(AccountRow).where(AccountRow.login == login)
            )
        return found, found.password_hash if found else None

    async def _opened(self, account: AccountRow, *, verified_hash: str) -> Authenticated:
        own = select(ProfileRow).where(ProfileRow.account_id == account.id)
        async with self._reading() as session:
            profiles = list(await session.scalars(own))
            successor = await session.scalar(
                select(AccountRow.login).where(AccountRow.id == account.joined_to)
            )
        return Authenticated(
            account_id=account.id,
            verified_hash=verified_hash,
            access=access_of(account, profiles),
            today=today_in_bogota(self._clock.now()),
            joined_login=successor,
        )

    async def _renewed_hash(self, account_id: uuid.UUID, password: str, *, old: str) -> str:
        """Return the hash that the password is right for, of today's parameters."""
        if not self._hasher.is_outdated(old):
            return old
        better = await self._hasher.hash(password)
        # Only over the hash that was verified: the person may be changing the password right now.
        same = (AccountRow.id == account_id, AccountRow.password_hash == old)
        renewing = update(AccountRow).where(*same)
        values = {"password_hash": better, "password_rehashed_at": self._clock.now()}
        async with self._sessions.begin() as session:
            if (await session.execute(renewing.values(values))).rowcount:
                return better
            standing = await session.scalar(
                select(AccountRow.password_hash).where(AccountRow.id == account_id)
            )
        # Another login with the same password came first.
        return standing if standing and await self._hasher.verify(standing, password) else old


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except VerificationError:
        return False
