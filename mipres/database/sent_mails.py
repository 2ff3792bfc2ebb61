"""Mails that went out, by key, so that two attempts send one mail."""

import logging
from typing import Final

from sqlalchemy import Update, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.engine import run_alone
from mipres.database.failures import DATABASE_ERRORS, database_fault
from mipres.database.tables import SentMailRow, table_of
from mipres.domain.mail import CLAIM_LIFETIME, HANDED_OVER_LIFETIME, MailClaim

log = logging.getLogger(__name__)

# Each statement is written once and not at each mail, which would take longer than to send it to the database.
_MAILS: Final = table_of(SentMailRow)
_THE_MAIL: Final = _MAILS.c.key == bindparam("mail")
_NOW: Final = func.clock_timestamp()
_WAS_LEFT: Final = _MAILS.c.sent_at.is_(None) & (_MAILS.c.claimed_at <= _NOW - CLAIM_LIFETIME)
_FRESH: Final = insert(_MAILS).values(key=bindparam("mail"), claimed_at=_NOW)
_CLAIM: Final = _FRESH.on_conflict_do_update(
    index_elements=["key"], set_={"claimed_at": _NOW}, where=_WAS_LEFT
).returning(_MAILS.c.key)
_STATE: Final = select(_MAILS.c.sent_at, _MAILS.c.claimed_at > _NOW).where(_THE_MAIL)
_MARK_SENT: Final = _FRESH.values(sent_at=_NOW).on_conflict_do_update(
    index_elements=["key"], set_={"sent_at": _NOW}
)
_FOR_HOURS: Final = _NOW + HANDED_OVER_LIFETIME
_COUNT_UNKNOWN_END: Final = (
    insert(_MAILS)
    .values(key=bindparam("mail"), claimed_at=_FOR_HOURS, unknown_ends=1)
    .on_conflict_do_update(
        index_elements=["key"],
        set_={"claimed_at": _FOR_HOURS, "unknown_ends": _MAILS.c.unknown_ends + 1},
    )
    .returning(_MAILS.c.unknown_ends)
)
_UNSENT: Final = update(_MAILS).where(_THE_MAIL, _MAILS.c.sent_at.is_(None))
_RENEW: Final = _UNSENT.values(claimed_at=func.greatest(_MAILS.c.claimed_at, _NOW))
_HOLD_FOR_HOURS: Final = _UNSENT.values(claimed_at=_FOR_HOURS)
_RELEASE: Final = _UNSENT.values(claimed_at=_NOW - CLAIM_LIFETIME)


class PostgresSentMails:
    """Implements ports.SentMails.

    PostgreSQL's clock tells the age of a claim, the same for every worker. Each statement decides by itself
    and is its own transaction.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def claim(self, key: str) -> MailClaim:
        mail = {"mail": key}
        try:
            if await run_alone(self._engine, _CLAIM, mail):
                return MailClaim.TAKEN
            found = await run_alone(self._engine, _STATE, mail)
        except DATABASE_ERRORS as error:
            # Fails open: mails about an outage of the database must not wait for its end.
            log.warning("a mail goes out unclaimed: %s", database_fault(error))
            return MailClaim.TAKEN
        if not found:
            # The purge has removed it between the two statements; the next attempt claims it.
            return MailClaim.BUSY
        [(sent_at, is_handed_over)] = found
        if sent_at is not None:
            return MailClaim.SENT
        return MailClaim.HANDED_OVER if is_handed_over else MailClaim.BUSY

    async def renew(self, key: str) -> None:
        await self._update(_RENEW, key)

    async def hold_for_hours(self, key: str) -> None:
        await self._update(_HOLD_FOR_HOURS, key)

    async def record_unknown_end(self, key: str) -> int:
        try:
            [counted] = await run_alone(self._engine, _COUNT_UNKNOWN_END, {"mail": key})
            return int(counted.unknown_ends)
        except DATABASE_ERRORS as error:
            log.warning("an unknown end of a mail went unrecorded: %s", database_fault(error))
            return 1

    async def mark_sent(self, key: str) -> None:
        try:
            await run_alone(self._engine, _MARK_SENT, {"mail": key})
        except DATABASE_ERRORS as error:
            # The mail is out: a failure here would send it again.
            log.warning("a mail went out unrecorded: %s", database_fault(error))

    async def release(self, key: str) -> None:
        await self._update(_RELEASE, key)

    async def _update(self, statement: Update, key: str) -> None:
        try:
            await run_alone(self._engine, statement, {"mail": key})
        except DATABASE_ERRORS as error:
            # The claim grows old by itself.
            log.warning("the claim of a mail stays as it was: %s", database_fault(error))
