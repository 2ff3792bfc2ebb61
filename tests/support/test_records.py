"""What support may see of a person, and the row that each look leaves."""

import pytest

from mipres.database.accounts import PostgresAccounts
from mipres.database.audit import PostgresAuditTrail
from mipres.database.password_links import PostgresPasswordLinks
from mipres.domain.audit import operator, staff
from mipres.domain.documents import parse_document
from mipres.support.records import SupportRecords
from tests.database.registrations import ANA, DOCTOR
from tests.database.stored_accounts import RADICADO, give_password, issue, register
from tests.support.registrations import REASON

ACTOR = operator("ana")
SECRETS = ("1020304050", "Ruiz", "ana.ruiz@ejemplo.test")


async def looks(
    audit: PostgresAuditTrail, login: str = DOCTOR.document.login
) -> list[tuple[str, str | None]]:
    entries = await audit.entries(login=login)
    return [(str(e.details["in_clear"]), e.reason) for e in entries if e.type == "data_viewed"]


async def test_without_a_reason_nothing_of_the_person_shows(
    accounts: PostgresAccounts, records: SupportRecords, audit: PostgresAuditTrail
) -> None:
    await register(accounts)
    for person in (
        await records.person_of(RADICADO, actor=ACTOR),
        await records.person(DOCTOR.document, actor=ACTOR),
    ):
        assert person is not None
        assert not any(secret in repr(person) for secret in SECRETS)
        assert person.radicados == (RADICADO,)
    assert await looks(audit) == [("no", None), ("no", None)]


async def test_a_reason_shows_the_person_and_is_recorded(
    accounts: PostgresAccounts, records: SupportRecords, audit: PostgresAuditTrail
) -> None:
    await register(accounts)
    person = await records.person_of(RADICADO, actor=staff("ana"), reason=REASON)
    assert person is not None
    assert (person.login, person.full_name, person.email) == ("CC1020304050", ANA.full_name, ANA.email)
    assert await looks(audit) == [("yes", REASON)]


async def test_link_and_password_show_as_they_stand(
    accounts: PostgresAccounts, links: PostgresPasswordLinks, records: SupportRecords
) -> None:
    account_id = await register(accounts)
    link = await issue(accounts, account_id)
    waiting = await records.person_of(RADICADO, actor=ACTOR)
    assert waiting is not None
    assert (waiting.link_expires_at, waiting.password_set_at) == (link.expires_at, None)
    assert await records.with_password([RADICADO]) == set()

    await give_password(accounts, links, account_id)
    finished = await records.person_of(RADICADO, actor=ACTOR)
    assert finished is not None
    assert finished.link_expires_at is None
    assert finished.password_set_at is not None
    assert await records.with_password([RADICADO, "RM-000000000009"]) == {RADICADO}


async def test_a_look_at_nobody_is_a_look_too(records: SupportRecords, audit: PostgresAuditTrail) -> None:
    stranger = parse_document("CC", "99999999")
    assert await records.person(stranger, actor=ACTOR) is None
    assert await records.person_of("RM-000000000009", actor=ACTOR) is None
    assert await looks(audit, stranger.login) == [("no", None)]
    [entry] = await audit.entries(reference="RM-000000000009")
    assert entry.actor == ACTOR


@pytest.mark.parametrize("reference", ["RC-000000000001"])
async def test_the_person_of_a_recovery_is_found_by_its_link(
    accounts: PostgresAccounts, records: SupportRecords, reference: str
) -> None:
    await issue(accounts, await register(accounts), reference=reference)
    assert await records.person_of(reference, actor=ACTOR) is not None
