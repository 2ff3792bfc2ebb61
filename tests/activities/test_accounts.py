import uuid
from datetime import timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.accounts import (
    AccountActivities,
    ExpireLinkInput,
    RecordRefusalInput,
    RegisterAccountResult,
)
from mipres.domain.accounts import NewRegistration, ProfileFacts
from mipres.domain.documents import parse_document
from mipres.domain.links import LinkPurpose
from mipres.domain.outcomes import Refusal
from mipres.domain.people import Person
from mipres.domain.submissions import Submission, UserType
from mipres.domain.terms import Consent
from tests.fakes import FakeAccounts, FakeClock

RADICADO = "RM-000000000001"
DOCUMENT = parse_document("CC", "1020304050")
REQUEST = NewRegistration(
    radicado=RADICADO,
    submission=Submission(user_type=UserType.OTHER, document=DOCUMENT),
    person=Person(given_names="Ana María", surnames="Ruiz Gómez", email="ana.ruiz@ejemplo.test"),
    facts=ProfileFacts(entity_name="Clínica"),
    consent=Consent(
        terms_version="2025-03", terms_sha256="0" * 64, accepted_at=FakeClock().now(), channel="web"
    ),
)


@pytest.fixture
def accounts() -> FakeAccounts:
    return FakeAccounts()


async def register(accounts: FakeAccounts) -> RegisterAccountResult:
    return await ActivityEnvironment().run(AccountActivities(accounts=accounts).register_account, REQUEST)


async def expire(accounts: FakeAccounts, account_id: uuid.UUID) -> bool:
    request = ExpireLinkInput(account_id=account_id, reference=RADICADO)
    result = await ActivityEnvironment().run(AccountActivities(accounts=accounts).expire_link, request)
    return result.password_set


async def issue(accounts: FakeAccounts, account_id: uuid.UUID) -> None:
    await accounts.issue_link(
        account_id,
        reference=RADICADO,
        purpose=LinkPurpose.CREATE,
        lifetime=timedelta(hours=24),
        issue_key="enlace-1",
    )


async def test_of_an_erased_person_nothing_is_stored(accounts: FakeAccounts) -> None:
    accounts.erased.add(DOCUMENT.login)
    assert (await register(accounts)).refusal is Refusal.DATA_ERASED
    assert accounts.registrations == []


async def test_everything_that_was_checked_is_stored(accounts: FakeAccounts) -> None:
    result = await register(accounts)

    assert accounts.registrations == [REQUEST]
    assert result.account_id in accounts.accounts
    assert not result.has_password


async def test_the_address_leaves_the_activity_masked(accounts: FakeAccounts) -> None:
    result = await register(accounts)
    assert result.email_hint == "a•••@e•••.test"
    assert "ruiz" not in repr(result)


async def test_a_person_with_a_password_is_told_apart(accounts: FakeAccounts) -> None:
    first = await register(accounts)
    accounts.set_password_of(first.account_id)
    second = await register(accounts)
    assert second.account_id == first.account_id
    assert second.has_password


async def test_an_account_is_found_by_document(accounts: FakeAccounts) -> None:
    activities = AccountActivities(accounts=accounts)
    assert await ActivityEnvironment().run(activities.find_account, DOCUMENT) is None

    account_id = (await register(accounts)).account_id

    assert await ActivityEnvironment().run(activities.find_account, DOCUMENT) == account_id


async def test_without_a_password_the_links_end(accounts: FakeAccounts) -> None:
    account_id = (await register(accounts)).account_id
    await issue(accounts, account_id)
    assert not await expire(accounts, account_id)
    assert accounts.links["enlace-1"].closed


async def test_the_database_tells_that_the_password_exists(accounts: FakeAccounts) -> None:
    account_id = (await register(accounts)).account_id
    accounts.set_password_of(account_id)
    assert await expire(accounts, account_id)


async def test_a_registration_is_taken_back_by_its_radicado(accounts: FakeAccounts) -> None:
    account_id = (await register(accounts)).account_id
    await ActivityEnvironment().run(AccountActivities(accounts=accounts).discard_account, RADICADO)
    assert account_id not in accounts.accounts


async def test_a_database_that_is_away_is_an_error_that_can_be_retried(accounts: FakeAccounts) -> None:
    accounts.down = True
    with pytest.raises(ConnectionRefusedError):
        await register(accounts)
    assert accounts.registrations == []


async def test_a_refusal_is_noted(accounts: FakeAccounts) -> None:
    noting = AccountActivities(accounts=accounts).record_refusal
    request = RecordRefusalInput(
        reference=RADICADO, document=DOCUMENT, refusal=Refusal.NOT_IN_RETHUS, run="run"
    )
    await ActivityEnvironment().run(noting, request)
    assert accounts.refusals == [(RADICADO, Refusal.NOT_IN_RETHUS)]
