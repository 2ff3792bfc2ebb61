"""Recovering a password: a link by mail, and a confirmation once it has been used."""

import uuid
from contextlib import suppress
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.accounts import ExpireLinkInput, FindAccountInput, FindAccountResult
    from activities.emails import ConfirmPasswordInput, SendLinkInput
    from mipres.domain.links import LinkPurpose
    from mipres.temporal import names
    from workflows import contract, policies, steps
    from workflows.details import recovery_details
    from workflows.durable_steps import StepRunner
    from workflows.resending import LinkBudget


@workflow.defn(name="PasswordRecovery")
class PasswordRecovery:
    """Started for any document that is asked about, so that asking tells nothing."""

    @workflow.init
    def __init__(self, request: contract.RecoveryRequest) -> None:
        self._request = request
        self._steps = StepRunner(on_change=self._publish)
        self._links = LinkBudget()
        self._link_asked = True
        self._password_announced = False
        self._explain()

    @workflow.run
    async def run(self, _request: contract.RecoveryRequest) -> None:
        """Mail links if there is an account, until one is used or the last one's time is over."""
        try:
            found: FindAccountResult = await self._steps.do(
                steps.FIND_ACCOUNT, FindAccountInput(document=self._request.document)
            )
            if found.account_id is not None:
                await self._recover(found.account_id)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.warning("a password recovery was given up: a step was retried for days")

    @workflow.signal(description="Se pidió otra vez recuperar la contraseña. Sin contenido.")
    def link_asked(self) -> None:
        """Another link, unless the last one is too fresh."""
        self._link_asked = self._link_asked or self._links.wait(workflow.now()) == timedelta(0)

    @workflow.signal(description="La persona cambió su contraseña. Sin contenido; la base de datos decide.")
    def password_set(self) -> None:
        """A hint only: the link's use is in the database."""
        self._password_announced = True

    async def _recover(self, account_id: uuid.UUID) -> None:
        while self._link_asked:
            await self._send_link(account_id)
            await self._wait_for_news(workflow.now() + policies.RECOVERY_LINK_LIFETIME)
            if self._password_announced:
                confirmation = ConfirmPasswordInput(
                    account_id=account_id, message_key=self._key("confirmacion")
                )
                await self._steps.mail(steps.CONFIRM_PASSWORD, confirmation)
                return
        closing = ExpireLinkInput(account_id=account_id, reference=self._request.reference)
        await self._steps.do(steps.EXPIRE_LINK, closing)

    async def _send_link(self, account_id: uuid.UUID) -> None:
        self._link_asked = False
        self._links.note(workflow.now())
        link = SendLinkInput(
            account_id=account_id,
            reference=self._request.reference,
            purpose=LinkPurpose.RECOVER,
            lifetime=policies.RECOVERY_LINK_LIFETIME,
            issue_key=self._key(f"enlace-{self._links.count}"),
        )
        await self._steps.mail(steps.SEND_LINK, link)
        self._explain()

    async def _wait_for_news(self, deadline: datetime) -> None:
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._password_announced or self._link_asked,
                timeout=deadline - workflow.now(),
                timeout_summary="Hasta el vencimiento del enlace",
            )

    def _publish(self) -> None:
        waiting, stuck = self._steps.waiting_on, self._steps.stuck_since
        workflow.upsert_search_attributes(
            [
                names.WAITING_ON.value_set([waiting]) if waiting else names.WAITING_ON.value_unset(),
                names.STUCK_SINCE.value_set(stuck) if stuck else names.STUCK_SINCE.value_unset(),
            ]
        )
        self._explain()

    def _explain(self) -> None:
        workflow.set_current_details(
            recovery_details(
                self._steps.waiting_on,
                link_sent=self._links.count > 0,
                stuck_since=self._steps.stuck_since,
            )
        )

    def _key(self, purpose: str) -> str:
        return f"{self._request.reference}.{workflow.info().run_id}.{purpose}"
