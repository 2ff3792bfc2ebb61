"""Mails about a registration that it does not depend on.

They are sent while they are worth reading.
"""

from dataclasses import replace

from temporalio import workflow

from activities.emails import NoticeInput, RefusalNoticeInput, SupportNoticeInput
from mipres.domain.outcomes import Refusal
from mipres.domain.people import Person
from workflows import contract, steps
from workflows.durable_steps import notified


def message_key(reference: str, purpose: str) -> str:
    """Name one mail of one run, so that a retried activity is seen as the same mail."""
    return f"{reference}.{workflow.info().run_id}.{purpose}"


class Notices:
    """Notifies the person, who may have no account yet, and support."""

    def __init__(self, request: contract.RegistrationRequest) -> None:
        self._reference = request.radicado
        self._submission = request.submission
        self._login = request.submission.document.login

    async def delay(self, person: Person) -> None:
        notice = self._about(person, "demora")
        # A run that takes the waiting over must not mail the same news again.
        key = f"{self._reference}.{workflow.info().first_execution_run_id}.demora"
        await self._send(steps.SEND_DELAY_NOTICE, replace(notice, message_key=key))

    async def given_up(self, person: Person) -> None:
        await self._send(steps.SEND_GIVEN_UP_NOTICE, self._about(person, "sin-terminar"))

    async def cancelled(self, person: Person) -> None:
        await self._send(steps.SEND_CANCELLED_NOTICE, self._about(person, "cancelado"))

    async def refusal(self, person: Person, refusal: Refusal, *, may_wait: bool) -> None:
        await self._send(steps.SEND_REFUSAL_NOTICE, self._about_refusal(person, refusal, may_wait=may_wait))

    async def wait_ended(self, person: Person, refusal: Refusal, *, may_wait: bool) -> None:
        await self._send(
            steps.SEND_WAIT_ENDED_NOTICE, self._about_refusal(person, refusal, may_wait=may_wait)
        )

    async def support(self, waiting_on: str) -> None:
        notice = SupportNoticeInput(
            reference=self._reference,
            waiting_on=waiting_on,
            message_key=message_key(self._reference, "soporte"),
        )
        await self._send(steps.NOTIFY_SUPPORT, notice)

    def _about(self, person: Person, purpose: str) -> NoticeInput:
        return NoticeInput(
            person=person,
            login=self._login,
            reference=self._reference,
            message_key=message_key(self._reference, purpose),
        )

    def _about_refusal(self, person: Person, refusal: Refusal, *, may_wait: bool) -> RefusalNoticeInput:
        return RefusalNoticeInput(
            person=person,
            login=self._login,
            reference=self._reference,
            message_key=message_key(self._reference, "rechazo"),
            refusal=refusal,
            submission=self._submission,
            may_wait=may_wait,
        )

    async def _send(self, step: steps.Step, notice: object) -> None:
        if not await notified(step, notice):
            workflow.logger.warning("a notice of %s was not sent", self._reference)
