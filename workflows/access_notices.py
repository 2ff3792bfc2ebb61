"""Mailing what has changed of access, whenever workflows/schedules.py says."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.access_notices import AccessNotices as NoticeActivities
    from mipres.temporal.names import MailStep
    from workflows import policies
    from workflows.details import ACCESS_NOTICES


@workflow.defn(name="AccessNotices")
class AccessNotices:
    """One round over the changes that wait for their mail."""

    @workflow.run
    async def run(self) -> int:
        """Mail until nothing waits; the next round waits for this one."""
        workflow.set_current_details(ACCESS_NOTICES)
        return await workflow.execute_activity_method(
            NoticeActivities.mail_access_changes,
            start_to_close_timeout=policies.NOTICES_ATTEMPT,
            heartbeat_timeout=policies.MAIL_HEARTBEAT,
            retry_policy=policies.PATIENT_RETRY,
            activity_id=MailStep.ACCESS,
            summary="Avisar por correo los cambios de acceso",
        )
