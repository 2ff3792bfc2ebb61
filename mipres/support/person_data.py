"""What the product holds of one person, in both stores.

Handed over, or erased (Ley 1581 de 2012).
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from temporalio.api.common.v1 import WorkflowExecution as Execution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecution

from mipres.database.audit import PostgresAuditTrail
from mipres.database.engine import session_factory
from mipres.database.erasures import Erasures
from mipres.database.limits import Limits
from mipres.database.lockouts import LoginLockouts
from mipres.database.tables import (
    AccessChangeRow,
    AccountRow,
    AddressChangeRow,
    Base,
    ConsentRow,
    FactorResetRow,
    KnownBrowserRow,
    OidcConsentRow,
    PasskeyRow,
    PasswordLinkRow,
    ProfileRow,
    RecoveryCodeRow,
    SecondFactorRow,
    SessionRow,
)
from mipres.domain.audit import AuditEvent, AuditEventType
from mipres.domain.documents import Document, parse_document
from mipres.domain.errors import MipresError
from mipres.domain.limits import DOCUMENT_ANSWERS, DOCUMENT_RECOVERIES, DOCUMENT_SUBMISSIONS
from mipres.domain.radicado import KNOWN_BY_DOCUMENT, KNOWN_BY_MORE, radicado_of, recovery_reference
from mipres.domain.second_factor import guarded_factor
from mipres.domain.submissions import Submission
from mipres.temporal import names
from mipres.temporal.answers import UnknownWorkflowError, translated
from mipres.temporal.runs import input_of

_NEVER_HANDED_OVER = {"password_hash"}
_READ_AT_ONCE = 20
_GONE_SECONDS = 60.0
_GONE_PAUSE_SECONDS = 0.1
_LISTED_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Erased:
    """What there was of the person."""

    accounts: int
    workflows: int


class NotGoneError(MipresError):
    """Temporal is still removing what it was asked to remove.

    The command has to be repeated.
    """


class PersonData:
    """Finds everything of a person by the document.

    Args:
        engine: The process's engine.
        client: Temporal, with the payload keys: some registrations are known by their input only.
        audit: The trail. It names no one and stays.
        erasures: Keeps what was submitted before from writing again.
        lockouts: Failed logins.
        limits: What the document was counted for.
        radicado_key: Key of the radicado's hash.
        older_radicado_keys: Keys of before a rotation, whose radicados live on.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, and each a service or a key of its own.
        self,
        engine: AsyncEngine,
        client: Client,
        *,
        audit: PostgresAuditTrail,
        erasures: Erasures,
        lockouts: LoginLockouts,
        limits: Limits,
        radicado_key: bytes,
        older_radicado_keys: Sequence[bytes] = (),
    ) -> None:
        self._sessions = session_factory(engine)
        self._client = client
        self._audit = audit
        self._erasures = erasures
        self._lockouts = lockouts
        self._limits = limits
        self._keys = (radicado_key, *older_radicado_keys)

    async def export(self, document: Document, *, actor: str, reason: str) -> dict[str, Any]:
        """Everything that is held of the person, without the secrets.

        Those are theirs alone.
        """
        documents = await self._documents(document)
        runs = [run for each in documents for run in [found async for found in self._runs(each)]]
        entries = [
            entry for each in documents for entry in await self._audit.entries(login=each.login, limit=10_000)
        ]
        logins = [each.login for each in documents]
        async with self._sessions.begin() as session:
            accounts = await _rows(session, AccountRow, AccountRow.login.in_(logins))
            ids = [account["id"] for account in accounts]
            factors = await _rows(session, SecondFactorRow, SecondFactorRow.account_id.in_(ids))
            held: dict[str, Any] = {
                "documento": str(document),
                "cuenta": accounts,
                "perfiles": await _rows(session, ProfileRow, ProfileRow.account_id.in_(ids)),
                "cambios_de_acceso": await _rows(
                    session, AccessChangeRow, AccessChangeRow.account_id.in_(ids)
                ),
                "declaraciones": await _rows(session, ConsentRow, ConsentRow.account_id.in_(ids)),
                "enlaces": await _rows(session, PasswordLinkRow, PasswordLinkRow.account_id.in_(ids)),
                "cambios_de_correo": await _rows(
                    session, AddressChangeRow, AddressChangeRow.account_id.in_(ids)
                ),
                "navegadores": await _rows(session, KnownBrowserRow, KnownBrowserRow.account_id.in_(ids)),
                "aplicaciones_autorizadas": await _rows(
                    session, OidcConsentRow, OidcConsentRow.account_id.in_(ids)
                ),
                "segundo_factor": factors,
                "restablecimientos": await _rows(session, FactorResetRow, FactorResetRow.account_id.in_(ids)),
                "llaves_de_acceso": await _rows(
                    session, PasskeyRow, PasskeyRow.factor_id.in_([factor["id"] for factor in factors])
                ),
                "codigos_de_recuperacion": await _rows(
                    session,
                    RecoveryCodeRow,
                    RecoveryCodeRow.factor_id.in_([factor["id"] for factor in factors]),
                ),
                "sesiones": await _rows(session, SessionRow, SessionRow.account_id.in_(ids)),
                "registros": [
                    {
                        "flujo": run.id,
                        "iniciado": run.start_time,
                        "terminado": run.close_time,
                        "datos": await self._input(run),
                    }
                    for run in runs
                ],
                "auditoria": [
                    {"evento": entry.label, "fecha": entry.occurred_at, "radicado": entry.reference}
                    for entry in entries
                ],
            }
            event = AuditEvent(
                type=AuditEventType.PERSON_EXPORTED, actor=actor, login=document.login, reason=reason
            )
            await self._audit.record_in(session, event)
        return held

    async def erase(self, document: Document, *, actor: str, reason: str) -> Erased:
        """Remove it all: the account at once and for good, then the histories.

        A history that still runs meanwhile finds the erasure, and creates nothing again. What the
        person submits later is a new registration and stays.

        Raises:
            NotGoneError: Temporal is still removing histories; the account has been removed.
            TemporalUnavailableError: Temporal gave no answer.
        """
        erased = [
            await self._erase_one(each, actor=actor, reason=reason)
            for each in await self._documents(document)
        ]
        return Erased(
            accounts=sum(each.accounts for each in erased), workflows=sum(each.workflows for each in erased)
        )

    async def _documents(self, document: Document) -> list[Document]:
        """The document, and those whose accounts support joined with its account.

        The account that goes on comes last: the others leave with it, and would not be found again.
        """
        own = select(func.coalesce(AccountRow.joined_to, AccountRow.id)).where(
            AccountRow.login == document.login
        )
        lasting = own.scalar_subquery()
        family = (
            select(AccountRow)
            .where((AccountRow.id == lasting) | (AccountRow.joined_to == lasting))
            .order_by(AccountRow.joined_at.asc().nulls_last())
        )
        async with self._sessions() as session:
            rows = await session.scalars(family)
            found = [parse_document(row.document_type, row.document_number) for row in rows]
        return found or [document]

    async def _erase_one(self, document: Document, *, actor: str, reason: str) -> Erased:
        runs = [run async for run in self._runs(document)]
        for guarded in (document.login, guarded_factor(document.login)):
            await self._lockouts.lift(guarded)
        for limit in (DOCUMENT_ANSWERS, DOCUMENT_RECOVERIES, DOCUMENT_SUBMISSIONS):
            await self._limits.forget(limit, document.login)
        async with self._sessions.begin() as session:
            moment = await self._erasures.record_in(session, document.login)
            # Profiles, declarations, links and sessions go with it.
            removed = await session.execute(delete(AccountRow).where(AccountRow.login == document.login))
            erased = Erased(accounts=removed.rowcount, workflows=len(runs))
            event = AuditEvent(
                type=AuditEventType.PERSON_ERASED,
                actor=actor,
                login=document.login,
                reason=reason,
                details={"accounts": erased.accounts, "workflows": erased.workflows},
            )
            await self._audit.record_in(session, event)
        await self._delete(runs)
        # Temporal lists a run a moment after its start, so what began just before is listed only now.
        recent = self._runs(document, since=moment - _LISTED_WITHIN)
        await self._delete([run async for run in recent if run.start_time <= moment])
        return erased

    async def _runs(
        self, document: Document, *, since: datetime | None = None
    ) -> AsyncIterator[WorkflowExecution]:
        """Every run of every workflow about the person; with `since`, the recent ones."""
        submissions = [Submission(user_type=user_type, document=document) for user_type in KNOWN_BY_DOCUMENT]
        ids = set()
        for key in self._keys:
            references = [radicado_of(submission, key=key) for submission in submissions]
            recovery = recovery_reference(document, key=key)
            ids |= {names.registration_workflow_id(reference) for reference in references}
            ids |= {names.cancelled_notice_workflow_id(reference) for reference in references}
            ids |= {names.recovery_workflow_id(recovery), names.lock_notice_workflow_id(recovery)}
        for workflow_id in sorted(ids):
            async for run in self._listed(names.begun_since(names.runs_of(workflow_id), since)):
                yield run
        # Their radicado depends on more, which a refused registration leaves nowhere but in its input.
        candidates = [
            run
            for user_type in KNOWN_BY_MORE
            async for run in self._listed(names.begun_since(names.of_user_type(user_type), since))
        ]
        mailed_apart = set()
        for start in range(0, len(candidates), _READ_AT_ONCE):
            some = candidates[start : start + _READ_AT_ONCE]
            inputs = await asyncio.gather(*(self._input(run) for run in some))
            for run, request in zip(some, inputs, strict=True):
                applicant = request.get("submission", {}).get("document", {})
                if (applicant.get("type"), applicant.get("number")) == (document.type, document.number):
                    yield run
                    mailed_apart.add(names.cancelled_notice_workflow_id(names.reference_of(run.id)))
        for workflow_id in sorted(mailed_apart):
            async for run in self._listed(names.begun_since(names.runs_of(workflow_id), since)):
                yield run

    async def _listed(self, query: str) -> AsyncIterator[WorkflowExecution]:
        with translated():
            async for run in self._client.list_workflows(query):
                yield run

    async def _input(self, run: WorkflowExecution) -> dict[str, Any]:
        # A run that was started without the product's input is about no one, and must not stop the search.
        given = await input_of(self._client, run.id, run.run_id, object)
        return given if isinstance(given, dict) else {}

    async def _delete(self, runs: Sequence[WorkflowExecution]) -> None:
        """Remove histories for good; the server ends a running one first."""
        for run in runs:
            request = DeleteWorkflowExecutionRequest(
                namespace=self._client.namespace,
                workflow_execution=Execution(workflow_id=run.id, run_id=run.run_id),
            )
            with suppress(UnknownWorkflowError), translated():
                await self._client.workflow_service.delete_workflow_execution(request)
        try:
            async with asyncio.timeout(_GONE_SECONDS):
                for run in runs:
                    # The server does not announce when it is done.
                    while await self._is_there(run):  # noqa: ASYNC110
                        await asyncio.sleep(_GONE_PAUSE_SECONDS)
        except TimeoutError:
            raise NotGoneError from None

    async def _is_there(self, run: WorkflowExecution) -> bool:
        try:
            with translated():
                await self._client.get_workflow_handle(run.id, run_id=run.run_id).describe()
        except UnknownWorkflowError:
            return False
        return True


async def _rows(session: AsyncSession, table: type[Base], which: Any) -> list[dict[str, Any]]:
    rows: Iterable[Any] = await session.scalars(select(table).where(which))
    return [
        {
            column.name: getattr(row, column.key)
            for column in table.__table__.columns
            if column.name not in _NEVER_HANDED_OVER and not isinstance(getattr(row, column.key), bytes)
        }
        for row in rows
    ]


def as_json_value(value: object) -> str:
    """Dates and ids as text, for json.dumps."""
    return value.isoformat() if isinstance(value, datetime) else str(value)
