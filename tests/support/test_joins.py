"""Two accounts of one person become one."""

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.accounts import AccountActivities, RecordRefusalInput
from activities.reviews import ProfileReviewer, ReviewOfOne
from mipres.database.access_notices import PostgresAccessNotices
from mipres.database.accounts import PostgresAccounts
from mipres.database.address_changes import PostgresAddressChanges
from mipres.database.audit import PostgresAuditTrail
from mipres.database.credentials import Hasher, PostgresCredentials
from mipres.database.lockouts import LoginLockouts
from mipres.database.password_links import PostgresPasswordLinks
from mipres.database.retention import PostgresRetention
from mipres.database.reviewed_profiles import PostgresReviewedProfiles
from mipres.database.sessions import PostgresSessions
from mipres.domain.access import AccessCause
from mipres.domain.address_changes import ChangeState
from mipres.domain.applications import Application
from mipres.domain.audit import operator
from mipres.domain.documents import parse_document
from mipres.domain.eligibility import EligibilityRules
from mipres.domain.errors import DocumentReplacedError, LinkNotUsableError
from mipres.domain.masking import mask_login
from mipres.domain.outcomes import Refusal
from mipres.domain.review import Finding
from mipres.support.accounts import Decision, DecisionRefusedError, SupportAccounts, UnknownAccountError
from mipres.support.joins import Joined, SupportJoins
from tests.database.registrations import DELEGATE, DOCTOR, registration
from tests.database.stored_accounts import RADICADO, give_password, issue, register
from tests.fakes import (
    HERE,
    FakeClock,
    FakeHealthTalentRegistry,
    FakeSocialSecurityRegistry,
    FakeSocialServiceRegistry,
)

ACTOR, REASON, PROOF = operator("ana"), "cambió de PT a cédula de ciudadanía", "SOL-2026-118"
OLD, NEW = parse_document("PT", "1234567"), parse_document("CC", "1020304050")
NEWEST, NEWEST_DOCTOR = parse_document("CE", "987654"), "RM-000000000004"
OLD_DOCTOR, OLD_DELEGATE = "RM-000000000002", "RM-000000000003"
PASSWORD, MIPRES = "Clave-larga-2027", Application.MIPRES


@pytest.fixture
def joins(
    engine: AsyncEngine, changes: PostgresAddressChanges, audit: PostgresAuditTrail, clock: FakeClock
) -> SupportJoins:
    return SupportJoins(engine, changes=changes, audit=audit, clock=clock)


@pytest.fixture
def reviewed(engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock) -> PostgresReviewedProfiles:
    return PostgresReviewedProfiles(engine, audit=audit, clock=clock)


@pytest.fixture
def decided(
    engine: AsyncEngine, lockouts: LoginLockouts, audit: PostgresAuditTrail, clock: FakeClock
) -> SupportAccounts:
    return SupportAccounts(engine, lockouts=lockouts, audit=audit, clock=clock)


@pytest.fixture
def sessions(engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock) -> PostgresSessions:
    return PostgresSessions(engine, audit=audit, clock=clock)


@pytest.fixture
def notices(engine: AsyncEngine, clock: FakeClock) -> PostgresAccessNotices:
    return PostgresAccessNotices(engine, clock=clock)


@pytest.fixture
def doors(
    engine: AsyncEngine, hasher: Hasher, lockouts: LoginLockouts, audit: PostgresAuditTrail, clock: FakeClock
) -> PostgresCredentials:
    return PostgresCredentials(engine, hasher=hasher, lockouts=lockouts, audit=audit, clock=clock)


@pytest.fixture
async def old_with_password(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, hasher: Hasher, old_id: uuid.UUID
) -> uuid.UUID:
    await give_password(accounts, links, old_id, await hasher.hash(PASSWORD))
    return old_id


@pytest.fixture
async def new_id(accounts: PostgresAccounts) -> uuid.UUID:
    return await register(accounts)


@pytest.fixture
async def new_with_password(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, new_id: uuid.UUID
) -> uuid.UUID:
    await give_password(accounts, links, new_id)
    return new_id


@pytest.fixture
async def old_id(accounts: PostgresAccounts) -> uuid.UUID:
    doctor, delegate = replace(DOCTOR, document=OLD), replace(DELEGATE, document=OLD)
    await accounts.register(registration(doctor, radicado=OLD_DOCTOR))
    return (await accounts.register(registration(delegate, radicado=OLD_DELEGATE))).account_id


async def joined(joins: SupportJoins, old: uuid.UUID, new: uuid.UUID) -> Joined:
    return await joins.join(old, new, reason=REASON, proof=PROOF, actor=ACTOR)


async def test_profiles_move_once_and_both_trails_and_both_addresses_learn_of_it(
    joins: SupportJoins,
    audit: PostgresAuditTrail,
    notices: PostgresAccessNotices,
    decided: SupportAccounts,
    old_id: uuid.UUID,
    new_id: uuid.UUID,
) -> None:
    done = await joined(joins, old_id, new_id)
    assert len(done.moved) == 1
    assert len(done.dropped) == 1
    assert len((await decided.show(new_id, actor=ACTOR)).profiles) == 2
    assert (await decided.show(old_id, actor=ACTOR)).profiles == ()
    for document, event in ((OLD, "account_replaced"), (NEW, "account_joined")):
        rows = [row for row in await audit.entries(login=document.login) if row.type == event]
        assert [(row.reason, row.details["proof"]) for row in rows] == [(REASON, PROOF)]
    waiting = await notices.waiting(limit=9)
    assert {notice.contact.login for notice in waiting} == {OLD.login, NEW.login}


async def test_the_old_login_tells_the_new_one_after_the_right_password_only(
    joins: SupportJoins,
    doors: PostgresCredentials,
    sessions: PostgresSessions,
    old_with_password: uuid.UUID,
    new_id: uuid.UUID,
) -> None:
    old_id = old_with_password
    before = (await doors.authenticate(OLD.login, PASSWORD, MIPRES, origin=HERE)).account
    assert before is not None
    token = await sessions.open(old_id, MIPRES, verified_hash=before.verified_hash)
    assert token is not None
    assert (await joined(joins, old_id, new_id)).sessions == 1
    assert await sessions.user_of(token, MIPRES) is None
    assert await sessions.open(old_id, MIPRES, verified_hash=before.verified_hash) is None
    assert (await doors.authenticate(OLD.login, "otra-clave-2027", MIPRES, origin=HERE)).account is None
    after = (await doors.authenticate(OLD.login, PASSWORD, MIPRES, origin=HERE)).account
    assert after is not None
    assert (after.joined_login, after.applications) == (NEW.login, frozenset())


async def test_the_old_document_registers_nothing_and_recovers_the_new_account(
    joins: SupportJoins, accounts: PostgresAccounts, old_id: uuid.UUID, new_id: uuid.UUID
) -> None:
    await joined(joins, old_id, new_id)
    with pytest.raises(DocumentReplacedError):
        await accounts.register(registration(replace(DOCTOR, document=OLD), radicado=OLD_DOCTOR))
    assert await accounts.find(OLD) == new_id


async def test_what_cannot_be_joined_is_refused(
    joins: SupportJoins, decided: SupportAccounts, old_id: uuid.UUID, new_id: uuid.UUID
) -> None:
    with pytest.raises(UnknownAccountError):
        await joined(joins, old_id, uuid.uuid4())
    with pytest.raises(DecisionRefusedError, match="misma cuenta"):
        await joined(joins, old_id, old_id)
    await decided.decide(Decision.SUSPEND, new_id, reason=REASON, actor=ACTOR)
    with pytest.raises(DecisionRefusedError, match="suspendida"):
        await joined(joins, old_id, new_id)


async def test_of_two_joins_in_opposite_directions_one_is_done(
    joins: SupportJoins, old_id: uuid.UUID, new_id: uuid.UUID
) -> None:
    both = await asyncio.gather(
        joined(joins, old_id, new_id), joined(joins, new_id, old_id), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in both) == ["DecisionRefusedError", "Joined"]


async def test_a_change_of_address_that_waits_for_the_old_account_ends(
    joins: SupportJoins,
    accounts: PostgresAccounts,
    changes: PostgresAddressChanges,
    audit: PostgresAuditTrail,
    old_with_password: uuid.UUID,
    new_id: uuid.UUID,
) -> None:
    change_id = await changes.note(old_with_password, "otra@ejemplo.test", document=OLD, reference=OLD_DOCTOR)
    assert change_id is not None
    waiting = await changes.prepare(change_id)
    assert waiting is not None
    await changes.mark_warned(change_id)
    await joined(joins, old_with_password, new_id)
    assert await changes.prepare(change_id) is None
    assert (await changes.view(waiting.token)).state is ChangeState.WITHDRAWN
    with pytest.raises(LinkNotUsableError):
        await changes.stop(waiting.token)
    assert "address_change_withdrawn" in [row.type for row in await audit.entries(login=OLD.login)]
    contact = await accounts.contact(old_with_password)
    assert contact is not None
    assert contact.email == waiting.old_address


async def test_a_change_that_was_due_is_applied_before_the_join(
    joins: SupportJoins,
    accounts: PostgresAccounts,
    changes: PostgresAddressChanges,
    clock: FakeClock,
    old_with_password: uuid.UUID,
    new_id: uuid.UUID,
) -> None:
    change_id = await changes.note(old_with_password, "otra@ejemplo.test", document=OLD, reference=OLD_DOCTOR)
    assert change_id is not None
    waiting = await changes.prepare(change_id)
    assert waiting is not None
    await changes.mark_warned(change_id)
    clock.advance(waiting.remaining)
    await joined(joins, old_with_password, new_id)
    assert (await changes.view(waiting.token)).state is ChangeState.APPLIED
    contact = await accounts.contact(old_with_password)
    assert contact is not None
    assert contact.email == waiting.new_address


@pytest.fixture
async def newest_id(accounts: PostgresAccounts) -> uuid.UUID:
    doctor = replace(DOCTOR, document=NEWEST)
    return (await accounts.register(registration(doctor, radicado=NEWEST_DOCTOR))).account_id


async def test_a_chain_of_documents_leads_to_the_last_from_each(
    joins: SupportJoins,
    doors: PostgresCredentials,
    accounts: PostgresAccounts,
    old_with_password: uuid.UUID,
    new_id: uuid.UUID,
    newest_id: uuid.UUID,
) -> None:
    await joined(joins, old_with_password, new_id)
    assert (await joined(joins, new_id, newest_id)).moved == (OLD_DELEGATE,)
    for document in (OLD, NEW, NEWEST):
        assert await accounts.find(document) == newest_id
    account = (await doors.authenticate(OLD.login, PASSWORD, MIPRES, origin=HERE)).account
    assert account is not None
    assert account.joined_login == NEWEST.login


async def test_of_two_equal_profiles_the_one_of_the_new_account_stays(
    joins: SupportJoins, decided: SupportAccounts, accounts: PostgresAccounts, new_id: uuid.UUID
) -> None:
    doctor = replace(DOCTOR, document=OLD)
    old_id = (await accounts.register(registration(doctor, radicado=OLD_DOCTOR))).account_id
    assert await joined(joins, old_id, new_id) == Joined(moved=(), dropped=(OLD_DOCTOR,), sessions=0)
    assert [row.radicado for row in (await decided.show(new_id, actor=ACTOR)).profiles] == [RADICADO]


@pytest.fixture
def retention(engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock) -> PostgresRetention:
    return PostgresRetention(engine, audit=audit, clock=clock)


async def test_the_purge_keeps_the_old_login_that_leads_to_the_new_one(
    joins: SupportJoins,
    accounts: PostgresAccounts,
    retention: PostgresRetention,
    clock: FakeClock,
    old_id: uuid.UUID,
    new_with_password: uuid.UUID,
) -> None:
    await joined(joins, old_id, new_with_password)
    clock.advance(timedelta(days=4000))
    await retention.purge()
    assert await accounts.find(OLD) == new_with_password


async def test_the_mails_and_the_page_name_the_other_login_masked(
    joins: SupportJoins,
    decided: SupportAccounts,
    notices: PostgresAccessNotices,
    old_id: uuid.UUID,
    new_id: uuid.UUID,
) -> None:
    await joins.join(old_id, new_id, reason=REASON, proof=PROOF, actor=ACTOR)
    remedies = {notice.contact.login: notice.words.remedy for notice in await notices.waiting(limit=10)}
    new_masked, old_masked = mask_login(NEW.login), mask_login(OLD.login)
    assert f"El usuario de su documento nuevo es {new_masked}." in remedies[OLD.login]
    assert f"El usuario de su documento anterior era {old_masked}." in remedies[NEW.login]
    for remedy in remedies.values():
        assert OLD.number not in remedy
        assert NEW.number not in remedy
    masked = await decided.show(old_id, actor=ACTOR)
    assert (masked.joined_to, masked.joined_login) == (new_id, new_masked)
    assert (await decided.show(old_id, actor=ACTOR, reason=REASON)).joined_login == NEW.login
    assert (await decided.show(new_id, actor=ACTOR)).joined_to is None


async def test_what_a_review_found_of_the_old_document_ends_nothing_of_the_new_account(
    joins: SupportJoins,
    accounts: PostgresAccounts,
    reviewed: PostgresReviewedProfiles,
    clock: FakeClock,
    old_with_password: uuid.UUID,
) -> None:
    new_id = (await accounts.register(registration(DELEGATE, radicado=NEWEST_DOCTOR))).account_id
    clock.advance(timedelta(days=7))
    since, ends = clock.now(), Finding(cause=AccessCause.NOT_IN_RETHUS)
    profile = await reviewed.find_submitted(replace(DOCTOR, document=OLD))
    assert profile is not None
    await joined(joins, old_with_password, new_id)
    clock.advance(timedelta(days=1))
    assert not await reviewed.apply(profile.profile_id, ends, since=since)
    # What ReTHUS says of the new document counts.
    assert await reviewed.apply(profile.profile_id, ends, since=clock.now())


async def test_a_refusal_of_the_new_document_reviews_a_profile_that_came_with_the_old_one(
    joins: SupportJoins,
    reviewed: PostgresReviewedProfiles,
    links: PostgresPasswordLinks,
    accounts: PostgresAccounts,
    clock: FakeClock,
    old_with_password: uuid.UUID,
) -> None:
    new_id = (await accounts.register(registration(DELEGATE, radicado=NEWEST_DOCTOR))).account_id
    await links.set_password((await issue(accounts, new_id, "enlace-2")).token, "hash")
    await joined(joins, old_with_password, new_id)
    reviewer = ProfileReviewer(
        people=FakeSocialSecurityRegistry(),
        talent=FakeHealthTalentRegistry(),
        placements=FakeSocialServiceRegistry(),
        clock=clock,
        rules=EligibilityRules(),
    )
    recorded = AccountActivities(
        accounts=accounts, reviews=ReviewOfOne(profiles=reviewed, reviewer=reviewer)
    ).record_refusal
    of_the_new = RecordRefusalInput(
        reference=RADICADO,
        document=NEW,
        refusal=Refusal.NOT_IN_RETHUS,
        run="run",
        submission=replace(DOCTOR, document=NEW),
    )
    await recorded(of_the_new)
    profile = await reviewed.find_submitted(DOCTOR)
    assert profile is not None
    assert profile.access.ended_cause is AccessCause.NOT_IN_RETHUS
