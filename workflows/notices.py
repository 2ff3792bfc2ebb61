"""Mails about a registration that it does not depend on.

They are sent while they are worth reading.
"""

from contextlib import suppress
from dataclasses import replace

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from activities.emails import NoticeInput, RefusalNoticeInput, SupportNoticeInput
from mipres.domain.outcomes import Refusal
from mipres.domain.people import Person
from mipres.temporal import names
from workflows import contract, steps
from workflows.cancelled_notice import CancelledNotice
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

    async def cancelled(self, person: Person, *, apart: bool) -> None:
        """Mail it, or leave it to a run of its own."""
        notice = self._about(person, "cancelado")
        if not apart:
            await self._send(steps.SEND_CANCELLED_NOTICE, notice)
            return
        # The same news of the registration before, which still waits for the mail server.
        with suppress(WorkflowAlreadyStartedError):
            await workflow.start_child_workflow(
                CancelledNotice.run,
                notice,
                id=names.cancelled_notice_workflow_id(self._reference),
                parent_close_policy=ParentClosePolicy.ABANDON,
                static_summary="Aviso de cancelación",
            )

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
