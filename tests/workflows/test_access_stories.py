"""The life of an access, night after night, over the real database."""

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.catalog import catalog
from mipres.database.access_notices import PostgresAccessNotices
from mipres.database.accounts import PostgresAccounts
from mipres.database.audit import PostgresAuditTrail
from mipres.database.password_links import PostgresPasswordLinks
from mipres.database.reviewed_profiles import PostgresReviewedProfiles
from mipres.database.sessions import LoggedInUser, PostgresSessions
from mipres.domain.access import AccessCause, AccessNotice
from mipres.domain.accounts import NewRegistration, ProfileFacts
from mipres.domain.applications import Application
from mipres.domain.documents import Document, parse_document
from mipres.domain.links import LinkPurpose
from mipres.domain.people import Delegation, EntityRecord, HealthProfessional, Profession, Sanction
from mipres.domain.review import Finding, ReviewStage
from mipres.domain.stages import REGISTRIES
from mipres.port_set import Ports
from mipres.temporal import names
from mipres.temporal.trust import TrustedPayloads
from tests.database.registrations import ANA, DELEGATE, DOCTOR, PLACEMENT, SOCIAL_SERVICE, registration
from tests.fakes import (
    FakeAccounts,
    FakeAddressChanges,
    FakeClock,
    FakeComposer,
    FakeEndedLogins,
    FakeFactorResets,
    FakeHealthTalentRegistry,
    FakeLogoutMessenger,
    FakeMailer,
    FakeRetention,
    FakeSentMails,
    FakeSocialSecurityRegistry,
    FakeSocialServiceRegistry,
)
from tests.patience import PATIENCE_SECONDS
from workflows import policies
from workflows.access_review import AccessReview
from workflows.review_contract import AccessReviewRequest, ReviewState
from workflows.workers import of_registrations

BOGOTA_NIGHT = datetime(2026, 11, 24, 5, 5, tzinfo=UTC)
DAY = timedelta(days=1)
MIPRES, ADMINISTRATION = Application.MIPRES, Application.ADMINISTRATION
MEDICINE = Profession(code="P07", name="Medicina", registration="76-1234")
IN_RETHUS = HealthProfessional(professions=(MEDICINE,))
_numbers = itertools.count(30_000_000)


@dataclass(kw_only=True)
class AnswersWhenLet(FakeHealthTalentRegistry):
    """Holds each answer while the gate is shut, and counts who was answered."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    answers_before_it_shuts: int = 10**9

    async def find_professional(self, document: Document) -> HealthProfessional | None:
        answer = await super().find_professional(document)
        if len(self.calls) > self.answers_before_it_shuts:
            await self.gate.wait()
        return answer


@dataclass(kw_only=True)
class Life:
    """The registries, the database and the nights on which a review runs."""

    env: WorkflowEnvironment
    clock: FakeClock
    accounts: PostgresAccounts
    links: PostgresPasswordLinks
    sessions: PostgresSessions
    audit: PostgresAuditTrail
    reviewed: PostgresReviewedProfiles
    notices: PostgresAccessNotices
    talent: AnswersWhenLet = field(default_factory=AnswersWhenLet)
    people: FakeSocialSecurityRegistry = field(default_factory=FakeSocialSecurityRegistry)
    placements: FakeSocialServiceRegistry = field(default_factory=FakeSocialServiceRegistry)

    def ports(self) -> Ports:
        return Ports(
            miseguridadsocial=self.people,
            rethus=self.talent,
            sso=self.placements,
            accounts=self.accounts,
            composer=FakeComposer(),
            mailer=FakeMailer(),
            sent_mails=FakeSentMails(),
            retention=FakeRetention(),
            access_notices=self.notices,
            ended_logins=FakeEndedLogins(),
            logout_messenger=FakeLogoutMessenger(),
            reviewed_profiles=self.reviewed,
            address_changes=FakeAddressChanges(accounts=FakeAccounts()),
            factor_resets=FakeFactorResets(clock=FakeClock()),
            clock=self.clock,
        )

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Workers of this life; they stop at once at the end, whatever is under way."""
        activities = catalog(self.ports())
        queues = {
            names.REGISTRATIONS_QUEUE: of_registrations(activities),
            **{names.registry_queue(name): getattr(activities, name) for name in REGISTRIES},
        }
        async with AsyncExitStack() as stack:
            for queue, served in queues.items():
                worker = Worker(
                    self.env.client,
                    task_queue=queue,
                    workflows=[AccessReview] if queue == names.REGISTRATIONS_QUEUE else [],
                    # The sandbox imports a copy of the policies, which no test can change.
                    workflow_runner=UnsandboxedWorkflowRunner(),
                    activities=served,
                    max_cached_workflows=0,
                    interceptors=[TrustedPayloads()],
                )
                await stack.enter_async_context(worker)
            yield

    async def registers(self, new: NewRegistration) -> uuid.UUID:
        """Register as a form does, and set the password the first time."""
        account = await self.accounts.register(new)
        if not account.has_password:
            link = await self.accounts.issue_link(
                account.account_id,
                reference=new.radicado,
                purpose=LinkPurpose.CREATE,
                lifetime=DAY,
                issue_key=str(account.account_id),
            )
            assert link is not None
            await self.links.set_password(link.token, "hash")
        return account.account_id

    async def enters(self, account_id: uuid.UUID, door: Application = MIPRES) -> LoggedInUser | None:
        token = await self.sessions.open(account_id, door, verified_hash="hash")
        return await self.sessions.user_of(token, door) if token else None

    async def night(self, day: int) -> ReviewState:
        """The review of one night, counted from the registration."""
        self.clock.time = BOGOTA_NIGHT + day * DAY
        state: ReviewState = await self.env.client.execute_workflow(
            AccessReview.run,
            AccessReviewRequest(days=7, guard_percent=2),
            id=f"{names.ACCESS_REVIEW_ID}-{uuid.uuid4()}",
            task_queue=names.REGISTRATIONS_QUEUE,
        )
        return state

    async def mails(self) -> list[AccessNotice]:
        """The mails to come, taken off their list."""
        waiting = list(await self.notices.waiting(limit=100))
        for notice in waiting:
            await self.notices.mark_mailed(notice.id)
        return waiting

    async def trail(self, login: str = "CC1020304050") -> list[str]:
        kept = ("profile_", "placement_", "account_s")
        return [entry.type for entry in await self.audit.entries(login=login) if entry.type.startswith(kept)]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pace has a test of its own."""
    monkeypatch.setattr(policies, "REVIEW_CALLS_PER_SECOND", 1000)


@pytest.fixture
async def life(
    temporal_env: WorkflowEnvironment,
    engine: AsyncEngine,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    audit: PostgresAuditTrail,
    clock: FakeClock,
) -> Life:
    clock.time = BOGOTA_NIGHT
    return Life(
        env=temporal_env,
        clock=clock,
        accounts=accounts,
        links=links,
        sessions=PostgresSessions(engine, audit=audit, clock=clock),
        audit=audit,
        reviewed=PostgresReviewedProfiles(engine, audit=audit, clock=clock),
        notices=PostgresAccessNotices(engine, clock=clock),
    )


# Most nights have nothing to ask.
NIGHTS = (1, 3, 6, 7, 8, 15, 39, 40, 41, 42, 48)


async def test_a_sanction_suspends_until_it_ends_and_reinstates_by_itself(life: Life) -> None:
    account_id = await life.registers(registration())
    document = DOCTOR.document
    life.talent.people[document] = IN_RETHUS
    start, end = date(2026, 11, 27), date(2027, 1, 3)
    sanctioned = replace(
        IN_RETHUS, sanctions=(Sanction(authority="Tribunal", kind="Suspensión", start=start, end=end),)
    )
    open_on = []
    async with life.working():
        for day in NIGHTS:
            if day == 3:
                life.talent.people[document] = sanctioned
            await life.night(day)
            if await life.enters(account_id):
                open_on.append(day)
    # Asked on day 7; the sanction's last day is day 40 of the calendar.
    assert open_on == [1, 3, 6, 41, 42, 48]
    assert life.talent.calls == [document] * len(life.talent.calls)
    assert len(life.talent.calls) == 5
    assert await life.trail() == ["profile_suspended", "profile_reinstated"]
    suspended, reinstated = await life.mails()
    assert ("sanción vigente" in suspended.words.title, suspended.until) == (True, end)
    assert "vuelve a estar vigente" in reinstated.words.title


async def test_a_placement_ends_at_midnight_with_an_open_session_and_a_new_one_opens(life: Life) -> None:
    facts = ProfileFacts(placement=PLACEMENT)
    account_id = await life.registers(registration(SOCIAL_SERVICE, facts=facts))
    life.placements.people[DOCTOR.document] = PLACEMENT
    midnight = datetime(2027, 6, 1, 5, tzinfo=UTC)
    life.clock.time = midnight - timedelta(seconds=1)
    token = await life.sessions.open(account_id, MIPRES, verified_hash="hash")
    assert token is not None
    assert await life.sessions.user_of(token, MIPRES) is not None
    life.clock.time = midnight
    assert await life.sessions.user_of(token, MIPRES) is None

    async with life.working():
        await life.night((date(2027, 6, 1) - BOGOTA_NIGHT.date()).days)
        assert await life.trail() == ["profile_ended"]
        assert [notice.words.title for notice in await life.mails()] == [
            "Este perfil terminó con su plaza de Servicio Social Obligatorio"
        ]
        # It counts for no guard, and the registry is not asked every night for a profile that has ended.
        calls = len(life.placements.calls)
        await life.night((date(2027, 6, 9) - BOGOTA_NIGHT.date()).days)
        assert len(life.placements.calls) == calls


async def test_a_new_placement_is_the_new_site(life: Life) -> None:
    account_id = await life.registers(registration(SOCIAL_SERVICE, facts=ProfileFacts(placement=PLACEMENT)))
    moved = replace(PLACEMENT, site_code="2", site_name="Hospital Nuevo", end=date(2027, 11, 30))
    life.placements.people[DOCTOR.document] = moved
    async with life.working():
        await life.night(7)
        user = await life.enters(account_id)
    assert user is not None
    assert [(profile.site_name, profile.ends_on) for profile in user.profiles] == [
        ("Hospital Nuevo", moved.end)
    ]
    assert await life.trail() == ["placement_changed"]


async def test_a_placement_that_is_prolonged_is_not_mailed_as_another_site(life: Life) -> None:
    await life.registers(registration(SOCIAL_SERVICE, facts=ProfileFacts(placement=PLACEMENT)))
    life.placements.people[DOCTOR.document] = replace(PLACEMENT, end=PLACEMENT.end + 30 * DAY)
    async with life.working():
        await life.night(7)
    (notice,) = await life.mails()
    assert notice.words.title.startswith("La sede o las fechas de su plaza")


async def test_a_placement_that_begins_later_opens_on_its_first_day(life: Life) -> None:
    account_id = await life.registers(registration(SOCIAL_SERVICE, facts=ProfileFacts(placement=PLACEMENT)))
    first = date(2027, 6, 5)
    life.placements.people[DOCTOR.document] = replace(
        PLACEMENT, site_name="Hospital Nuevo", start=first, end=date(2027, 11, 30)
    )
    async with life.working():
        for day in range(1, 9):
            await life.night((date(2027, 6, day) - BOGOTA_NIGHT.date()).days)
            assert (await life.enters(account_id) is not None) == (day >= first.day)
    assert await life.trail() == ["profile_ended", "profile_reinstated"]


async def test_a_delegation_that_is_withdrawn_ends_its_profile_alone(life: Life) -> None:
    account_id = await life.registers(registration())
    await life.registers(registration(DELEGATE, radicado="RM-000000000002"))
    life.talent.people[DOCTOR.document] = IN_RETHUS
    async with life.working():
        await life.night(7)
        assert await life.enters(account_id, ADMINISTRATION) is None
        assert await life.enters(account_id) is not None
        # The entity names the person again, and the person registers again.
        await life.registers(registration(DELEGATE, radicado="RM-000000000002"))
        assert await life.enters(account_id, ADMINISTRATION) is not None
        assert DELEGATE.entity is not None
        life.people.delegations[(DOCTOR.document, DELEGATE.entity.key)] = Delegation(
            person=ANA, entity=EntityRecord(nit="900123456", name="IPS", kind="IPS")
        )
        await life.night(15)
        assert await life.enters(account_id, ADMINISTRATION) is not None
    assert await life.trail() == ["profile_ended", "profile_reinstated"]


async def crowd(life: Life, number: int) -> list[uuid.UUID]:
    """Many physicians with a password, in ReTHUS."""
    ids = []
    for index in range(number):
        submission = replace(DOCTOR, document=parse_document("CC", str(next(_numbers))))
        life.talent.people[submission.document] = IN_RETHUS
        ids.append(await life.registers(registration(submission, radicado=f"RM-{index:012}")))
    return ids


async def test_a_registry_that_answers_404_for_everybody_locks_nobody_out(life: Life) -> None:
    everybody = await crowd(life, 21)
    life.talent.people.clear()
    async with life.working():
        life.clock.time = BOGOTA_NIGHT + 7 * DAY
        handle = await life.env.client.start_workflow(
            AccessReview.run,
            AccessReviewRequest(days=7, guard_percent=2),
            id=f"{names.ACCESS_REVIEW_ID}-{uuid.uuid4()}",
            task_queue=names.REGISTRATIONS_QUEUE,
        )
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await handle.query(AccessReview.progress)).stage is not ReviewStage.STOPPED:
                await asyncio.sleep(0.05)
        assert all([await life.enters(account_id) for account_id in everybody])
        await handle.execute_update("abandon", "ReTHUS perdió sus datos anoche")
        await handle.result()
        assert all([await life.enters(account_id) for account_id in everybody])
        # The data are back: the next night asks about everybody again.
        await crowd_returns(life)
        state = await life.night(8)
    assert state.tallies["rethus"].looked == 21
    assert all([await life.enters(account_id) for account_id in everybody])


async def crowd_returns(life: Life) -> None:
    for document in set(life.talent.calls):
        life.talent.people[document] = IN_RETHUS


async def under_way(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """Activities whose end the server has not heard of."""
    return [one.activity_id for one in (await handle.describe()).raw_description.pending_activities]


async def test_a_worker_that_dies_in_mid_review_has_nobody_asked_twice(life: Life) -> None:
    await crowd(life, 12)
    life.talent.answers_before_it_shuts = 5
    life.clock.time = BOGOTA_NIGHT + 7 * DAY
    async with life.working():
        handle = await life.env.client.start_workflow(
            AccessReview.run,
            AccessReviewRequest(days=7, guard_percent=2),
            id=f"{names.ACCESS_REVIEW_ID}-{uuid.uuid4()}",
            task_queue=names.REGISTRATIONS_QUEUE,
        )
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(life.talent.calls) < 10 or len(await under_way(handle)) > 5:
                await asyncio.sleep(0.02)
    answered, held = life.talent.calls[:5], life.talent.calls[5:]
    life.talent.answers_before_it_shuts = 10**9
    async with life.working():
        async with asyncio.timeout(PATIENCE_SECONDS):
            state: ReviewState = await handle.result()
    assert (state.stage, state.looked) == (ReviewStage.REVIEWED, 12)
    for document in answered:
        assert life.talent.calls.count(document) == 1
    # What had no answer yet is asked again, as it must be.
    for document in held:
        assert life.talent.calls.count(document) == 2


async def test_an_answer_that_was_under_way_gives_way_to_a_newer_one(life: Life) -> None:
    account_id = await life.registers(registration())
    life.talent.people[DOCTOR.document] = IN_RETHUS
    life.talent.answers_before_it_shuts = 0
    async with life.working():
        night = asyncio.create_task(life.night(7))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not life.talent.calls:
                await asyncio.sleep(0.02)
        # The person registers again meanwhile, is refused, and loses the profile.
        profile = await life.reviewed.find_submitted(DOCTOR)
        assert profile is not None
        assert await life.reviewed.apply(profile.profile_id, Finding(cause=AccessCause.NOT_IN_RETHUS))
        life.talent.gate.set()
        await night
    assert await life.enters(account_id) is None


async def test_registering_again_with_a_refusal_reviews_that_profile(life: Life) -> None:
    from activities.reviews import ProfileReviewer, ReviewOfOne
    from mipres.domain.eligibility import EligibilityRules

    account_id = await life.registers(registration())
    reviewer = ProfileReviewer(
        people=life.people,
        talent=life.talent,
        placements=life.placements,
        clock=life.clock,
        rules=EligibilityRules(),
    )
    one = ReviewOfOne(profiles=life.reviewed, reviewer=reviewer)
    # The person was refused by miseguridadsocial: ReTHUS still has the profession.
    life.talent.people[DOCTOR.document] = IN_RETHUS
    await one.of_submission(DOCTOR)
    assert await life.enters(account_id) is not None
    # The registry does not answer: nothing changes, and the next review asks.
    life.talent.down = True
    await one.of_submission(DOCTOR)
    assert await life.enters(account_id) is not None
    life.talent.down = False
    del life.talent.people[DOCTOR.document]
    async with life.working():
        life.clock.time += DAY
        await life.night(1)
    assert await life.enters(account_id) is None
    # Of another registration number there is no profile.
    asked = len(life.talent.calls)
    await one.of_submission(replace(DOCTOR, professional_registration="76-9999"))
    assert len(life.talent.calls) == asked
