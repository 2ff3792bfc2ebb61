"""Recovering a password: a link by mail, and a confirmation once it has been used."""

import uuid
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.addresses import SettleAddressInput, SettleAddressResult
    from activities.emails import ChangeStoppedInput
    from mipres.domain import sentences
    from mipres.domain.links import LinkPurpose
    from workflows import contract, policies, resending, steps
    from workflows.address_notices import notify_addresses
    from workflows.details import recovery_details
    from workflows.durable_steps import StepFailedError, StepRunner, notified
    from workflows.links import LinkReplacedError, PasswordLinks
    from workflows.notices import message_key
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
        self._replaced = 0
        self._link_asked = True
        self._password_announced = False
        self._change_stopped = False
        self._stops = 0
        self._waits_until: datetime | None = None
        self._publisher = Publisher(
            describe=lambda position, _since: recovery_details(
                position, link_sent=bool(self._sent_at), waits_until=self._waits_until
            ),
            published=Position(),
            since=workflow.now(),
        )
        self._publisher.explain()

    @workflow.run
    async def run(self, request: contract.RecoveryRequest) -> None:
        """Mail links if there is an account, until one is used or the last one expires."""
        while self._link_asked:
            was_followed = await self._recover(request)
            # A mail or the database may have kept the end waiting for hours, in which a link was asked for.
            is_asked = was_followed and self._link_asked and not self._change_stopped
            if not (is_asked and workflow.patched("asked-at-the-end")):
                break
            self._password_announced = False
        while self._change_stopped:
            # The person who stopped a change may recover at once, while support is being notified.
            self._change_stopped = False
            await workflow.wait_condition(lambda: self._link_asked or workflow.all_handlers_finished())
            if self._link_asked:
                await self._recover(request)
        await workflow.wait_condition(workflow.all_handlers_finished)

    @workflow.signal(description="Se pidió otra vez recuperar la contraseña. Sin contenido.")
    def link_asked(self) -> None:
        """Another link, unless the last one is too fresh."""
        allowed = resending.wait(self._sent_at, now=workflow.now()) == timedelta(0)
        self._link_asked = self._link_asked or allowed

    @workflow.signal(description=f"La persona cambió su contraseña. {sentences.DATABASE_DECIDES}")
    def password_set(self) -> None:
        """A hint only: the link's use is in the database."""
        self._password_announced = True

    @workflow.signal(description="La persona detuvo el cambio de su correo. Sin contenido.")
    async def address_change_stopped(self) -> None:
        """End what was asked before, perhaps by another person; notify support."""
        self._change_stopped, self._link_asked = True, False
        self._stops += 1
        notice = ChangeStoppedInput(
            reference=self._request.reference,
            message_key=message_key(self._request.reference, f"cambio-detenido-{self._stops}"),
        )
        # A run reports one stop to support; the trail has each.
        if self._stops == 1 and not await notified(steps.NOTIFY_CHANGE_STOPPED, notice):
            workflow.logger.warning("support was not notified of a stopped change")

    async def _recover(self, request: contract.RecoveryRequest) -> bool:
        """Mail links and follow the last one; False where there was none to follow."""
        try:
            account_id = await self._steps.do(steps.FIND_ACCOUNT, request.document)
            if account_id is not None:
                await self._send_links(account_id)
                return True
        except StepFailedError as failure:
            # The account is gone, or what a step needs was away for days: nobody waits for this any more.
            workflow.logger.warning("a password recovery was given up: %s", failure.type)
        return False

    async def _send_links(self, account_id: uuid.UUID) -> None:
        links = PasswordLinks(
            self._steps,
            reference=self._request.reference,
            purpose=LinkPurpose.RECOVER,
            lifetime=policies.RECOVERY_LINK_LIFETIME,
        )
        while self._link_asked and not self._change_stopped:
            self._link_asked = False
            # Recoveries from before the patch mail the stored address, as they began.
            if workflow.patched("address-changes") and not await self._settle_address(account_id):
                break
            self._sent_at.append(workflow.now())
            try:
                await links.send(
                    account_id,
                    number=len(self._sent_at),
                    replaced=self._replaced,
                    is_another_asked=lambda: self._link_asked or self._change_stopped,
                )
            except LinkReplacedError:
                self._sent_at.pop()
                self._replaced += 1
                continue
            self._publisher.explain()
            await comes_true(
                lambda: self._password_announced or self._link_asked or self._change_stopped,
                within=links.lifetime,
                summary="Hasta el vencimiento del enlace",
            )
            if self._password_announced:
                await links.confirm(account_id)
                return
        closed = await links.expire(account_id)
        if closed.was_used:
            # The signal is lost, and the owner of the mailbox has to learn of the change.
            await links.confirm(account_id)

    async def _settle_address(self, account_id: uuid.UUID) -> bool:
        """Wait until the address can be used that the registry has now.

        False when the owner of the old address stops its change.
        """
        reference = self._request.reference
        request = SettleAddressInput(
            account_id=account_id, document=self._request.document, reference=reference
        )
        while not self._change_stopped:
            settled: SettleAddressResult = await self._steps.do(steps.SETTLE_ADDRESS, request)
            if settled.change_id is None:
                break
            remaining = await notify_addresses(self._steps, settled.change_id, reference=reference)
            if remaining is not None:
                await self._wait_for_change(remaining)
        self._waits_until = None
        self._link_asked = self._link_asked and self._change_stopped
        self._publisher.explain()
        return not self._change_stopped

    async def _wait_for_change(self, remaining: timedelta) -> None:
        """Wait for the end of a change's wait, or for somebody who asks again.

        That person may have stopped the change meanwhile.
        """
        # The database decides when the time is over, and its answer may come a little late.
        within = remaining + policies.CHANGE_MARGIN
        self._waits_until = workflow.now() + within
        self._publisher.explain()
        # Who stopped the change and asked again, while its notices were still being mailed, is in no wait.
        if not (self._change_stopped and workflow.patched("asked-after-a-stop")):
            self._link_asked = False
        await comes_true(
            lambda: self._link_asked or self._change_stopped,
            within=within,
            summary="Hasta que se pueda usar el correo nuevo",
        )

    def _publish(self) -> None:
        self._publisher.publish(
            Position(waiting_on=self._steps.waiting_on, stuck_since=self._steps.stuck_since)
        )
