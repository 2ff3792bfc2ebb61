"""The profiles that are held against their registries, in PostgreSQL."""

import uuid
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from mipres.database.access import Change, lift_registry_closing, note_change, profile_access
from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import reading_factory, session_factory
from mipres.database.link_statements import lock_account
from mipres.database.profiles import placement_values, profile_key, submission_of
from mipres.database.tables import AccountRow, ProfileRow
from mipres.domain.access import AccessCause, AccessChange
from mipres.domain.audit import PRODUCT, AuditEvent, AuditEventType
from mipres.domain.eligibility import today_in_bogota
from mipres.domain.review import DueProfile, Finding, ProfileUnderReview, registry_of
from mipres.domain.submissions import Submission, UserType
from mipres.ports import Clock


class PostgresReviewedProfiles:
    """Implements ports.ReviewedProfiles."""

    def __init__(self, engine: AsyncEngine, *, audit: PostgresAuditTrail, clock: Clock) -> None:
        self._sessions = session_factory(engine)
        self._reading = reading_factory(engine)
        self._audit = audit
        self._clock = clock

    async def due(
        self, *, every: timedelta, since: datetime, after: uuid.UUID | None, limit: int
    ) -> Sequence[DueProfile]:
        today = today_in_bogota(since)
        asked_at = func.coalesce(ProfileRow.reviewed_at, ProfileRow.updated_at)
        statement = (
            select(ProfileRow.id, ProfileRow.user_type)
            .join(AccountRow, AccountRow.id == ProfileRow.account_id)
            .where(
                AccountRow.password_hash.is_not(None),
                or_(ProfileRow.ended_at.is_(None), ProfileRow.review_on.is_not(None)),
                or_(
                    asked_at <= since - every,
                    ProfileRow.review_on <= today,
                    and_(ProfileRow.ends_on < today, ProfileRow.ended_at.is_(None)),
                ),
                or_(ProfileRow.reviewed_at.is_(None), ProfileRow.reviewed_at < since),
            )
            .order_by(ProfileRow.id)
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(ProfileRow.id > after)
        async with self._reading() as session:
            return [
                DueProfile(profile_id=row.id, registry=registry_of(UserType(row.user_type)))
                for row in await session.execute(statement)
            ]

    async def find(
        self, profile_id: uuid.UUID, *, since: datetime | None = None
    ) -> ProfileUnderReview | None:
        statement = select(AccountRow, ProfileRow).join(ProfileRow, ProfileRow.account_id == AccountRow.id)
        async with self._reading() as session:
            row = (await session.execute(statement.where(ProfileRow.id == profile_id))).first()
        if row is None:
            return None
        account, profile = row
        return None if _has_news(profile, since) else _under_review(account, profile)

    async def find_submitted(self, submission: Submission) -> ProfileUnderReview | None:
        wanted = (getattr(ProfileRow, name) == value for name, value in profile_key(submission).items())
        statement = (
            select(AccountRow, ProfileRow)
            .join(ProfileRow, ProfileRow.account_id == AccountRow.id)
            .where(AccountRow.login == submission.document.login, AccountRow.password_hash.is_not(None))
            .where(*wanted)
        )
        async with self._reading() as session:
            row = (await session.execute(statement)).first()
        return _under_review(*row) if row else None

    async def apply(self, profile_id: uuid.UUID, finding: Finding, *, since: datetime | None = None) -> bool:
        owner = select(ProfileRow.account_id).where(ProfileRow.id == profile_id)
        async with self._sessions.begin() as session:
            account_id = await session.scalar(owner)
            account = await lock_account(session, account_id) if account_id else None
            profile = await session.get(ProfileRow, profile_id, with_for_update=True) if account else None
            if account is None or profile is None or _has_news(profile, since):
                return False
            change = await self._write(session, profile, finding)
            if change is None:
                return False
            event = note_change(session, account, change, now=self._clock.now())
            await session.flush()
            await self._audit.record_in(session, event)
        return True

    async def make_due(self, profile_id: uuid.UUID) -> None:
        today = today_in_bogota(self._clock.now())
        marked = update(ProfileRow).where(ProfileRow.id == profile_id).values(review_on=today)
        async with self._sessions.begin() as session:
            await session.execute(marked)

    async def record_stopped(self, *, review: str, registry: str, looked: int, closing: int) -> None:
        event = AuditEvent(
            type=AuditEventType.REVIEW_STOPPED,
            actor=PRODUCT,
            details={"review": review, "registry": registry, "looked": looked, "closing": closing},
        )
        await self._audit.record_once(event)

    async def _write(self, session: AsyncSession, profile: ProfileRow, finding: Finding) -> Change | None:
        now = self._clock.now()
        before = _written(profile)
        site_before = (profile.site_code, profile.site_name, profile.starts_on, profile.ends_on)
        since = {"sanctioned": profile.sanctioned_at or now, "ended": profile.ended_at or now}
        lift_registry_closing(profile)
        if finding.cause is AccessCause.SANCTIONED:
            profile.sanctioned_at, profile.sanctioned_until = since["sanctioned"], finding.until
        elif finding.cause is not None:
            profile.ended_at, profile.ended_cause = since["ended"], finding.cause
        elif finding.placement is not None:
            for column, value in placement_values(finding.placement).items():
                setattr(profile, column, value)
        profile.reviewed_at, profile.review_on = now, finding.review_on
        await session.flush()
        moved = site_before != (profile.site_code, profile.site_name, profile.starts_on, profile.ends_on)
        kind = _kind(before, _written(profile), moved=moved)
        if kind is None:
            return None
        return Change(kind=kind, profile=profile, cause=finding.cause, until=finding.until)


def _has_news(profile: ProfileRow, since: datetime | None) -> bool:
    """Whether a registry has answered about a profile since then, or a join moved it."""
    moments = (profile.reviewed_at, profile.updated_at)
    return since is not None and any(moment and moment >= since for moment in moments)


def _written(profile: ProfileRow) -> tuple[AccessCause | None, date | None]:
    """What registries have said against a profile, whether or not its time is over."""
    if profile.ended_cause:
        return AccessCause(profile.ended_cause), None
    return (AccessCause.SANCTIONED, profile.sanctioned_until) if profile.sanctioned_at else (None, None)


def _kind(
    before: tuple[AccessCause | None, date | None],
    after: tuple[AccessCause | None, date | None],
    *,
    moved: bool,
) -> AccessChange | None:
    if before == after:
        return AccessChange.PLACEMENT_CHANGED if moved else None
    match after[0]:
        case None:
            return AccessChange.PROFILE_REINSTATED
        case AccessCause.SANCTIONED:
            return AccessChange.PROFILE_SUSPENDED
        case _:
            return AccessChange.PROFILE_ENDED


def _under_review(account: AccountRow, profile: ProfileRow) -> ProfileUnderReview:
    return ProfileUnderReview(
        profile_id=profile.id, submission=submission_of(account, profile), access=profile_access(profile)
    )
