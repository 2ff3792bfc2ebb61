"""Password hashes (argon2id, OWASP parameters), made off the event loop, and the check at login."""

import asyncio
import os
import uuid
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.adapters.database import session_factory
from mipres.adapters.tables import AccountRow, ProfileRow
from mipres.domain.applications import Application, application_of
from mipres.domain.submissions import UserType

# OWASP Password Storage: argon2id with 19 MiB, two passes, one lane.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


class Hasher:
    """Hashes and verifies in threads, as many at once as there are processors.

    More would only make everybody wait longer, and keep memory for it.
    """

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(os.cpu_count() or 1)
        # Verifying against this takes the same time as against a real hash, so an unknown
        # login does not answer faster than a wrong password.
        self._decoy = _HASHER.hash(uuid.uuid4().hex)

    async def hash(self, password: str) -> str:
        async with self._slots:
            return await asyncio.to_thread(_HASHER.hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Tell whether the password is right; without a hash the answer is no, in the same time."""
        async with self._slots:
            matches = await asyncio.to_thread(_matches, password_hash or self._decoy, password)
        return matches and password_hash is not None


@dataclass(frozen=True, kw_only=True)
class Authenticated:
    """An account whose password was right, and the applications that it belongs to."""

    account_id: uuid.UUID
    applications: frozenset[Application]


class PostgresCredentials:
    """Checks a login and its password."""

    def __init__(self, engine: AsyncEngine, *, hasher: Hasher) -> None:
        self._sessions = session_factory(engine)
        self._hasher = hasher

    async def authenticate(self, login: str, password: str) -> Authenticated | None:
        """The account, or None: one answer for an unknown login, a wrong password and no password yet."""
        known_hash, account = await self._look_up(login)
        # Outside the database session: whoever waits for a processor must not keep a connection.
        return account if await self._hasher.verify(known_hash, password) else None

    async def _look_up(self, login: str) -> tuple[str | None, Authenticated | None]:
        # PostgreSQL takes no NUL in a text, and no login has anything but letters and digits.
        if not (login.isascii() and login.isalnum()):
            return None, None
        async with self._sessions() as session:
            account = await session.scalar(select(AccountRow).where(AccountRow.login == login))
            if account is None:
                return None, None
            types = await session.scalars(
                select(ProfileRow.user_type).where(ProfileRow.account_id == account.id)
            )
            applications = frozenset(application_of(UserType(item)) for item in types)
        return account.password_hash, Authenticated(account_id=account.id, applications=applications)


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except VerificationError:
        return False
