"""What support does, with the trace that it leaves.

Both at once, whatever comes of it.
"""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from mipres.database.accounts import PostgresAccounts
from mipres.database.audit import PostgresAuditTrail
from mipres.database.password_links import PostgresPasswordLinks
from mipres.domain.audit import operator
from mipres.domain.radicado import recovery_reference
from mipres.domain.stages import Stage, WaitingOn
from mipres.support import desk as desk_module
from mipres.support.actions import BulkResult, Support
from mipres.support.desk import Action, ActionRefusedError, SupportDesk
from mipres.temporal.answers import UnknownWorkflowError
from tests.database.registrations import DOCTOR, registration
from tests.database.stored_accounts import give_password
from tests.support.conftest import eventually
from tests.support.registrations import NOT_SERVED, REASON, Handle, new_radicado, start

ACTOR = operator("ana")


async def trail(audit: PostgresAuditTrail, reference: str) -> list[tuple[str, str | None]]:
    return [
        (entry.type, str(entry.details["refused"]) if entry.details else None)
        for entry in await audit.entries(reference=reference)
    ]


@pytest.fixture
async def handle(client: Client, radicado: str) -> AsyncIterator[Handle]:
    """The registration of the doctor, which no worker serves."""
    running = await start(client, radicado, queue=NOT_SERVED, stage=Stage.AWAITING_PASSWORD)
    yield running
    await running.terminate("prueba")


# ---- Finding


@pytest.mark.usefixtures("handle")
async def test_a_person_is_found_by_the_document_alone(support: Support, radicado: str) -> None:
    known = await support.find(DOCTOR.document, actor=ACTOR)
    assert known.person is None
    assert [case.reference for case in known.cases] == [radicado]


async def test_what_does_not_follow_from_the_document_is_found_in_account_and_trail(
    client: Client, support: Support, accounts: PostgresAccounts, radicado_key: bytes
) -> None:
    of_account, of_recovery = new_radicado(), recovery_reference(DOCTOR.document, key=radicado_key)
    await accounts.register(registration(radicado=of_account))
    handles = [await start(client, reference, queue=NOT_SERVED) for reference in (of_account, of_recovery)]
    known = await support.find(DOCTOR.document, actor=ACTOR)
    assert {case.reference for case in known.cases} == {of_account, of_recovery}
    assert known.person is not None
    assert known.person.radicados == (of_account,)
    for one in handles:
        await one.terminate("prueba")


async def test_an_unknown_registration_is_not_shown(support: Support) -> None:
    with pytest.raises(UnknownWorkflowError):
        await support.show(new_radicado(), actor=ACTOR)


async def test_what_was_stopped_is_listed_until_the_password_exists(
    client: Client, support: Support, accounts: PostgresAccounts, links: PostgresPasswordLinks
) -> None:
    radicado = new_radicado()
    account = await accounts.register(registration(radicado=radicado))
    handle = await start(client, radicado, queue=NOT_SERVED, stage=Stage.AWAITING_PASSWORD)
    await handle.terminate("prueba")

    async def listed() -> bool:
        return radicado in {case.reference for case in await support.cut_off()}

    await eventually(listed)
    await give_password(accounts, links, account.account_id)
    assert not await listed()


# ---- Acting


@pytest.mark.usefixtures("worker")
async def test_what_is_done_is_recorded_with_actor_and_reason(
    client: Client, support: Support, audit: PostgresAuditTrail
) -> None:
    radicado = new_radicado()
    handle = await start(client, radicado)
    await support.act(Action.RETRY, radicado, reason=REASON, actor=ACTOR)
    [entry] = await audit.entries(reference=radicado)
    assert (entry.type, entry.actor, entry.reason) == ("retry_asked", ACTOR, REASON)
    await handle.terminate("prueba")


@pytest.mark.usefixtures("worker")
async def test_a_refusal_is_recorded_beside_the_request(
    client: Client, support: Support, audit: PostgresAuditTrail
) -> None:
    radicado = new_radicado()
    handle = await start(client, radicado)
    with pytest.raises(ActionRefusedError):
        await support.act(Action.RESEND, radicado, reason=REASON, actor=ACTOR)
    assert await trail(audit, radicado) == [("resend_asked", None), ("resend_asked", "TooSoon")]
    await handle.terminate("prueba")


async def test_what_does_not_run_is_recorded_as_refused(support: Support, audit: PostgresAuditTrail) -> None:
    radicado = new_radicado()
    with pytest.raises(UnknownWorkflowError):
        await support.act(Action.CANCEL, radicado, reason=REASON, actor=ACTOR)
    assert await trail(audit, radicado) == [("cancel_asked", None), ("cancel_asked", "NotRunning")]


@pytest.mark.usefixtures("worker")
async def test_without_a_trail_nothing_is_done(client: Client, support: Support, engine: AsyncEngine) -> None:
    radicado = new_radicado()
    handle = await start(client, radicado)
    async with engine.begin() as connection:
        await connection.execute(text("DROP TABLE audit_entries CASCADE"))
    with pytest.raises(SQLAlchemyError):
        await support.act(Action.CANCEL, radicado, reason=REASON, actor=ACTOR)
    await support.desk.act(Action.CANCEL, radicado, reason="la prueba termina aquí")
    assert await handle.result() == ["la prueba termina aquí"]


@pytest.mark.usefixtures("worker")
async def test_many_are_retried_and_each_says_how_it_went(
    client: Client, support: Support, desk: SupportDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_module, "_ACTION_SECONDS", 1.0)
    done, silent, over = new_radicado(), new_radicado(), new_radicado()
    handles = [
        await start(client, done, waiting_on=WaitingOn.DATABASE),
        await start(client, silent, queue=NOT_SERVED, waiting_on=WaitingOn.DATABASE),
        await start(client, over, waiting_on=WaitingOn.DATABASE),
    ]
    cases = await desk.cases([done, silent, over])
    await handles.pop().terminate("prueba")
    moments, results = [0.1, 0.5, 0.9], dict[str, BulkResult]()
    async for result in support.act_on_all(
        Action.RETRY, cases, reason=REASON, actor=ACTOR, jitter=timedelta(milliseconds=30), spread=moments.pop
    ):
        results[result.case.reference] = result
    assert {name: (result.feedback, result.failed) for name, result in results.items()} == {
        done: ("reintento pedido", False),
        silent: ("no respondió a tiempo", True),
        over: ("ya no espera", False),
    }
    assert moments == []
    for handle in handles:
        await handle.terminate("prueba")


@pytest.mark.usefixtures("worker")
async def test_what_is_refused_in_bulk_is_not_told_as_done(
    client: Client, support: Support, desk: SupportDesk
) -> None:
    radicado = new_radicado()
    handle = await start(client, radicado, waiting_on=WaitingOn.MAIL_ADDRESS)
    [result] = [
        result
        async for result in support.act_on_all(
            Action.RESEND,
            await desk.cases([radicado]),
            reason=REASON,
            actor=ACTOR,
            jitter=timedelta(0),
        )
    ]
    assert (result.feedback, result.failed) == ("no se hizo: Espere para pedir otro enlace", True)
    await handle.terminate("prueba")
