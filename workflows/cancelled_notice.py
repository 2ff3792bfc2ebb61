"""Telling the person that support cancelled the registration."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.emails import NoticeInput
    from workflows import steps
    from workflows.details import CANCELLED_NOTICE
    from workflows.durable_steps import notified


@workflow.defn(name="CancelledNotice")
class CancelledNotice:
    """Started by the registration, which ends at once, also while no mail goes out."""

    @workflow.run
    async def run(self, notice: NoticeInput) -> None:
        """Mail the notice while it is worth reading."""
        workflow.set_current_details(CANCELLED_NOTICE)
        if not await notified(steps.SEND_CANCELLED_NOTICE, notice):
            workflow.logger.warning("the notice of a cancelling was not sent")
