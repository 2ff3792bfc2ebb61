"""Logins between the right password and the second step.

The cookie carries a random value, the table its hash.
"""

import hashlib
import hmac
import uuid
from dataclasses import dataclass, field

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.engine import reading_factory, session_factory
from mipres.database.sessions import hashed, new_token
from mipres.database.tables import AccountRow, SecondStepRow
from mipres.domain.applications import Application
from mipres.domain.second_factor import SECOND_STEP_FOR
from mipres.ports import Clock


@dataclass(frozen=True, kw_only=True)
class SecondStep:
    """A login that waits for its second step.

    Attributes:
        verified_hash: What the password was right for.
    """

    account_id: uuid.UUID
    login: str
    verified_hash: str = field(repr=False)


class SecondSteps:
    """Begins, finds and ends them."""

    def __init__(self, engine: AsyncEngine, *, clock: Clock) -> None:
        self._sessions = session_factory(engine)
        self._reading = reading_factory(engine)
        self._clock = clock

    async def begin(self, account_id: uuid.UUID, application: Application, *, verified_hash: str) -> str:
        """Note that the password was right, and return the value of the cookie."""
        token = new_token()
        row = SecondStepRow(
            id_hash=hashed(token),
            account_id=account_id,
            application=application,
            password_seal=_seal(verified_hash),
            began_at=self._clock.now(),
        )
        async with self._sessions.begin() as session:
            session.add(row)
        return token

    async def of(self, token: str, application: Application) -> SecondStep | None:
        """The login of a cookie, while it stands; another password ends it."""
        which = (
            SecondStepRow.id_hash == hashed(token),
            SecondStepRow.application == application,
            SecondStepRow.began_at > self._clock.now() - SECOND_STEP_FOR,
        )
        statement = select(SecondStepRow, AccountRow).join(
            AccountRow, AccountRow.id == SecondStepRow.account_id
        )
        async with self._reading() as session:
            found = (await session.execute(statement.where(*which))).first()
        if found is None:
            return None
        step, account = found
        if not account.password_hash or not hmac.compare_digest(
            step.password_seal, _seal(account.password_hash)
        ):
            return None
        return SecondStep(account_id=account.id, login=account.login, verified_hash=account.password_hash)

    async def end(self, token: str) -> bool:
        """End it; whether it was there, so that of two answers only one opens a session."""
        ending = delete(SecondStepRow).where(SecondStepRow.id_hash == hashed(token))
        async with self._sessions.begin() as session:
            return bool((await session.execute(ending)).rowcount)


def _seal(password_hash: str) -> bytes:
    return hashlib.sha256(password_hash.encode()).digest()
