import asyncio

import pytest
from argon2 import Type, extract_parameters
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.adapters.accounts import PostgresAccounts
from mipres.adapters.credentials import Hasher, PostgresCredentials
from mipres.domain.applications import Application
from tests.adapters.registrations import DELEGATE, registration
from tests.adapters.stored_accounts import give_password, register

LOGIN, PASSWORD = "CC1020304050", "Clave-ñandú-2026"


@pytest.fixture(scope="module")
def hasher() -> Hasher:
    return Hasher()


@pytest.fixture
def credentials(engine: AsyncEngine, hasher: Hasher) -> PostgresCredentials:
    return PostgresCredentials(engine, hasher=hasher)


async def test_the_right_password_opens_the_applications_of_the_profiles(
    credentials: PostgresCredentials, accounts: PostgresAccounts, hasher: Hasher
) -> None:
    account_id = await register(accounts)
    await give_password(accounts, account_id, await hasher.hash(PASSWORD))

    found = await credentials.authenticate(LOGIN, PASSWORD)

    assert found is not None
    assert (found.account_id, set(found.applications)) == (account_id, {Application.MIPRES})


async def test_a_delegate_who_is_a_professional_too_belongs_to_both_applications(
    credentials: PostgresCredentials, accounts: PostgresAccounts, hasher: Hasher
) -> None:
    account_id = await register(accounts)
    await accounts.register(registration(DELEGATE, radicado="RM-000000000002"))
    await give_password(accounts, account_id, await hasher.hash(PASSWORD))

    found = await credentials.authenticate(LOGIN, PASSWORD)

    assert found is not None
    assert found.applications == set(Application)


@pytest.mark.parametrize(
    ("login", "password"),
    [
        (LOGIN, "Clave-ñandú-2027"),
        (LOGIN, PASSWORD.lower()),
        (LOGIN, f"{PASSWORD} "),
        (LOGIN, ""),
        ("CC1020304051", PASSWORD),
        ("cc1020304050", PASSWORD),
        ("", PASSWORD),
        ("' OR 1=1 --", PASSWORD),
        ("CC1020304050\x00", PASSWORD),
        ("\ud800", PASSWORD),
        ("x" * 10_000, "x" * 10_000),
    ],
)
async def test_another_login_or_password_opens_nothing(
    credentials: PostgresCredentials, accounts: PostgresAccounts, hasher: Hasher, login: str, password: str
) -> None:
    await give_password(accounts, await register(accounts), await hasher.hash(PASSWORD))
    assert await credentials.authenticate(login, password) is None


async def test_an_account_without_a_password_opens_nothing(
    credentials: PostgresCredentials, accounts: PostgresAccounts
) -> None:
    await register(accounts)
    for password in ("", "None", PASSWORD):
        assert await credentials.authenticate(LOGIN, password) is None


async def test_whoever_waits_for_a_hash_keeps_no_connection(
    engine: AsyncEngine, accounts: PostgresAccounts, hasher: Hasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(accounts)
    kept: list[str] = []

    async def verify(_hash: str | None, _password: str) -> bool:
        kept.append(engine.pool.status())
        return True

    monkeypatch.setattr(hasher, "verify", verify)
    assert await PostgresCredentials(engine, hasher=hasher).authenticate(LOGIN, PASSWORD)
    assert "Current Checked out connections: 0" in kept[0]


async def test_a_hash_is_argon2id_with_the_parameters_of_owasp(hasher: Hasher) -> None:
    parameters = extract_parameters(await hasher.hash(PASSWORD))
    assert parameters.type is Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19_456, 2, 1)
    assert (parameters.salt_len, parameters.hash_len) == (16, 32)


async def test_one_password_has_two_hashes(hasher: Hasher) -> None:
    first, second = await asyncio.gather(hasher.hash(PASSWORD), hasher.hash(PASSWORD))
    assert first != second
    assert await hasher.verify(first, PASSWORD)
    assert await hasher.verify(second, PASSWORD)


async def test_without_a_hash_a_real_one_is_computed_all_the_same(
    hasher: Hasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []

    def matches(password_hash: str, _password: str) -> bool:
        checked.append(password_hash)
        return True

    monkeypatch.setattr("mipres.adapters.credentials._matches", matches)
    assert not await hasher.verify(None, PASSWORD)
    assert extract_parameters(checked[0]).memory_cost == 19_456
