"""Telling the person that their login was locked."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.emails import LockNoticeInput
    from workflows import contract, steps
    from workflows.details import LOCK_NOTICE
    from workflows.durable_steps import notified


@workflow.defn(name="LoginLocked")
class LoginLocked:
    """Started for any login that is locked, so that locking tells nothing.

    Without an account nothing is mailed.
    """

    @workflow.run
    async def run(self, request: contract.LockNoticeRequest) -> None:
        """Mail the notice while it is worth reading."""
        workflow.set_current_details(LOCK_NOTICE)
        notice = LockNoticeInput(
            document=request.document,
            message_key=f"{request.reference}.{workflow.info().run_id}.bloqueo",
        )
        if not await notified(steps.SEND_LOCK_NOTICE, notice):
            workflow.logger.warning("the notice of a lock was not sent")
