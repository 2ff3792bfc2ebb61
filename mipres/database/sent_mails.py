"""Mails that went out, by key, so that two attempts send one mail."""

import logging

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.failures import DATABASE_ERRORS, database_fault
from mipres.database.tables import SentMailRow
from mipres.domain.mail import CLAIM_LIFETIME, HANDED_OVER_LIFETIME, MailClaim

log = logging.getLogger(__name__)


class PostgresSentMails:
    """Implements ports.SentMails.

    PostgreSQL's clock tells the age of a claim, the same for every worker. Each statement decides by itself
    and is its own transaction.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")

    async def claim(self, key: str) -> MailClaim:
        now = func.clock_timestamp()
        fresh = insert(SentMailRow).values(key=key, claimed_at=now)
        was_left = SentMailRow.sent_at.is_(None) & (SentMailRow.claimed_at <= now - CLAIM_LIFETIME)
        claiming = fresh.on_conflict_do_update(
            index_elements=["key"], set_={"claimed_at": now}, where=was_left
        ).returning(SentMailRow.key)
        try:
            async with self._engine.connect() as connection:
                if (await connection.execute(claiming)).first() is not None:
                    return MailClaim.TAKEN
                held = select(SentMailRow.sent_at, SentMailRow.claimed_at > now).where(SentMailRow.key == key)
                found = (await connection.execute(held)).first()
                if found is None:
                    # The purge has removed it between the two statements; the next attempt claims it.
                    return MailClaim.BUSY
                sent_at, is_handed_over = found
                if sent_at is not None:
                    return MailClaim.SENT
                return MailClaim.HANDED_OVER if is_handed_over else MailClaim.BUSY
        except DATABASE_ERRORS as error:
            # Fails open: mails about an outage of the database must not wait for its end.
            log.warning("a mail goes out unclaimed: %s", database_fault(error))
            return MailClaim.TAKEN

    async def renew(self, key: str) -> None:
        await self._update(key, claimed_at=func.greatest(SentMailRow.claimed_at, func.clock_timestamp()))

    async def hold_for_hours(self, key: str) -> None:
        await self._update(key, claimed_at=func.clock_timestamp() + HANDED_OVER_LIFETIME)

    async def record_unknown_end(self, key: str) -> int:
        held = func.clock_timestamp() + HANDED_OVER_LIFETIME
        counting = insert(SentMailRow).values(key=key, claimed_at=held, unknown_ends=1)
        statement = counting.on_conflict_do_update(
            index_elements=["key"],
            set_={"claimed_at": held, "unknown_ends": SentMailRow.unknown_ends + 1},
        ).returning(SentMailRow.unknown_ends)
        try:
            async with self._engine.connect() as connection:
                return int((await connection.execute(statement)).scalar_one())
        except DATABASE_ERRORS as error:
            log.warning("an unknown end of a mail went unrecorded: %s", database_fault(error))
            return 1

    async def mark_sent(self, key: str) -> None:
        now = func.clock_timestamp()
        sent = insert(SentMailRow).values(key=key, claimed_at=now, sent_at=now)
        marking = sent.on_conflict_do_update(index_elements=["key"], set_={"sent_at": now})
        try:
            async with self._engine.connect() as connection:
                await connection.execute(marking)
        except DATABASE_ERRORS as error:
            # The mail is out: a failure here would send it again.
            log.warning("a mail went out unrecorded: %s", database_fault(error))

    async def release(self, key: str) -> None:
        await self._update(key, claimed_at=func.clock_timestamp() - CLAIM_LIFETIME)

    async def _update(self, key: str, **values: object) -> None:
        unsent = (SentMailRow.key == key, SentMailRow.sent_at.is_(None))
        try:
            async with self._engine.connect() as connection:
                await connection.execute(update(SentMailRow).where(*unsent).values(**values))
        except DATABASE_ERRORS as error:
            # The claim grows old by itself.
            log.warning("the claim of a mail stays as it was: %s", database_fault(error))
