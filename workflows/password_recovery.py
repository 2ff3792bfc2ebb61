"""Recovering a password: a link by mail, and a confirmation once it has been used."""

import uuid
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from mipres.domain.links import LinkPurpose
    from workflows import contract, policies, resending, steps
    from workflows.details import recovery_details
    from workflows.durable_steps import StepFailedError, StepRunner
    from workflows.links import PasswordLinks
    from workflows.publishing import Position, Publisher
    from workflows.waiting import comes_true


@workflow.defn(name="PasswordRecovery")
class PasswordRecovery:
    """Started for any document that is asked about, so that asking tells nothing."""

    @workflow.init
    def __init__(self, request: contract.RecoveryRequest) -> None:
        self._request = request
        self._steps = StepRunner(on_change=self._publish)
        self._sent_at: list[datetime] = []
        self._link_asked = True
        self._password_announced = False
        self._publisher = Publisher(
            describe=lambda position, _since: recovery_details(position, link_sent=bool(self._sent_at)),
            published=Position(),
            since=workflow.now(),
        )
        self._publisher.explain()

    @workflow.run
    async def run(self, request: contract.RecoveryRequest) -> None:
        """Mail links if there is an account, until one is used or the last one expires."""
        try:
            account_id = await self._steps.do(steps.FIND_ACCOUNT, request.document)
            if account_id is not None:
                await self._recover(account_id)
        except StepFailedError as failure:
            # The account is gone, or what a step needs was away for days: nobody waits for this any more.
            workflow.logger.warning("a password recovery was given up: %s", failure.type)

    @workflow.signal(description="Se pidió otra vez recuperar la contraseña. Sin contenido.")
    def link_asked(self) -> None:
        """Another link, unless the last one is too fresh."""
        allowed = resending.wait(self._sent_at, now=workflow.now()) == timedelta(0)
        self._link_asked = self._link_asked or allowed

    @workflow.signal(description="La persona cambió su contraseña. Sin contenido; la base de datos decide.")
    def password_set(self) -> None:
        """A hint only: the link's use is in the database."""
        self._password_announced = True

    async def _recover(self, account_id: uuid.UUID) -> None:
        links = PasswordLinks(
            self._steps,
            reference=self._request.reference,
            purpose=LinkPurpose.RECOVER,
            lifetime=policies.RECOVERY_LINK_LIFETIME,
        )
        while self._link_asked:
            self._link_asked = False
            self._sent_at.append(workflow.now())
            await links.send(account_id, number=len(self._sent_at))
            self._publisher.explain()
            await comes_true(
                lambda: self._password_announced or self._link_asked,
                within=links.lifetime,
                summary="Hasta el vencimiento del enlace",
            )
            if self._password_announced:
                await links.confirm(account_id)
                return
        await links.expire(account_id)

    def _publish(self) -> None:
        self._publisher.publish(
            Position(waiting_on=self._steps.waiting_on, stuck_since=self._steps.stuck_since)
        )
