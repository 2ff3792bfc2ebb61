"""The ended logins that applications do not know to be over, in PostgreSQL."""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, Date, cast, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.access import ending_logins
from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import reading_factory, session_factory
from mipres.database.grants import REFRESH_LIFETIME
from mipres.database.retention import OIDC_TOKENS
from mipres.database.tables import OidcGrantRow, ProfileRow
from mipres.domain.audit import PRODUCT, AuditEvent, AuditEventType
from mipres.domain.clients import EndedLogin, LogoutAnswer
from mipres.domain.eligibility import BOGOTA, today_in_bogota
from mipres.ports import Clock

_LONGEST_LOGIN = REFRESH_LIFETIME + OIDC_TOKENS
"""No login is kept longer that shows no sign of life."""
_UNANNOUNCED = (OidcGrantRow.ended_at.is_not(None), OidcGrantRow.announced_at.is_(None))


class PostgresEndedLogins:
    """Implements ports.EndedLogins."""

    def __init__(self, engine: AsyncEngine, *, audit: PostgresAuditTrail, clock: Clock) -> None:
        self._sessions = session_factory(engine)
        self._reading = reading_factory(engine)
        self._audit, self._clock = audit, clock

    async def end_with_last_days(self) -> None:
        now = self._clock.now()
        today = today_in_bogota(now)
        entered_on = cast(func.timezone(BOGOTA.key, OidcGrantRow.created_at), Date)
        over = (
            ProfileRow.account_id == OidcGrantRow.account_id,
            # Who entered later did so by another profile.
            ProfileRow.ends_on >= entered_on,
            ProfileRow.ends_on < today,
            ProfileRow.ends_on >= today - _LONGEST_LOGIN,
        )
        async with self._sessions.begin() as session:
            await session.execute(ending_logins(*over, now=now))

    async def pass_over(self, *, silent: Collection[str]) -> None:
        # An application that never used its code has never heard of the session.
        unheard = or_(OidcGrantRow.client_id.in_(list(silent)), OidcGrantRow.code_used_at.is_(None))
        passing = update(OidcGrantRow).where(*_UNANNOUNCED, unheard)
        async with self._sessions.begin() as session:
            await session.execute(passing.values(announced_at=self._clock.now()))

    async def waiting(self, *, limit: int) -> Sequence[EndedLogin]:
        ended_at, tried_at = func.max(OidcGrantRow.ended_at), func.max(OidcGrantRow.tried_at)
        login = (OidcGrantRow.client_id, OidcGrantRow.account_id, OidcGrantRow.session_id)
        turn, age = (
            func.row_number().over(partition_by=OidcGrantRow.client_id, order_by=order)
            for order in ((tried_at.nulls_first(), ended_at.desc()), (ended_at,))
        )
        placed = (
            select(*login, ended_at.label("ended_at"), turn.label("turn"), age.label("age"))
            .where(*_UNANNOUNCED)
            .group_by(*login)
            .subquery()
        )
        first = (
            select(placed)
            .where(or_(placed.c.turn <= limit, placed.c.age <= limit))
            .order_by(placed.c.client_id, placed.c.turn)
        )
        async with self._reading() as session:
            return [
                EndedLogin(
                    client_id=row.client_id,
                    account_id=row.account_id,
                    session_id=row.session_id,
                    ended_at=row.ended_at,
                )
                for row in await session.execute(first)
            ]

    async def put_off(self, login: EndedLogin) -> None:
        putting_off = update(OidcGrantRow).where(*_UNANNOUNCED, *_of(login))
        async with self._sessions.begin() as session:
            await session.execute(putting_off.values(tried_at=self._clock.now()))

    async def settle(self, login: EndedLogin, answer: LogoutAnswer) -> None:
        settling = update(OidcGrantRow).where(*_UNANNOUNCED, *_of(login))
        async with self._sessions.begin() as session:
            await session.execute(settling.values(announced_at=self._clock.now()))
            if answer is not LogoutAnswer.ACCEPTED:
                await self._audit.record_in(
                    session,
                    AuditEvent(
                        type=AuditEventType.APPLICATION_LOGOUT_NOT_TAKEN,
                        actor=PRODUCT,
                        details={"application": login.client_id, "answer": answer.value},
                    ),
                )


def _of(login: EndedLogin) -> tuple[ColumnElement[bool], ...]:
    return (
        OidcGrantRow.client_id == login.client_id,
        OidcGrantRow.session_id == login.session_id,
        # What ended since the list was read has its own turn.
        OidcGrantRow.ended_at <= login.ended_at,
    )
