import asyncio
import uuid
from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, async_sessionmaker

from mipres.database.accounts import PostgresAccounts
from mipres.database.audit import PostgresAuditTrail
from mipres.database.lockouts import LoginLockouts
from mipres.database.password_links import PostgresPasswordLinks
from mipres.database.sessions import PostgresSessions
from mipres.database.tables import AccountRow, Base, ConsentRow, PasswordLinkRow, ProfileRow
from mipres.domain.accounts import AccountContact, FirstLink, IssuedLink, ProfileFacts
from mipres.domain.applications import Application
from mipres.domain.documents import parse_document
from mipres.domain.errors import LinkNotUsableError
from mipres.domain.links import ClosedLinks, LinkPurpose, LinkState, PasswordLink
from mipres.domain.people import Person
from mipres.domain.submissions import Entity, EntityKind, Regime, Submission, UserType
from mipres.keys import LinkTokens, _link_seal
from tests.database.registrations import (
    ANA,
    CONSENT,
    DELEGATE,
    DOCTOR,
    DOCTOR_FACTS,
    PLACEMENT,
    SOCIAL_SERVICE,
    registration,
)
from tests.database.stored_accounts import LIFETIME, RADICADO, give_password, issue, register
from tests.fakes import HERE, FakeClock
from tests.patience import PATIENCE_SECONDS

T = TypeVar("T")
SECOND = timedelta(seconds=1)
SECOND_RADICADO = "RM-000000000002"
RECOVERY = "RC-000000000001"


async def count(engine: AsyncEngine, table: type[Base]) -> int:
    async with engine.connect() as connection:
        return (await connection.execute(select(func.count()).select_from(table))).scalar_one()


async def rows(engine: AsyncEngine, table: type[Base]) -> list[Base]:
    async with async_sessionmaker(engine)() as session:
        return list(await session.scalars(select(table)))


async def only_account(engine: AsyncEngine) -> AccountRow:
    [row] = await rows(engine, AccountRow)
    assert isinstance(row, AccountRow)
    return row


async def profiles(engine: AsyncEngine) -> dict[str, ProfileRow]:
    return {row.entity_key or row.user_type: row for row in await rows(engine, ProfileRow)}  # type: ignore[attr-defined, misc]


async def contact(accounts: PostgresAccounts, account_id: uuid.UUID) -> AccountContact:
    found = await accounts.contact(account_id)
    assert found is not None
    return found


async def state_of(links: PostgresPasswordLinks, token: str) -> LinkState:
    return (await links.link(token)).state


# --- registering


async def test_the_same_registration_twice_is_one_account_with_one_profile(
    accounts: PostgresAccounts, engine: AsyncEngine
) -> None:
    first = await accounts.register(registration())
    second = await accounts.register(registration())

    assert first == second
    assert (first.login, first.email, first.has_password) == ("CC1020304050", ANA.email, False)
    assert [await count(engine, table) for table in (AccountRow, ProfileRow, ConsentRow)] == [1, 1, 1]


async def test_the_same_person_registered_at_once_many_times_is_one_account(
    accounts: PostgresAccounts, engine: AsyncEngine
) -> None:
    # Several people one after the other, because rivals do not meet in every round.
    for number in range(1000, 1020):
        submission = replace(DOCTOR, document=parse_document("CC", str(number)))
        same = registration(submission, radicado=f"RM-00000000{number}")
        results = await asyncio.gather(*(accounts.register(same) for _ in range(10)))
        assert len({result.account_id for result in results}) == 1

    assert [await count(engine, table) for table in (AccountRow, ProfileRow, ConsentRow)] == [20, 20, 20]


async def test_a_second_type_of_user_is_a_second_profile_of_the_same_account(
    accounts: PostgresAccounts, engine: AsyncEngine
) -> None:
    first = await accounts.register(registration())
    second = await accounts.register(registration(DELEGATE, radicado=SECOND_RADICADO))

    assert first.account_id == second.account_id
    assert set(await profiles(engine)) == {"professional", "IPS:900123456"}


async def test_every_entity_of_a_delegate_is_a_profile(
    accounts: PostgresAccounts, engine: AsyncEngine
) -> None:
    other = replace(DELEGATE, entity=Entity(kind=EntityKind.PROVIDER, department="05", municipality="05001"))
    await accounts.register(registration(DELEGATE, facts=ProfileFacts(entity_name="Clínica")))
    await accounts.register(registration(other, radicado=SECOND_RADICADO, facts=ProfileFacts()))

    stored = await profiles(engine)
    assert set(stored) == {"IPS:900123456", "PROVIDER:05001"}
    company, person = stored["IPS:900123456"], stored["PROVIDER:05001"]
    assert (company.entity_kind, company.entity_nit, company.entity_name) == ("IPS", "900123456", "Clínica")
    assert (person.entity_kind, person.entity_nit, person.municipality) == ("PROVIDER", None, "05001")


async def test_what_the_registries_said_is_kept_with_the_profile(
    accounts: PostgresAccounts, engine: AsyncEngine
) -> None:
    await accounts.register(registration(DOCTOR))
    await accounts.register(registration(SOCIAL_SERVICE, facts=ProfileFacts(placement=PLACEMENT)))

    stored = await profiles(engine)
    doctor, resident = stored["professional"], stored["social_service"]
    assert (doctor.profession_code, doctor.profession_name) == ("P07", "Medicina")
    assert doctor.professional_registration == "76-1234"
    assert (resident.site_code, resident.site_name) == (PLACEMENT.site_code, PLACEMENT.site_name)
    assert resident.site_municipality == "11001"
    assert (resident.starts_on, resident.ends_on) == (PLACEMENT.start, PLACEMENT.end)


async def test_a_later_registration_refreshes_the_data_and_leaves_the_password(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, engine: AsyncEngine, clock: FakeClock
) -> None:
    await give_password(accounts, links, await register(accounts), "the hash")
    created_at = (await only_account(engine)).created_at
    clock.advance(timedelta(days=400))
    moved = Person(given_names="Ana", surnames="Ruiz", email="ana@nuevo.test")
    facts = replace(DOCTOR_FACTS, professional_registration="76-9999")

    result = await accounts.register(registration(person=moved, facts=facts))

    assert result.has_password
    account = await only_account(engine)
    assert (account.given_names, account.surnames) == ("Ana", "Ruiz")
    # The address of an account in use waits.
    assert result.address_change is not None
    assert account.email == ANA.email
    assert (account.password_hash, account.created_at) == ("the hash", created_at)
    assert account.updated_at == clock.now()
    assert (await profiles(engine))["professional"].professional_registration == "76-9999"


async def test_every_acceptance_of_the_declaration_is_kept(
    accounts: PostgresAccounts, engine: AsyncEngine
) -> None:
    later = replace(CONSENT, accepted_at=CONSENT.accepted_at + SECOND, terms_version="2027-01", channel="api")
    await accounts.register(registration())
    await accounts.register(registration(consent=later))
    await accounts.register(registration())

    stored = [row for row in await rows(engine, ConsentRow) if isinstance(row, ConsentRow)]
    assert sorted((row.accepted_at, row.terms_version, row.channel) for row in stored) == [
        (CONSENT.accepted_at, "2025-03", "web"),
        (later.accepted_at, "2027-01", "api"),
    ]
    assert {row.terms_sha256 for row in stored} == {"0" * 64}


async def test_a_contact_is_found_by_account_and_an_account_by_document(
    accounts: PostgresAccounts, links: PostgresPasswordLinks
) -> None:
    account_id = await register(accounts)
    contact = await accounts.contact(account_id)
    assert contact is not None
    assert (contact.full_name, contact.email, contact.has_password) == (ANA.full_name, ANA.email, False)
    assert await accounts.find(DOCTOR.document) == account_id
    assert await accounts.find(parse_document("CC", "1020304051")) is None
    assert await accounts.find(parse_document("PA", "1020304050")) is None
    assert await accounts.contact(uuid.uuid4()) is None


# --- links


async def test_a_link_that_is_issued_again_by_its_key_is_the_same_with_a_new_lifetime(
    accounts: PostgresAccounts, engine: AsyncEngine, clock: FakeClock
) -> None:
    account_id = await register(accounts)
    first = await issue(accounts, account_id)
    clock.advance(timedelta(hours=5))
    second = await issue(accounts, account_id)

    assert second.token == first.token
    assert second.expires_at == clock.now() + LIFETIME
    assert await count(engine, PasswordLinkRow) == 1
    opened = await accounts.open_link(account_id, reference=RADICADO)
    assert opened == PasswordLink(token=second.token, expires_at=second.expires_at)


async def test_a_new_link_supersedes_the_old_one(
    accounts: PostgresAccounts, links: PostgresPasswordLinks
) -> None:
    account_id = await register(accounts)
    old = await issue(accounts, account_id, "enlace-1")
    new = await issue(accounts, account_id, "enlace-2")

    assert await state_of(links, old.token) is LinkState.SUPERSEDED
    assert await state_of(links, new.token) is LinkState.OPEN
    with pytest.raises(LinkNotUsableError):
        await links.set_password(old.token, "hash")
    assert await links.owner_of(old.token) is None


async def test_a_link_that_is_issued_again_after_another_took_its_place_can_be_used(
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
) -> None:
    # Its first mail failed, a recovery was asked for in between, and now the mail goes out at last.
    account_id = await register(accounts)
    await issue(accounts, account_id, "enlace-1")
    other = await issue(accounts, account_id, "r", reference=RECOVERY, purpose=LinkPurpose.RECOVER)
    again = await issue(accounts, account_id, "enlace-1")

    assert await state_of(links, other.token) is LinkState.SUPERSEDED
    assert await state_of(links, again.token) is LinkState.OPEN


WITH_A_LINK = replace(
    registration(radicado=RADICADO), first_link=FirstLink(issue_key="enlace-1", lifetime=LIFETIME)
)


async def test_a_new_account_gets_its_first_link_which_its_mail_begins_again_later(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, audit: PostgresAuditTrail, clock: FakeClock
) -> None:
    stored = await accounts.register(WITH_A_LINK)
    made = await accounts.open_link(stored.account_id, reference=RADICADO)
    assert made is not None
    # A minute is nothing beside the lifetime; after it the whole lifetime is still to come.
    clock.advance(timedelta(minutes=1))
    assert await issue(accounts, stored.account_id, "enlace-1") == IssuedLink(
        token=made.token, expires_at=made.expires_at, contact=await contact(accounts, stored.account_id)
    )
    clock.advance(SECOND)
    mailed = await issue(accounts, stored.account_id, "enlace-1")
    assert (mailed.token, mailed.expires_at) == (made.token, clock.now() + LIFETIME)
    assert await state_of(links, mailed.token) is LinkState.OPEN
    told = [entry.type for entry in await audit.entries(reference=RADICADO)]
    assert told == ["account_created", "link_issued"]


async def test_the_first_link_is_superseded_and_used_as_any_other(
    accounts: PostgresAccounts, links: PostgresPasswordLinks
) -> None:
    account_id = (await accounts.register(WITH_A_LINK)).account_id
    other = await issue(accounts, account_id, "enlace-2")
    first = await issue(accounts, account_id, "enlace-1")
    assert await state_of(links, other.token) is LinkState.SUPERSEDED
    await links.set_password(first.token, "hash")
    late = await accounts.issue_link(
        account_id, reference=RADICADO, purpose=LinkPurpose.CREATE, lifetime=LIFETIME, issue_key="enlace-1"
    )
    assert late is None


async def test_only_a_new_account_is_made_with_a_link(
    accounts: PostgresAccounts, audit: PostgresAuditTrail
) -> None:
    account_id = await register(accounts)
    later = replace(CONSENT, accepted_at=CONSENT.accepted_at + timedelta(days=1))
    await accounts.register(replace(WITH_A_LINK, consent=later))
    assert await accounts.open_link(account_id, reference=RADICADO) is None
    told = [entry.type for entry in await audit.entries(reference=RADICADO)]
    assert told == ["account_created", "account_updated"]


async def test_a_used_link_is_not_opened_again_by_a_late_second_mail(
    accounts: PostgresAccounts, links: PostgresPasswordLinks
) -> None:
    account_id = await register(accounts)
    await give_password(accounts, links, account_id)
    link = await issue(accounts, account_id, "r", reference=RECOVERY, purpose=LinkPurpose.RECOVER)
    await links.set_password(link.token, "hash")
    await accounts.issue_link(
        account_id, reference=RECOVERY, purpose=LinkPurpose.RECOVER, lifetime=LIFETIME, issue_key="r"
    )
    assert await state_of(links, link.token) is LinkState.USED


async def test_a_link_of_another_person_is_left_alone(
    accounts: PostgresAccounts, links: PostgresPasswordLinks
) -> None:
    other = replace(DOCTOR, document=parse_document("CC", "1020304051"))
    link = await issue(accounts, await register(accounts))
    other_id = (await accounts.register(registration(other, radicado=SECOND_RADICADO))).account_id
    await issue(accounts, other_id, "another", reference=SECOND_RADICADO)
    assert await state_of(links, link.token) is LinkState.OPEN


async def test_a_link_to_create_a_password_is_not_issued_where_there_is_one(
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
) -> None:
    account_id = await register(accounts)
    await give_password(accounts, links, account_id)
    link = await accounts.issue_link(
        account_id, reference=RADICADO, purpose=LinkPurpose.CREATE, lifetime=LIFETIME, issue_key="late"
    )
    assert link is None


async def test_an_account_that_is_not_there_gets_no_link(accounts: PostgresAccounts) -> None:
    link = await accounts.issue_link(
        uuid.uuid4(), reference=RADICADO, purpose=LinkPurpose.RECOVER, lifetime=LIFETIME, issue_key="none"
    )
    assert link is None


@pytest.mark.parametrize(
    ("age", "state"),
    [
        (timedelta(0), LinkState.OPEN),
        (LIFETIME - SECOND, LinkState.OPEN),
        (LIFETIME, LinkState.EXPIRED),
        (LIFETIME + SECOND, LinkState.EXPIRED),
    ],
)
async def test_a_link_can_be_used_until_its_time_is_over(
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    clock: FakeClock,
    engine: AsyncEngine,
    age: timedelta,
    state: LinkState,
) -> None:
    account_id = await register(accounts)
    link = await issue(accounts, account_id)
    clock.advance(age)

    assert await state_of(links, link.token) is state
    is_open = state is LinkState.OPEN
    assert (await accounts.open_link(account_id, reference=RADICADO) is not None) is is_open
    assert (await links.owner_of(link.token) is not None) is is_open
    if is_open:
        await links.set_password(link.token, "hash")
    else:
        with pytest.raises(LinkNotUsableError):
            await links.set_password(link.token, "hash")
    assert ((await only_account(engine)).password_hash == "hash") is is_open


async def test_a_link_tells_what_it_is_for(accounts: PostgresAccounts, links: PostgresPasswordLinks) -> None:
    account_id = await register(accounts)
    link = await links.link((await issue(accounts, account_id)).token)
    assert (link.purpose, link.reference, link.user_type) == (
        LinkPurpose.CREATE,
        RADICADO,
        UserType.PROFESSIONAL,
    )
    token = (await issue(accounts, account_id, "r", reference=RECOVERY, purpose=LinkPurpose.RECOVER)).token
    recovery = await links.link(token)
    assert (recovery.purpose, recovery.reference, recovery.user_type) == (
        LinkPurpose.RECOVER,
        RECOVERY,
        None,
    )


async def test_a_token_that_was_never_issued_is_unknown(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, engine: AsyncEngine
) -> None:
    genuine_but_gone = LinkTokens(b"k" * 32).token_of(uuid.uuid4())
    await issue(accounts, await register(accounts))
    for token in ("", "x", genuine_but_gone, "ñ" * 64):
        assert await state_of(links, token) is LinkState.UNKNOWN
        assert await links.owner_of(token) is None
        with pytest.raises(LinkNotUsableError):
            await links.set_password(token, "hash")
    assert (await only_account(engine)).password_hash is None


async def test_the_token_of_a_link_stands_nowhere_in_the_database(
    accounts: PostgresAccounts, engine: AsyncEngine
) -> None:
    account_id = await register(accounts)
    link = await issue(accounts, account_id)

    stored = await dump(engine)
    assert "ana.ruiz@ejemplo.test" in stored
    assert link.token not in stored
    # The secret half alone would do, in whatever form it is written.
    seal = _link_seal(b"k" * 32, (await link_id(engine)).bytes)
    assert seal.hex() not in stored
    assert link.token[22:] not in stored


async def link_id(engine: AsyncEngine) -> uuid.UUID:
    async with engine.connect() as connection:
        return (await connection.execute(select(PasswordLinkRow.id))).scalar_one()


async def dump(engine: AsyncEngine) -> str:
    """Every row of every table as PostgreSQL writes it."""
    async with engine.connect() as connection:
        tables = [
            await connection.execute(text(f'SELECT row_to_json(t)::text FROM "{name}" t'))
            for name in Base.metadata.tables
        ]
        return "\n".join(row for table in tables for row in table.scalars())


# --- setting the password


async def test_the_password_is_set_for_the_owner_of_the_link(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, engine: AsyncEngine, clock: FakeClock
) -> None:
    account_id = await register(accounts)
    await accounts.register(registration(DELEGATE, radicado=SECOND_RADICADO))
    link = await issue(accounts, account_id)
    clock.advance(timedelta(hours=1))

    seen = await links.owner_of(link.token)
    owner = await links.set_password(link.token, "hash")

    assert owner == seen
    assert (owner.account_id, owner.login, owner.full_name) == (account_id, "CC1020304050", ANA.full_name)
    assert (owner.purpose, owner.reference) == (LinkPurpose.CREATE, RADICADO)
    assert set(owner.radicados) == {RADICADO, SECOND_RADICADO}
    assert set(owner.applications) == set(Application)
    account = await only_account(engine)
    assert (account.password_hash, account.password_set_at) == ("hash", clock.now())
    contact = await accounts.contact(account_id)
    assert contact is not None
    assert contact.has_password


async def test_a_new_password_lifts_a_lock(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, lockouts: LoginLockouts
) -> None:
    account_id = await register(accounts)
    while not (await lockouts.begin(DOCTOR.document.login, HERE)).is_locked:
        pass
    await give_password(accounts, links, account_id, "first")
    assert not (await lockouts.begin(DOCTOR.document.login, HERE)).is_locked


async def test_a_used_link_still_tells_whose_it_was_and_since_when(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, clock: FakeClock
) -> None:
    token = await give_password(accounts, links, await register(accounts), "first")
    clock.advance(timedelta(seconds=3))
    assert await links.owner_of(token) is None
    owner = await links.owner_of(token, state=LinkState.USED)
    assert owner is not None
    assert (owner.login, owner.closed_for) == (DOCTOR.document.login, timedelta(seconds=3))


async def test_a_used_link_is_used_up(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, engine: AsyncEngine
) -> None:
    token = await give_password(accounts, links, await register(accounts), "first")
    assert await state_of(links, token) is LinkState.USED
    with pytest.raises(LinkNotUsableError):
        await links.set_password(token, "second")
    assert (await only_account(engine)).password_hash == "first"


async def test_of_fifty_who_use_a_link_at_once_one_succeeds(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, engine: AsyncEngine
) -> None:
    token = (await issue(accounts, await register(accounts))).token

    results = await asyncio.gather(
        *(links.set_password(token, f"hash-{number}") for number in range(50)), return_exceptions=True
    )

    winners = [number for number, result in enumerate(results) if not isinstance(result, BaseException)]
    assert len(winners) == 1
    assert {type(result) for result in results if isinstance(result, BaseException)} == {LinkNotUsableError}
    assert (await only_account(engine)).password_hash == f"hash-{winners[0]}"


async def test_a_new_password_ends_the_other_links_and_every_session(
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    audit: PostgresAuditTrail,
    engine: AsyncEngine,
    clock: FakeClock,
) -> None:
    sessions = PostgresSessions(engine, audit=audit, clock=clock)
    account_id = await register(accounts)
    await give_password(accounts, links, account_id)
    cookie = await sessions.open(account_id, Application.MIPRES, verified_hash="hash")
    link = await issue(accounts, account_id, "r", reference=RECOVERY, purpose=LinkPurpose.RECOVER)

    owner = await links.set_password(link.token, "new")

    assert await sessions.user_of(cookie or "", Application.MIPRES) is None
    assert await sessions.was_ended_by_new_password(cookie or "")
    assert (await only_account(engine)).password_hash == "new"
    assert owner.is_password_changed


async def test_a_first_password_changes_none_also_by_a_recovery(
    accounts: PostgresAccounts, links: PostgresPasswordLinks
) -> None:
    account_id = await register(accounts)
    link = await issue(accounts, account_id, "r", reference=RECOVERY, purpose=LinkPurpose.RECOVER)
    assert not (await links.set_password(link.token, "first")).is_password_changed
    contact = await accounts.contact(account_id)
    assert contact is not None
    assert not contact.is_password_changed


async def test_a_link_that_cannot_be_used_ends_no_session(
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    audit: PostgresAuditTrail,
    engine: AsyncEngine,
    clock: FakeClock,
) -> None:
    sessions = PostgresSessions(engine, audit=audit, clock=clock)
    account_id = await register(accounts)
    used = await give_password(accounts, links, account_id)
    cookie = await sessions.open(account_id, Application.MIPRES, verified_hash="hash")

    with pytest.raises(LinkNotUsableError):
        await links.set_password(used, "new")

    assert await sessions.user_of(cookie or "", Application.MIPRES) is not None
    assert not await sessions.was_ended_by_new_password(cookie or "")


# --- the end of a link's time


async def test_links_end_with_their_registration(
    accounts: PostgresAccounts, links: PostgresPasswordLinks
) -> None:
    account_id = await register(accounts)
    link = await issue(accounts, account_id)

    assert await accounts.expire_links(account_id, reference=RADICADO) == ClosedLinks()

    assert await state_of(links, link.token) is LinkState.EXPIRED
    assert await accounts.open_link(account_id, reference=RADICADO) is None
    with pytest.raises(LinkNotUsableError):
        await links.set_password(link.token, "hash")


async def test_ending_the_links_of_one_registration_leaves_those_of_another(
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
) -> None:
    account_id = await register(accounts)
    link = await issue(accounts, account_id, reference=SECOND_RADICADO)
    await accounts.expire_links(account_id, reference=RADICADO)
    assert await state_of(links, link.token) is LinkState.OPEN


async def test_whoever_ends_links_learns_that_the_password_exists(
    accounts: PostgresAccounts, links: PostgresPasswordLinks
) -> None:
    account_id = await register(accounts)
    token = await give_password(accounts, links, account_id)
    closed = await accounts.expire_links(account_id, reference=RADICADO)
    assert closed == ClosedLinks(password_set=True, was_used=True)
    assert await state_of(links, token) is LinkState.USED


async def test_whoever_ends_links_learns_whether_one_of_them_set_the_password(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, clock: FakeClock
) -> None:
    account_id = await register(accounts)
    await give_password(accounts, links, account_id)
    clock.advance(timedelta(days=1))
    await issue(accounts, account_id, "lost", reference=RECOVERY, purpose=LinkPurpose.RECOVER)
    unused = await accounts.expire_links(account_id, reference=RECOVERY)
    assert unused == ClosedLinks(password_set=True)
    link = await issue(accounts, account_id, "found", reference=RECOVERY, purpose=LinkPurpose.RECOVER)
    await links.set_password(link.token, "another hash")
    used = await accounts.expire_links(account_id, reference=RECOVERY)
    assert used == ClosedLinks(password_set=True, was_used=True)
    # The registration's own link set a password that is not in force any more.
    assert not (await accounts.expire_links(account_id, reference=RADICADO)).was_used


async def test_an_account_that_is_not_there_has_no_password(accounts: PostgresAccounts) -> None:
    assert await accounts.expire_links(uuid.uuid4(), reference=RADICADO) == ClosedLinks()


async def test_either_the_password_is_set_or_the_link_ends_and_both_sides_know(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, engine: AsyncEngine
) -> None:
    account_id = await register(accounts)
    for attempt in range(5):
        link = await issue(
            accounts, account_id, f"{attempt}", reference=RECOVERY, purpose=LinkPurpose.RECOVER
        )
        used, _ended = await asyncio.gather(
            links.set_password(link.token, f"hash-{attempt}"),
            accounts.expire_links(account_id, reference=RECOVERY),
            return_exceptions=True,
        )
        was_used = not isinstance(used, BaseException)
        assert ((await only_account(engine)).password_hash == f"hash-{attempt}") is was_used
        expected = LinkState.USED if was_used else LinkState.EXPIRED
        assert await state_of(links, link.token) is expected


async def test_who_ends_links_waits_for_a_password_that_is_just_being_set(
    accounts: PostgresAccounts, engine: AsyncEngine
) -> None:
    account_id = await register(accounts)
    ending = accounts.expire_links(account_id, reference=RADICADO)
    closed = await while_a_password_is_being_set(engine, ending)
    assert closed.password_set


async def test_who_issues_a_link_waits_for_a_password_that_is_just_being_set(
    accounts: PostgresAccounts, engine: AsyncEngine
) -> None:
    account_id = await register(accounts)
    issuing = accounts.issue_link(
        account_id, reference=RADICADO, purpose=LinkPurpose.CREATE, lifetime=LIFETIME, issue_key="late"
    )
    assert await while_a_password_is_being_set(engine, issuing) is None


async def while_a_password_is_being_set(engine: AsyncEngine, call: Coroutine[None, None, T]) -> T:
    """What the call says that began before the password's transaction had ended."""
    async with engine.connect() as rival, engine.connect() as observer:
        await rival.execute(text("UPDATE accounts SET password_hash = 'hash'"))
        task = asyncio.create_task(call)
        while not task.done() and not await somebody_waits(observer):
            pass
        await rival.commit()
    return await task


async def somebody_waits(observer: AsyncConnection) -> bool:
    waiting = await observer.execute(
        text(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
    )
    await observer.rollback()
    return bool(waiting.scalar_one())


async def test_rivals_never_wait_for_each_other_in_a_circle(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, engine: AsyncEngine
) -> None:
    account_id = await register(accounts)
    tokens = [(await issue(accounts, account_id, f"open-{number}")).token for number in range(5)]
    rivals = [
        *(issue(accounts, account_id, f"new-{n}", purpose=LinkPurpose.RECOVER) for n in range(10)),
        *(links.set_password(token, "hash") for token in tokens for _ in range(2)),
        *(accounts.expire_links(account_id, reference=RADICADO) for _ in range(10)),
        *(accounts.register(registration()) for _ in range(10)),
    ]
    async with asyncio.timeout(PATIENCE_SECONDS):
        results = await asyncio.gather(*rivals, return_exceptions=True)

    failures = {type(item) for item in results if isinstance(item, BaseException)}
    assert failures <= {LinkNotUsableError}
    open_links = [row for row in await rows(engine, PasswordLinkRow) if row.closed_at is None]  # type: ignore[attr-defined]
    assert len(open_links) <= 1


# --- taking a registration back


async def test_what_a_registration_made_is_taken_back(
    accounts: PostgresAccounts, engine: AsyncEngine
) -> None:
    await issue(accounts, await register(accounts))
    await accounts.discard(reference=RADICADO)
    await accounts.discard(reference=RADICADO)
    for table in (AccountRow, ProfileRow, PasswordLinkRow):
        assert await count(engine, table) == 0


async def test_taking_a_registration_back_leaves_the_other_profile_and_other_people(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, engine: AsyncEngine
) -> None:
    other = replace(DOCTOR, document=parse_document("CC", "1020304051"))
    await accounts.register(registration(other, radicado="RM-000000000003"))
    link = await issue(accounts, await register(accounts))
    await accounts.register(registration(DELEGATE, radicado=SECOND_RADICADO))

    await accounts.discard(reference=RADICADO)

    assert await count(engine, AccountRow) == 2
    assert set(await profiles(engine)) == {"professional", "IPS:900123456"}
    assert await state_of(links, link.token) is not LinkState.OPEN


async def test_an_account_that_is_in_use_is_never_taken_back(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, engine: AsyncEngine
) -> None:
    await give_password(accounts, links, await register(accounts))
    await accounts.discard(reference=RADICADO)
    assert (await only_account(engine)).password_hash == "hash"
    assert set(await profiles(engine)) == {"professional"}


async def test_an_account_whose_password_is_just_being_set_is_not_taken_back(
    accounts: PostgresAccounts, engine: AsyncEngine
) -> None:
    await register(accounts)
    await while_a_password_is_being_set(engine, accounts.discard(reference=RADICADO))
    assert (await only_account(engine)).password_hash == "hash"


async def test_an_error_of_the_database_repeats_no_personal_data(
    accounts: PostgresAccounts, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("DROP TABLE accounts CASCADE"))
    with pytest.raises(Exception, match="accounts") as caught:
        await accounts.register(registration())
    for secret in ("1020304050", "Ruiz", "ejemplo.test"):
        assert secret not in str(caught.value)


# ---- A new link for an expired one

NATURAL_PROVIDER = replace(
    DELEGATE, entity=Entity(kind=EntityKind.PROVIDER, department="11", municipality="11001")
)
EPS = replace(DELEGATE, entity=Entity(kind=EntityKind.EPS, regime=Regime.SUBSIDIADO, nit="900123456"))


@pytest.mark.parametrize("submission", [DOCTOR, DELEGATE, EPS, NATURAL_PROVIDER, SOCIAL_SERVICE])
async def test_an_expired_link_tells_what_was_submitted(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, clock: FakeClock, submission: Submission
) -> None:
    facts = DOCTOR_FACTS if submission is DOCTOR else ProfileFacts()
    stored = await accounts.register(registration(submission, radicado=RADICADO, facts=facts))
    token = (await issue(accounts, stored.account_id)).token
    assert await links.renewal_of(token) is None
    clock.advance(LIFETIME + SECOND)
    renewal = await links.renewal_of(token)
    assert renewal is not None
    assert (renewal.submission, renewal.consent) == (submission, CONSENT)
    assert renewal.link_id == (await links.link(token)).link_id


async def test_the_newest_declaration_counts(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, clock: FakeClock
) -> None:
    newer = replace(CONSENT, accepted_at=CONSENT.accepted_at + LIFETIME, terms_version="2027-01")
    await accounts.register(registration(radicado=RADICADO, consent=newer))
    token = (await issue(accounts, await register(accounts))).token
    clock.advance(LIFETIME + SECOND)
    renewal = await links.renewal_of(token)
    assert renewal is not None
    assert renewal.consent == newer


async def test_an_expired_link_is_renewed_once(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, clock: FakeClock
) -> None:
    token = (await issue(accounts, await register(accounts))).token
    clock.advance(LIFETIME + SECOND)
    await links.mark_renewed(token)
    assert await links.renewal_of(token) is None
    assert (await links.link(token)).state is LinkState.SUPERSEDED


async def test_only_what_expired_is_marked(accounts: PostgresAccounts, links: PostgresPasswordLinks) -> None:
    account_id = await register(accounts)
    opened = (await issue(accounts, account_id)).token
    await links.mark_renewed(opened)
    await links.mark_renewed("no-token-of-ours")
    assert (await links.link(opened)).state is LinkState.OPEN
    used = await give_password(accounts, links, account_id)
    await links.mark_renewed(used)
    assert (await links.link(used)).state is LinkState.USED


async def test_no_link_is_renewed_where_there_is_a_password(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, clock: FakeClock
) -> None:
    account_id = await register(accounts)
    token = (await issue(accounts, account_id)).token
    await accounts.expire_links(account_id, reference=RADICADO)
    recovery = await issue(accounts, account_id, "recuperar", reference=RECOVERY, purpose=LinkPurpose.RECOVER)
    assert await links.renewal_of(token) is not None
    await links.set_password(recovery.token, "hash")
    assert await links.renewal_of(token) is None


async def test_a_recovery_is_not_renewed(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, clock: FakeClock
) -> None:
    account_id = await register(accounts)
    link = await issue(accounts, account_id, reference=RECOVERY, purpose=LinkPurpose.RECOVER)
    clock.advance(LIFETIME + SECOND)
    assert await links.renewal_of(link.token) is None


async def test_nothing_is_renewed_whose_registration_was_taken_back(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, clock: FakeClock
) -> None:
    account_id = await register(accounts)
    await accounts.register(registration(DELEGATE, radicado=SECOND_RADICADO))
    token = (await issue(accounts, account_id)).token
    clock.advance(LIFETIME + SECOND)
    await accounts.discard(reference=RADICADO)
    assert await links.renewal_of(token) is None
