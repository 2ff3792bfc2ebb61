"""Telling applications of logouts, whenever workflows/schedules.py says."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.backchannel_logouts import BackchannelLogouts as LogoutActivities
    from workflows import policies
    from workflows.details import BACKCHANNEL_LOGOUTS


@workflow.defn(name="BackchannelLogouts")
class BackchannelLogouts:
    """One round over the logins that ended."""

    @workflow.run
    async def run(self) -> None:
        """Tell until none is left to try again; the next round waits for this one."""
        workflow.set_current_details(BACKCHANNEL_LOGOUTS)
        await workflow.execute_activity_method(
            LogoutActivities.announce_logouts,
            start_to_close_timeout=policies.LOGOUTS_ATTEMPT,
            retry_policy=policies.LOGOUTS_RETRY,
            activity_id="avisar-salidas",
            summary="Avisar a las aplicaciones las sesiones que terminaron",
        )
