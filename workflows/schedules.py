"""What Temporal starts by itself. Created by the workers, the first of them once for all."""

from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)

from mipres.temporal import names
from workflows import policies
from workflows.retention import Retention

_EVERY_HOUR = timedelta(hours=1)


async def ensure_schedules(client: Client) -> None:
    """Create what is missing; whatever operators changed of a schedule stays."""
    action = ScheduleActionStartWorkflow(
        Retention.run,
        id=names.RETENTION_ID,
        task_queue=names.REGISTRATIONS_QUEUE,
        static_summary="Retención de datos",
        execution_timeout=policies.PURGE_TOTAL,
    )
    schedule = Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=_EVERY_HOUR)]),
        # A purge that missed its hour is made up for by the next one.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=_EVERY_HOUR),
    )
    try:
        await client.create_schedule(names.RETENTION_ID, schedule)
    except ScheduleAlreadyRunningError:
        return
