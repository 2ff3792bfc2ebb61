"""Which profiles are due, and what a finding writes."""

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.access_notices import PostgresAccessNotices
from mipres.database.accounts import PostgresAccounts
from mipres.database.audit import PostgresAuditTrail
from mipres.database.password_links import PostgresPasswordLinks
from mipres.database.reviewed_profiles import PostgresReviewedProfiles
from mipres.domain.access import AccessCause
from mipres.domain.accounts import ProfileFacts
from mipres.domain.documents import parse_document
from mipres.domain.eligibility import today_in_bogota
from mipres.domain.review import Finding
from tests.database.registrations import (
    DELEGATE,
    DOCTOR,
    DOCTOR_FACTS,
    PLACEMENT,
    SOCIAL_SERVICE,
    registration,
)
from tests.database.stored_accounts import RADICADO, give_password, register
from tests.fakes import FakeClock

WEEK = timedelta(days=7)
ENDS = Finding(cause=AccessCause.NOT_IN_RETHUS)


@pytest.fixture
def reviewed(engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock) -> PostgresReviewedProfiles:
    return PostgresReviewedProfiles(engine, audit=audit, clock=clock)


@pytest.fixture
async def account_id(accounts: PostgresAccounts, links: PostgresPasswordLinks) -> uuid.UUID:
    account_id = await register(accounts)
    await give_password(accounts, links, account_id)
    return account_id


async def due(reviewed: PostgresReviewedProfiles, clock: FakeClock) -> list[uuid.UUID]:
    found = await reviewed.due(every=WEEK, since=clock.now(), after=None, limit=100)
    return [item.profile_id for item in found]


@pytest.mark.usefixtures("account_id")
async def test_a_profile_is_due_a_week_after_its_last_answer(
    reviewed: PostgresReviewedProfiles, accounts: PostgresAccounts, clock: FakeClock
) -> None:
    clock.advance(WEEK - timedelta(seconds=1))
    assert await due(reviewed, clock) == []
    clock.advance(timedelta(seconds=1))
    (profile_id,) = await due(reviewed, clock)
    assert not await reviewed.apply(profile_id, Finding())
    assert await due(reviewed, clock) == []
    clock.advance(WEEK)
    assert await due(reviewed, clock) == [profile_id]
    # A registration asks the registries too.
    await accounts.register(registration(radicado=RADICADO))
    assert await due(reviewed, clock) == []


async def test_an_account_without_a_password_is_not_in_use(
    reviewed: PostgresReviewedProfiles, accounts: PostgresAccounts, clock: FakeClock
) -> None:
    await register(accounts)
    clock.advance(2 * WEEK)
    assert await due(reviewed, clock) == []
    assert await reviewed.find_submitted(DOCTOR) is None


@pytest.mark.usefixtures("account_id")
async def test_what_has_ended_is_asked_about_only_on_a_day_that_is_known(
    reviewed: PostgresReviewedProfiles, clock: FakeClock
) -> None:
    clock.advance(WEEK)
    (profile_id,) = await due(reviewed, clock)
    assert await reviewed.apply(profile_id, ENDS)
    assert not await reviewed.apply(profile_id, ENDS)
    clock.advance(4 * WEEK)
    assert await due(reviewed, clock) == []
    await reviewed.make_due(profile_id)
    assert await due(reviewed, clock) == [profile_id]


@pytest.mark.usefixtures("account_id")
async def test_a_finding_that_was_held_gives_way_to_a_newer_answer(
    reviewed: PostgresReviewedProfiles, accounts: PostgresAccounts, clock: FakeClock
) -> None:
    clock.advance(WEEK)
    since = clock.now()
    (profile_id,) = await due(reviewed, clock)
    clock.advance(timedelta(days=2))
    # The registry has the person again, who registers while the review is stopped.
    await accounts.register(registration(radicado=RADICADO))
    assert not await reviewed.apply(profile_id, ENDS, since=since)
    profile = await reviewed.find(profile_id)
    assert profile is not None
    assert profile.access.ended_cause is None


async def test_pages_follow_one_on_the_other_and_leave_out_what_was_reviewed(
    reviewed: PostgresReviewedProfiles,
    accounts: PostgresAccounts,
    clock: FakeClock,
    account_id: uuid.UUID,
) -> None:
    facts = ProfileFacts(placement=PLACEMENT)
    await accounts.register(registration(SOCIAL_SERVICE, radicado="RM-000000000002", facts=facts))
    clock.advance(WEEK)
    since = clock.now()
    first, second = sorted(await due(reviewed, clock))
    page = await reviewed.due(every=WEEK, since=since, after=first, limit=1)
    assert [item.profile_id for item in page] == [second]
    assert page[0].registry.value in {"rethus", "sso"}
    await reviewed.apply(second, Finding(placement=PLACEMENT) if page[0].registry == "sso" else Finding())
    assert await reviewed.find(second, since=since) is None
    assert await reviewed.find(first, since=since) is not None
    assert account_id


@pytest.mark.usefixtures("account_id")
async def test_a_finding_about_a_profile_that_is_gone_changes_nothing(
    reviewed: PostgresReviewedProfiles, audit: PostgresAuditTrail
) -> None:
    before = len(await audit.entries())
    assert not await reviewed.apply(uuid.uuid4(), ENDS)
    assert await reviewed.find(uuid.uuid4()) is None
    assert len(await audit.entries()) == before


@pytest.mark.usefixtures("account_id")
async def test_a_stop_is_recorded_once_and_a_change_names_its_cause(
    reviewed: PostgresReviewedProfiles, audit: PostgresAuditTrail, engine: AsyncEngine, clock: FakeClock
) -> None:
    for _ in range(2):
        await reviewed.record_stopped(review="access-review-x", registry="rethus", looked=30, closing=30)
    assert [entry.type for entry in await audit.entries()].count("review_stopped") == 1
    profile = await reviewed.find_submitted(DOCTOR)
    assert profile is not None
    assert profile.submission.document == DOCTOR.document
    await reviewed.apply(profile.profile_id, ENDS)
    entry = (await audit.entries(reference=RADICADO))[-1]
    assert (entry.type, entry.actor) == ("profile_ended", "product")
    assert entry.details == {"user_type": "professional", "cause": "not_in_rethus"}
    (notice,) = await PostgresAccessNotices(engine, clock=clock).waiting(limit=9)
    assert "ya no figura en ReTHUS" in notice.words.title


@pytest.mark.usefixtures("account_id")
async def test_a_sanction_that_was_announced_is_asked_about_on_its_first_day(
    reviewed: PostgresReviewedProfiles, accounts: PostgresAccounts, clock: FakeClock
) -> None:
    first_day = today_in_bogota(clock.now()) + timedelta(days=3)
    announced = replace(DOCTOR_FACTS, review_on=first_day)
    await accounts.register(registration(radicado=RADICADO, facts=announced))
    clock.advance(timedelta(days=2))
    assert await due(reviewed, clock) == []
    clock.advance(timedelta(days=1))
    assert len(await due(reviewed, clock)) == 1
    # The registry has taken it back.
    await accounts.register(registration(radicado=RADICADO))
    assert await due(reviewed, clock) == []


@pytest.mark.usefixtures("account_id")
async def test_a_submission_finds_its_profile_by_the_document_and_what_was_typed(
    reviewed: PostgresReviewedProfiles,
) -> None:
    spelled = replace(DOCTOR, professional_registration="R.M. 76 1234")
    others = (
        replace(DOCTOR, professional_registration="76-9999"),
        replace(DOCTOR, document=parse_document("CE", "1020304")),
        SOCIAL_SERVICE,
        DELEGATE,
    )
    assert await reviewed.find_submitted(spelled) == await reviewed.find_submitted(DOCTOR)
    assert [await reviewed.find_submitted(other) for other in others] == [None] * len(others)


async def test_an_ended_placement_waits_for_its_next_one_without_a_question_a_night(
    reviewed: PostgresReviewedProfiles,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    clock: FakeClock,
) -> None:
    new = registration(SOCIAL_SERVICE, radicado=RADICADO, facts=ProfileFacts(placement=PLACEMENT))
    await give_password(accounts, links, (await accounts.register(new)).account_id)
    clock.time = datetime(2027, 6, 1, 5, 5, tzinfo=UTC)
    (profile_id,) = await due(reviewed, clock)
    over = Finding(cause=AccessCause.PLACEMENT_OVER, review_on=date(2027, 6, 5))
    await reviewed.apply(profile_id, over)
    due_on = []
    for _ in range(4):
        clock.advance(timedelta(days=1))
        due_on += [clock.now().day] * len(await due(reviewed, clock))
    assert due_on == [5]
