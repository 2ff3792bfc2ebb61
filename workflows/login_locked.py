"""Telling the person that their login was locked."""

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.emails import LockNoticeInput
    from workflows import contract, policies, steps
    from workflows.details import LOCK_NOTICE


@workflow.defn(name="LoginLocked")
class LoginLocked:
    """Started for any login that is locked, so that locking tells nothing; without an account nothing is mailed."""

    @workflow.run
    async def run(self, request: contract.LockNoticeRequest) -> None:
        """Mail the notice while it is worth reading."""
        workflow.set_current_details(LOCK_NOTICE)
        step = steps.SEND_LOCK_NOTICE
        notice = LockNoticeInput(
            document=request.document,
            message_key=f"{request.reference}.{workflow.info().run_id}.bloqueo",
        )
        try:
            await workflow.execute_activity_method(
                step.activity,
                notice,
                start_to_close_timeout=step.attempt,
                schedule_to_close_timeout=policies.NOTICE_WORTH_SENDING,
                retry_policy=policies.PATIENT_RETRY,
                activity_id=step.id,
                summary=step.summary,
            )
        except FailureError as failure:
            if is_cancelled_exception(failure):
                raise
            workflow.logger.warning("the notice of a lock was not sent")
