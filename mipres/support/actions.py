"""What support does, from the command line and at /soporte alike: find, look, act.

Each leaves a trace.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from mipres.database.audit import PostgresAuditTrail
from mipres.domain.audit import AuditEvent, AuditEventType
from mipres.domain.documents import Document
from mipres.domain.radicado import KNOWN_BY_DOCUMENT, radicado_of, recovery_reference
from mipres.domain.stages import Stage
from mipres.domain.submissions import Submission
from mipres.support.desk import (
    Action,
    ActionRefusedError,
    ActionUnansweredError,
    Case,
    SupportDesk,
)
from mipres.support.mails import WaitingMail
from mipres.support.records import PersonView, SupportRecords
from mipres.temporal import names
from mipres.temporal.answers import TemporalUnavailableError, UnknownWorkflowError

_EVENTS = {
    Action.RETRY: AuditEventType.RETRY_ASKED,
    Action.RESEND: AuditEventType.RESEND_ASKED,
    Action.CANCEL: AuditEventType.CANCEL_ASKED,
}
_ASKED = {
    Action.RETRY: "reintento pedido",
    Action.RESEND: "otro enlace pedido",
    Action.CANCEL: "cancelado",
}
# Between the list and the question it went on by itself, which is what was wanted.
_WENT_ON = "ya no espera"
_BULK_AT_ONCE = 20


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is known of one document."""

    person: PersonView | None
    cases: tuple[Case, ...]


@dataclass(frozen=True, kw_only=True)
class BulkResult:
    """How one registration of many answered.

    Attributes:
        feedback: In a few Spanish words.
        failed: It still waits, and nothing was done.
    """

    case: Case
    feedback: str
    failed: bool = False


@dataclass(frozen=True, kw_only=True)
class MailResult:
    """How the retry of one mail of many went; as in `BulkResult`."""

    mail: WaitingMail
    feedback: str
    failed: bool = False


class Support:
    """Finds and acts, and records both.

    Args:
        desk: Temporal.
        records: The accounts.
        audit: The trail.
        radicado_key: Key of the radicado's hash.
        older_radicado_keys: Keys of before a rotation, whose radicados live on.
    """

    def __init__(
        self,
        *,
        desk: SupportDesk,
        records: SupportRecords,
        audit: PostgresAuditTrail,
        radicado_key: bytes,
        older_radicado_keys: Sequence[bytes] = (),
    ) -> None:
        self.desk = desk
        self.audit = audit
        self._records = records
        self._keys = (radicado_key, *older_radicado_keys)

    async def find(self, document: Document, *, actor: str) -> Found:
        """Everything of one person: registrations, recoveries, and the account, masked."""
        person = await self._records.person(document, actor=actor)
        written = await self.audit.entries(login=document.login)
        references = [entry.reference for entry in written if entry.reference]
        references += person.radicados if person else ()
        # The radicados that depend on more than the document are in the accounts and in the trail.
        submissions = [Submission(user_type=user_type, document=document) for user_type in KNOWN_BY_DOCUMENT]
        for key in self._keys:
            references += [radicado_of(submission, key=key) for submission in submissions]
            references.append(recovery_reference(document, key=key))
        cases = await self.desk.cases(list(dict.fromkeys(references)))
        return Found(person=person, cases=tuple(sorted(cases, key=lambda case: case.started_at)))

    async def show(
        self, reference: str, *, actor: str, reason: str | None = None
    ) -> tuple[Case, PersonView | None]:
        """One registration, and its person: in clear only with a reason.

        Raises:
            UnknownWorkflowError: Temporal does not know it.
        """
        case = await self.desk.case(reference)
        return case, await self._records.person_of(reference, actor=actor, reason=reason)

    async def cut_off(self) -> list[Case]:
        """Registrations that Temporal stopped while the person waits.

        Not those whose password exists anyway.
        """
        cases = await self.desk.cut_off()
        finished = await self._records.with_password([case.reference for case in cases])
        return [
            case
            for case in cases
            if case.stage is not Stage.AWAITING_PASSWORD or case.reference not in finished
        ]

    async def act(self, action: Action, reference: str, *, reason: str, actor: str) -> None:
        """Have a registration do something; what the desk raises is raised.

        The request is recorded first: without a trail nothing is done.
        """
        event = AuditEvent(type=_EVENTS[action], actor=actor, reference=reference, reason=reason)
        await self.audit.record(event)
        try:
            await self.desk.act(action, reference, reason=reason)
        except (ActionRefusedError, UnknownWorkflowError) as error:
            why = error.type if isinstance(error, ActionRefusedError) else "NotRunning"
            await self.audit.record(
                AuditEvent(
                    type=event.type, actor=actor, reference=reference, reason=reason, details={"refused": why}
                )
            )
            raise

    async def act_on_all(
        self,
        action: Action,
        cases: Sequence[Case],
        *,
        reason: str,
        actor: str,
        jitter: timedelta,
        spread: Callable[[], float] = random.random,
    ) -> AsyncIterator[BulkResult]:
        """Act on many, each at a random moment within `jitter`.

        What is back is not overrun.
        """
        slots = asyncio.Semaphore(_BULK_AT_ONCE)

        async def one(case: Case) -> BulkResult:
            await asyncio.sleep(spread() * jitter.total_seconds())
            async with slots:
                return await self._act_on_one(action, case, reason=reason, actor=actor)

        for done in asyncio.as_completed([one(case) for case in cases]):
            yield await done

    async def retry_mails(
        self,
        mails: Sequence[WaitingMail],
        *,
        reason: str,
        actor: str,
        jitter: timedelta,
        spread: Callable[[], float] = random.random,
    ) -> AsyncIterator[MailResult]:
        """Retry mails that no registration waits for, spread over `jitter`."""
        slots = asyncio.Semaphore(_BULK_AT_ONCE)

        async def one(mail: WaitingMail) -> MailResult:
            await asyncio.sleep(spread() * jitter.total_seconds())
            async with slots:
                return await self._retry_mail(mail, reason=reason, actor=actor)

        for done in asyncio.as_completed([one(mail) for mail in mails]):
            yield await done

    async def _retry_mail(self, mail: WaitingMail, *, reason: str, actor: str) -> MailResult:
        await self.audit.record(
            AuditEvent(
                type=AuditEventType.RETRY_ASKED,
                actor=actor,
                reference=mail.reference,
                reason=reason,
                details={"step": mail.step},
            )
        )
        try:
            await self.desk.mails.retry(mail)
        except UnknownWorkflowError:
            return MailResult(mail=mail, feedback=_WENT_ON)
        except TemporalUnavailableError:
            return MailResult(mail=mail, feedback="no respondió a tiempo", failed=True)
        return MailResult(mail=mail, feedback=_ASKED[Action.RETRY])

    async def _act_on_one(self, action: Action, case: Case, *, reason: str, actor: str) -> BulkResult:
        try:
            await self.act(action, case.reference, reason=reason, actor=actor)
        except ActionRefusedError as error:
            if error.type != names.WRONG_STAGE:
                return BulkResult(case=case, feedback=f"no se hizo: {error.message}", failed=True)
            return BulkResult(case=case, feedback=_WENT_ON)
        except UnknownWorkflowError:
            return BulkResult(case=case, feedback=_WENT_ON)
        except ActionUnansweredError:
            return BulkResult(case=case, feedback="no respondió a tiempo", failed=True)
        return BulkResult(case=case, feedback=_ASKED[action])
