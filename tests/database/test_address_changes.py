"""A change of the address of an account in use waits, and its owner can stop it."""

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database import grants
from mipres.database.access_notices import PostgresAccessNotices
from mipres.database.accounts import PostgresAccounts
from mipres.database.address_changes import PostgresAddressChanges
from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import session_factory
from mipres.database.lockouts import LoginLockouts
from mipres.database.password_links import PostgresPasswordLinks
from mipres.database.tables import AccountRow, AddressChangeRow
from mipres.domain.accounts import NewRegistration
from mipres.domain.address_changes import ChangeState
from mipres.domain.audit import operator
from mipres.domain.documents import Document, DocumentType
from mipres.domain.errors import LinkNotUsableError
from mipres.domain.links import LinkPurpose, LinkState
from mipres.support.accounts import Decision, SupportAccounts
from mipres.support.records import SupportRecords
from tests.database.registrations import ANA, DOCTOR, registration
from tests.database.stored_accounts import LIFETIME, RADICADO, give_password, issue, register
from tests.fakes import FakeClock

WAIT = timedelta(hours=24)
RECOVERY = "RC-000000000001"
NEW = "otra@ejemplo.test"


def again(address: str = NEW) -> NewRegistration:
    return registration(radicado=RADICADO, person=replace(ANA, email=address))


async def in_use(accounts: PostgresAccounts, links: PostgresPasswordLinks) -> uuid.UUID:
    account_id = await register(accounts)
    await give_password(accounts, links, account_id)
    return account_id


async def recovery_link(accounts: PostgresAccounts, account_id: uuid.UUID, key: str) -> str | None:
    link = await accounts.issue_link(
        account_id, reference=RECOVERY, purpose=LinkPurpose.RECOVER, lifetime=LIFETIME, issue_key=key
    )
    return link.token if link else None


async def address_of(accounts: PostgresAccounts, account_id: uuid.UUID) -> str:
    contact = await accounts.contact(account_id)
    assert contact is not None
    return contact.email


async def warned(changes: PostgresAddressChanges, change_id: uuid.UUID | None) -> str:
    """Do what the step does that mails the warning; the token in it."""
    assert change_id is not None
    change = await changes.prepare(change_id)
    assert change is not None
    assert (change.old_address, change.new_address) == (ANA.email, NEW)
    await changes.mark_warned(change_id)
    return change.token


async def test_registering_again_with_another_address_closes_links_and_waits(
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    changes: PostgresAddressChanges,
    audit: PostgresAuditTrail,
    clock: FakeClock,
) -> None:
    account_id = await in_use(accounts, links)
    old_link = await recovery_link(accounts, account_id, "r1")
    change_id = (await accounts.register(again())).address_change
    assert (await accounts.register(again())).address_change == change_id
    assert await address_of(accounts, account_id) == ANA.email
    with pytest.raises(LinkNotUsableError):
        await links.set_password(old_link or "", "stolen")
    assert await recovery_link(accounts, account_id, "r2") is None
    # An attempt of the old mail's step opens its link no more either.
    assert await recovery_link(accounts, account_id, "r1") is None

    await warned(changes, change_id)
    clock.advance(WAIT)
    assert await address_of(accounts, account_id) == NEW
    assert await recovery_link(accounts, account_id, "r3") is not None
    recorded = [entry.type for entry in await audit.entries(login=DOCTOR.document.login)]
    assert recorded.count("address_change_found") == recorded.count("address_changed") == 1


async def test_the_wait_begins_when_the_old_address_is_warned(
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    changes: PostgresAddressChanges,
    clock: FakeClock,
) -> None:
    account_id = await in_use(accounts, links)
    change_id = (await accounts.register(again())).address_change
    clock.advance(WAIT * 3)
    assert await address_of(accounts, account_id) == ANA.email
    await warned(changes, change_id)
    clock.advance(WAIT - timedelta(seconds=1))
    # Asking again makes the wait no longer.
    await warned(changes, change_id)
    assert await changes.note(account_id, None, document=DOCTOR.document, reference=RECOVERY) == change_id
    clock.advance(timedelta(seconds=1))
    assert await changes.note(account_id, None, document=DOCTOR.document, reference=RECOVERY) is None
    assert await address_of(accounts, account_id) == NEW


async def test_the_person_stops_it_and_the_same_address_is_not_taken_again(
    engine: AsyncEngine,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    changes: PostgresAddressChanges,
    audit: PostgresAuditTrail,
    clock: FakeClock,
) -> None:
    account_id = await in_use(accounts, links)
    token = await warned(changes, (await accounts.register(again())).address_change)
    view = await changes.view(token)
    assert (view.state, view.login_hint) == (ChangeState.WAITING, "CC•••050")

    assert await changes.stop(token) == DOCTOR.document
    assert (await changes.view(token)).state is ChangeState.STOPPED
    with pytest.raises(LinkNotUsableError):
        await changes.stop(token)
    clock.advance(WAIT)
    assert (await accounts.register(again(NEW.upper()))).address_change is None
    assert await changes.note(account_id, NEW, document=DOCTOR.document, reference=RECOVERY) is None
    assert await address_of(accounts, account_id) == ANA.email
    assert await recovery_link(accounts, account_id, "r1") is not None
    entries = {entry.type: entry.actor for entry in await audit.entries(login=DOCTOR.document.login)}
    assert entries["address_change_stopped"] == "citizen"
    async with session_factory(engine)() as session:
        assert (await session.scalars(select(AccountRow.email))).all() == [ANA.email]


async def test_after_the_wait_nothing_can_be_stopped(
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    changes: PostgresAddressChanges,
    clock: FakeClock,
) -> None:
    account_id = await in_use(accounts, links)
    token = await warned(changes, (await accounts.register(again())).address_change)
    clock.advance(WAIT)
    assert (await changes.view(token)).state is ChangeState.APPLIED
    with pytest.raises(LinkNotUsableError):
        await changes.stop(token)
    assert await address_of(accounts, account_id) == NEW


async def test_another_address_begins_another_wait_and_the_old_one_none(
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    changes: PostgresAddressChanges,
    clock: FakeClock,
) -> None:
    account_id = await in_use(accounts, links)
    token = await warned(changes, (await accounts.register(again())).address_change)
    third = await changes.note(
        account_id, "tercera@ejemplo.test", document=DOCTOR.document, reference=RECOVERY
    )
    assert third is not None
    assert (await changes.view(token)).state is ChangeState.WITHDRAWN
    assert (
        await changes.note(account_id, ANA.email.upper(), document=DOCTOR.document, reference=RECOVERY)
        is None
    )
    assert await changes.prepare(third) is None
    clock.advance(WAIT)
    assert await address_of(accounts, account_id) == ANA.email


async def test_before_there_is_a_password_the_address_changes_at_once(
    engine: AsyncEngine, accounts: PostgresAccounts, links: PostgresPasswordLinks
) -> None:
    account_id = await register(accounts)
    old_link = await issue(accounts, account_id)
    same = await accounts.register(registration(radicado=RADICADO))
    assert (await links.link(old_link.token)).state is LinkState.OPEN
    assert same.address_change is None
    assert (await accounts.register(again())).address_change is None
    assert await address_of(accounts, account_id) == NEW
    assert (await links.link(old_link.token)).state is LinkState.SUPERSEDED
    async with session_factory(engine)() as session:
        assert (await session.scalars(select(AddressChangeRow))).all() == []


async def test_a_token_of_another_kind_stops_nothing(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, changes: PostgresAddressChanges
) -> None:
    account_id = await register(accounts)
    token = await give_password(accounts, links, account_id)
    for wrong in (token, "", "x" * 64):
        assert (await changes.view(wrong)).state is ChangeState.UNKNOWN
        with pytest.raises(LinkNotUsableError):
            await changes.stop(wrong)


async def test_the_address_of_another_document_is_none_of_the_account(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, changes: PostgresAddressChanges
) -> None:
    account_id = await in_use(accounts, links)
    replaced = Document(type=DocumentType.PE, number="900000000000001")
    assert await changes.note(account_id, NEW, document=replaced, reference=RECOVERY) is None
    assert await address_of(accounts, account_id) == ANA.email


async def test_once_the_wait_is_over_every_reader_has_the_new_address(  # noqa: PLR0913, PLR0917 - fixtures.
    engine: AsyncEngine,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    changes: PostgresAddressChanges,
    lockouts: LoginLockouts,
    audit: PostgresAuditTrail,
    clock: FakeClock,
) -> None:
    account_id = await in_use(accounts, links)
    notices = PostgresAccessNotices(engine, clock=clock)
    support = SupportAccounts(engine, lockouts=lockouts, audit=audit, clock=clock)
    records = SupportRecords(engine, audit=audit, clock=clock)
    actor, reason = operator("ana"), "la persona llamó"
    await support.decide(Decision.SUSPEND, account_id, reason=reason, actor=actor, radicado=RADICADO)

    async def addresses() -> set[str]:
        async with session_factory(engine)() as session:
            person = await session.run_sync(grants.person_of, account_id, now=clock.now())
        record = await records.person_of(RADICADO, actor=actor, reason=reason)
        (notice,) = await notices.waiting(limit=9)
        assert person is not None
        assert record is not None
        view = await support.show(account_id, actor=actor, reason=reason)
        return {person.email, record.email, notice.contact.email, view.email}

    await warned(changes, (await accounts.register(again())).address_change)
    assert await addresses() == {ANA.email}
    clock.advance(WAIT)
    # Nobody has registered or recovered a password since, so no transaction has applied it.
    assert await addresses() == {NEW}
