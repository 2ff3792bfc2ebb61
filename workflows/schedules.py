"""What Temporal starts by itself.

Created by the workers, the first of them once for all.
"""

import dataclasses

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
)

from mipres.temporal import names
from workflows import policies
from workflows.retention import Retention


def retention_schedule() -> Schedule:
    """Purge each hour, one purge at a time."""
    return Schedule(
        action=ScheduleActionStartWorkflow(
            Retention.run,
            id=names.RETENTION_ID,
            task_queue=names.REGISTRATIONS_QUEUE,
            static_summary="Retención de datos",
            execution_timeout=policies.PURGE_TOTAL,
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=policies.PURGE_EVERY)]),
        # The next purge makes up for one that missed its hour.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=policies.PURGE_EVERY),
    )


async def ensure_schedules(client: Client) -> None:
    """Create what is missing and bring what is there up to date.

    A pause by operators stays.
    """
    wanted = retention_schedule()
    try:
        await client.create_schedule(names.RETENTION_ID, wanted)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(names.RETENTION_ID).update(
            lambda found: ScheduleUpdate(
                schedule=dataclasses.replace(wanted, state=found.description.schedule.state)
            )
        )
