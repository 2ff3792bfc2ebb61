"""Mails that wait for the mail server where no registration says so."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy, SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from mipres.database.audit import PostgresAuditTrail
from mipres.domain.audit import operator
from mipres.domain.stages import Stage, WaitingOn
from mipres.support.actions import Support
from mipres.support.desk import SupportDesk
from mipres.support.mails import WaitingMail
from mipres.temporal import names
from tests.patience import PATIENCE_SECONDS
from tests.support.conftest import eventually
from tests.support.registrations import REASON, Handle, new_radicado

QUEUE = "mailing"
ACTOR = operator("ana")
_attempts: dict[str, int] = {}
_mended: set[str] = set()


@activity.defn
async def send() -> None:
    """Fail until the mail server is mended."""
    workflow_id = activity.info().workflow_id or ""
    _attempts[workflow_id] = activity.info().attempt
    if workflow_id not in _mended:
        raise ApplicationError("el servidor de correo no responde")


class Mailing:
    """One mail, whose next attempt is an hour away."""

    async def mail(self, step: str) -> None:
        await workflow.execute_activity(
            send,
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(initial_interval=timedelta(hours=1)),
            activity_id=step,
        )


@workflow.defn(name="LoginLocked")
class ScriptedLock(Mailing):
    @workflow.run
    async def run(self, step: str) -> None:
        await self.mail(step)


@workflow.defn(name="AccessNotices")
class ScriptedAccess(Mailing):
    @workflow.run
    async def run(self, step: str) -> None:
        await self.mail(step)


@workflow.defn(name="Registration")
class ScriptedEnded(Mailing):
    @workflow.run
    async def run(self, step: str) -> None:
        await self.mail(step)


@pytest.fixture(autouse=True)
async def mailing(client: Client) -> AsyncIterator[None]:
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[ScriptedLock, ScriptedAccess, ScriptedEnded],
        activities=[send],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield


async def begin(
    client: Client,
    kind: names.WorkflowType,
    workflow_id: str,
    step: str,
    *attributes: SearchAttributePair[Any],
) -> Handle:
    handle: Handle = await client.start_workflow(
        kind.value,
        step,
        id=workflow_id,
        task_queue=QUEUE,
        search_attributes=TypedSearchAttributes(attributes),
    )
    return handle


async def waiting_of(desk: SupportDesk, handle: Handle) -> list[WaitingMail]:
    return [mail for mail in await desk.mails.waiting() if mail.workflow_id == handle.id]


def lock_id() -> str:
    return names.lock_notice_workflow_id(f"RC-{uuid.uuid4().hex[:12].upper()}")


@dataclass(frozen=True, kw_only=True)
class Noticed:
    """A run with a notice under way."""

    kind: names.WorkflowType
    step: names.MailStep
    attributes: tuple[SearchAttributePair[Any], ...] = ()


REFUSED = SearchAttributePair(names.REGISTRATION_STAGE, Stage.REFUSED.value)
WAITING = SearchAttributePair(names.WAITING_ON, [WaitingOn.SSO.value])


@pytest.mark.parametrize(
    "noticed",
    [
        Noticed(kind=names.WorkflowType.LOGIN_LOCKED, step=names.MailStep.LOCK),
        Noticed(kind=names.WorkflowType.ACCESS_NOTICES, step=names.MailStep.ACCESS),
        Noticed(kind=names.WorkflowType.REGISTRATION, step=names.MailStep.REFUSAL, attributes=(REFUSED,)),
        Noticed(kind=names.WorkflowType.REGISTRATION, step=names.MailStep.DELAY, attributes=(WAITING,)),
    ],
    ids=lambda noticed: noticed.step,
)
async def test_a_notice_is_found_and_sent_once_the_server_is_mended(
    client: Client, desk: SupportDesk, support: Support, audit: PostgresAuditTrail, noticed: Noticed
) -> None:
    reference = new_radicado()
    workflow_id = f"{noticed.kind.lower()}/{reference}"
    handle = await begin(client, noticed.kind, workflow_id, noticed.step, *noticed.attributes)

    async def found() -> bool:
        return bool(await waiting_of(desk, handle))

    await eventually(found)
    [mail] = await waiting_of(desk, handle)
    assert (mail.step, "no responde" in mail.error) == (noticed.step, True)
    _mended.add(workflow_id)
    [result] = [
        result
        async for result in support.retry_mails([mail], reason=REASON, actor=ACTOR, jitter=timedelta(0))
    ]
    assert (result.feedback, result.failed) == ("reintento pedido", False)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await handle.result()
    [entry] = await audit.entries(reference=reference)
    assert (entry.type, entry.actor, entry.reason, entry.details) == (
        "retry_asked",
        ACTOR,
        REASON,
        {"step": noticed.step},
    )
    [again] = [
        result
        async for result in support.retry_mails([mail], reason=REASON, actor=ACTOR, jitter=timedelta(0))
    ]
    assert again.feedback == "ya no espera"


async def test_what_its_registration_retries_and_what_is_no_mail_are_left_out(
    client: Client, desk: SupportDesk
) -> None:
    radicado = new_radicado()
    says_so = await begin(
        client,
        names.WorkflowType.REGISTRATION,
        names.workflow_id_of(radicado),
        names.MailStep.LINK,
        SearchAttributePair(names.REGISTRATION_STAGE, Stage.AWAITING_PASSWORD.value),
        SearchAttributePair(names.WAITING_ON, [WaitingOn.MAIL.value]),
    )
    no_mail = await begin(client, names.WorkflowType.LOGIN_LOCKED, lock_id(), "buscar-cuenta")
    noticed = await begin(client, names.WorkflowType.LOGIN_LOCKED, lock_id(), names.MailStep.LOCK)

    async def all_failed() -> bool:
        known = {handle.id for handle in (says_so, no_mail, noticed)}
        return known <= set(_attempts) and bool(await waiting_of(desk, noticed))

    await eventually(all_failed)
    assert [await waiting_of(desk, handle) for handle in (says_so, no_mail)] == [[], []]
    for handle in (says_so, no_mail, noticed):
        await handle.terminate("prueba")
