"""What the product holds of a person is found, handed over and erased."""

import json
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from dev.probes import LOOPBACK, free_port
from mipres.database.accounts import PostgresAccounts
from mipres.database.address_changes import PostgresAddressChanges
from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import session_factory
from mipres.database.erasures import Erasures
from mipres.database.limits import PostgresLimits
from mipres.database.lockouts import LoginLockouts
from mipres.database.password_links import PostgresPasswordLinks
from mipres.database.tables import OidcConsentRow
from mipres.domain.audit import operator
from mipres.domain.documents import Document, parse_document
from mipres.domain.limits import DOCUMENT_ANSWERS
from mipres.domain.radicado import recovery_reference
from mipres.domain.stages import EngineState
from mipres.domain.submissions import UserType
from mipres.support import person_data as person_data_module
from mipres.support.desk import SupportDesk
from mipres.support.joins import SupportJoins
from mipres.support.person_data import NotGoneError, PersonData, as_json_value
from mipres.temporal import names
from mipres.temporal.answers import TemporalUnavailableError
from mipres.temporal.connection import data_converter
from tests.conftest import ACTIVE_PAYLOAD_KEY, PAYLOAD_KEYS
from tests.database.registrations import DOCTOR, registration
from tests.database.stored_accounts import give_password
from tests.fakes import HERE, FakeClock
from tests.support.conftest import eventually
from tests.support.registrations import NOT_SERVED, REASON, new_radicado, start

ACTOR = operator("ana")
DOCUMENT = DOCTOR.document
REPLACED = parse_document("PT", "1234567")
DELEGATE = TypedSearchAttributes([SearchAttributePair(names.USER_TYPE, UserType.DELEGATE.value)])


@pytest.fixture
def joins(
    engine: AsyncEngine, changes: PostgresAddressChanges, audit: PostgresAuditTrail, clock: FakeClock
) -> SupportJoins:
    return SupportJoins(engine, changes=changes, audit=audit, clock=clock)


@pytest.fixture
def limits(engine: AsyncEngine, clock: FakeClock) -> PostgresLimits:
    return PostgresLimits(engine, key=b"m" * 32, clock=clock)


@pytest.fixture
def person_data(  # noqa: PLR0913, PLR0917 - each a fixture.
    engine: AsyncEngine,
    client: Client,
    audit: PostgresAuditTrail,
    erasures: Erasures,
    lockouts: LoginLockouts,
    limits: PostgresLimits,
    radicado_key: bytes,
) -> PersonData:
    return PersonData(
        engine,
        client,
        audit=audit,
        erasures=erasures,
        lockouts=lockouts,
        limits=limits,
        radicado_key=radicado_key,
    )


async def delegate_of(client: Client, number: str, *, reference: str | None = None) -> str:
    """A delegate's registration, whose radicado needs more than the document."""
    reference = reference or new_radicado()
    await client.start_workflow(
        "Registration",
        {"radicado": reference, "submission": {"document": {"type": "CC", "number": number}}},
        id=names.registration_workflow_id(reference),
        task_queue=NOT_SERVED,
        search_attributes=DELEGATE,
    )

    async def visible() -> bool:
        found = client.list_workflows(names.of_user_type(UserType.DELEGATE))
        return names.registration_workflow_id(reference) in {run.id async for run in found}

    await eventually(visible)
    return reference


async def visible(client: Client, *references: str) -> None:
    async def all_of_them() -> bool:
        counts = [
            (await client.count_workflows(names.runs_of(names.workflow_id_of(one)))).count
            for one in references
        ]
        return all(counts)

    await eventually(all_of_them)


async def test_everything_but_secrets_is_handed_over(
    client: Client,
    person_data: PersonData,
    accounts: PostgresAccounts,
    links: PostgresPasswordLinks,
    radicado_key: bytes,
    radicado: str,
) -> None:
    account = await accounts.register(registration(radicado=radicado))
    await give_password(accounts, links, account.account_id, "un-hash-secreto")
    recovery = recovery_reference(DOCUMENT, key=radicado_key)
    handles = [await start(client, reference, queue=NOT_SERVED) for reference in (radicado, recovery)]
    own, others = await delegate_of(client, DOCUMENT.number), await delegate_of(client, "555555")
    await visible(client, radicado, recovery)

    held = await person_data.export(DOCUMENT, actor=ACTOR, reason=REASON)
    runs = {names.reference_of(run["flujo"]) for run in held["registros"]}
    assert runs >= {radicado, recovery, own}
    assert others not in runs
    assert [len(held[part]) for part in ("cuenta", "perfiles", "declaraciones", "enlaces")] == [1, 1, 1, 1]
    assert "account_created" not in json.dumps(held["auditoria"], default=as_json_value)
    assert "Cuenta creada" in json.dumps(held["auditoria"], default=as_json_value, ensure_ascii=False)
    assert "un-hash-secreto" not in json.dumps(held, default=as_json_value)
    for handle in handles:
        await handle.terminate("prueba")


@pytest.mark.parametrize("asked_by", [REPLACED, DOCUMENT], ids=["old document", "new document"])
async def test_after_a_join_either_document_stands_for_both_accounts(
    person_data: PersonData, accounts: PostgresAccounts, joins: SupportJoins, asked_by: Document
) -> None:
    old = await accounts.register(registration(replace(DOCTOR, document=REPLACED), radicado=new_radicado()))
    new = await accounts.register(registration(radicado=new_radicado()))
    await joins.join(old.account_id, new.account_id, reason=REASON, proof="SOL-2026-118", actor=ACTOR)

    held = await person_data.export(asked_by, actor=ACTOR, reason=REASON)
    assert {account["login"] for account in held["cuenta"]} == {REPLACED.login, DOCUMENT.login}
    assert len(held["perfiles"]) == 1
    assert len(held["cambios_de_acceso"]) == 2

    assert (await person_data.erase(asked_by, actor=ACTOR, reason=REASON)).accounts == 2
    assert [await accounts.find(document) for document in (REPLACED, DOCUMENT)] == [None, None]


async def test_erasing_leaves_nothing_in_either_store(
    client: Client, person_data: PersonData, accounts: PostgresAccounts, desk: SupportDesk, radicado: str
) -> None:
    await accounts.register(registration(radicado=radicado))
    await start(client, radicado, queue=NOT_SERVED)
    delegate = await delegate_of(client, DOCUMENT.number)
    await visible(client, radicado)

    erased = await person_data.erase(DOCUMENT, actor=ACTOR, reason=REASON)
    assert erased.accounts == 1
    assert erased.workflows >= 2
    assert await accounts.find(DOCUMENT) is None
    assert await desk.cases([radicado, delegate]) == []


async def test_what_a_stranger_starts_keeps_nobody_from_their_data(
    client: Client, person_data: PersonData, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = data_converter(PAYLOAD_KEYS, active=ACTIVE_PAYLOAD_KEY)
    owner = Client(client.service_client, namespace=client.namespace, data_converter=keys)
    stranger = Client(client.service_client, namespace=client.namespace)
    monkeypatch.setattr(person_data, "_client", owner)
    own = await delegate_of(client, DOCUMENT.number)
    invented = [
        await delegate_of(stranger, DOCUMENT.number, reference=name) for name in (new_radicado(), "x")
    ]

    held = await person_data.export(DOCUMENT, actor=ACTOR, reason=REASON)
    assert own in {names.reference_of(run["flujo"]) for run in held["registros"]}
    assert (await person_data.erase(DOCUMENT, actor=ACTOR, reason=REASON)).workflows >= 1
    for reference in invented:
        await client.get_workflow_handle(f"registration/{reference}").terminate("prueba")


async def test_what_a_person_allowed_applications_is_handed_over_and_erased(
    person_data: PersonData, accounts: PostgresAccounts, engine: AsyncEngine, clock: FakeClock, radicado: str
) -> None:
    other = replace(DOCTOR, document=REPLACED)
    own, others = [
        (await accounts.register(registration(submission, radicado=reference))).account_id
        for submission, reference in ((DOCTOR, radicado), (other, new_radicado()))
    ]
    async with session_factory(engine).begin() as session:
        session.add_all(
            OidcConsentRow(account_id=owner, client_id="hc", scope=scope, given_at=clock.now())
            for owner, scope in ((own, "openid"), (own, "email"), (others, "mipres"))
        )
    held = await person_data.export(DOCUMENT, actor=ACTOR, reason=REASON)
    allowed = held["aplicaciones_autorizadas"]
    assert {(row["client_id"], row["scope"], row["given_at"]) for row in allowed} == {
        ("hc", "openid", clock.now()),
        ("hc", "email", clock.now()),
    }
    await person_data.erase(DOCUMENT, actor=ACTOR, reason=REASON)
    async with session_factory(engine)() as session:
        assert (await session.scalars(select(OidcConsentRow.scope))).all() == ["mipres"]


async def test_erasing_forgets_what_the_login_was_counted_for(
    person_data: PersonData, lockouts: LoginLockouts, limits: PostgresLimits
) -> None:
    await lockouts.begin(DOCUMENT.login, HERE)
    for _ in range(DOCUMENT_ANSWERS.most + 1):
        await limits.take(DOCUMENT_ANSWERS, DOCUMENT.login)
    await person_data.erase(DOCUMENT, actor=ACTOR, reason=REASON)
    assert not await lockouts.lift(DOCUMENT.login)
    assert await limits.take(DOCUMENT_ANSWERS, DOCUMENT.login) == timedelta(0)


async def test_the_trail_of_an_erased_person_stays_and_names_nobody(
    person_data: PersonData, accounts: PostgresAccounts, audit: PostgresAuditTrail, radicado: str
) -> None:
    await accounts.register(registration(radicado=radicado))
    await person_data.erase(DOCUMENT, actor=ACTOR, reason=REASON)
    assert (await audit.verify()).is_intact
    entries = await audit.entries(login=DOCUMENT.login)
    assert [entry.type for entry in entries] == ["account_created", "person_erased"]
    assert not any(DOCUMENT.number in repr(entry) for entry in entries)


async def test_a_server_that_was_never_reached_is_away(person_data: PersonData) -> None:
    """A lazy client connects with its first call, and fails there in a way of its own."""
    person_data._client = await Client.connect(f"{LOOPBACK}:{free_port()}", lazy=True)
    for asked in (person_data.export, person_data.erase):
        with pytest.raises(TemporalUnavailableError):
            await asked(DOCUMENT, actor=ACTOR, reason=REASON)


async def test_a_person_whom_nobody_knows_has_nothing_to_erase(person_data: PersonData) -> None:
    unknown = type(DOCUMENT)(type=DOCUMENT.type, number=str(uuid.uuid4().int)[:9])
    erased = await person_data.erase(unknown, actor=ACTOR, reason=REASON)
    assert (erased.accounts, erased.workflows) == (0, 0)


async def test_while_temporal_is_still_removing_the_command_has_to_be_repeated(
    client: Client,
    person_data: PersonData,
    accounts: PostgresAccounts,
    desk: SupportDesk,
    radicado: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await accounts.register(registration(radicado=radicado))
    await start(client, radicado, queue=NOT_SERVED)
    await visible(client, radicado)
    monkeypatch.setattr(person_data_module, "_GONE_SECONDS", 0.0)
    with pytest.raises(NotGoneError):
        await person_data.erase(DOCUMENT, actor=ACTOR, reason=REASON)
    assert await accounts.find(DOCUMENT) is None
    monkeypatch.undo()
    await person_data.erase(DOCUMENT, actor=ACTOR, reason=REASON)
    assert [case.status for case in await desk.cases([radicado]) if case.status is EngineState.RUNNING] == []
