"""Removing what has served its purpose, whenever workflows/schedules.py says."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.retention import PurgeResult, RetentionActivities
    from workflows import policies
    from workflows.details import RETENTION


@workflow.defn(name="Retention")
class Retention:
    """One purge. Its result tells how many rows went, by table."""

    @workflow.run
    async def run(self) -> PurgeResult:
        """Purge, patiently: the next one waits for this one."""
        workflow.set_current_details(RETENTION)
        return await workflow.execute_activity_method(
            RetentionActivities.purge_expired,
            start_to_close_timeout=policies.PURGE_ATTEMPT,
            retry_policy=policies.PATIENT_RETRY,
            activity_id="depurar",
            summary="Retirar lo que venció",
        )
