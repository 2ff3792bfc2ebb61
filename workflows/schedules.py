"""What Temporal starts by itself.

Created by the workers, the first of them once for all.
"""

import dataclasses
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleUpdate,
)
from temporalio.service import RPCError, RPCStatusCode

from mipres.domain import sentences
from mipres.domain.eligibility import BOGOTA
from mipres.temporal import names
from workflows import policies
from workflows.access_notices import AccessNotices
from workflows.access_review import AccessReview
from workflows.backchannel_logouts import BackchannelLogouts
from workflows.retention import Retention


def retention_schedule() -> Schedule:
    """Purge each hour, one purge at a time."""
    action = ScheduleActionStartWorkflow(
        Retention.run,
        id=names.RETENTION_ID,
        task_queue=names.REGISTRATIONS_QUEUE,
        static_summary="Retención de datos",
        execution_timeout=policies.PURGE_TOTAL,
    )
    return _repeated(action, every=policies.PURGE_EVERY)


def notices_schedule() -> Schedule:
    """Mail changes of access every minute, one round at a time."""
    action = ScheduleActionStartWorkflow(
        AccessNotices.run,
        id=names.ACCESS_NOTICES_ID,
        task_queue=names.REGISTRATIONS_QUEUE,
        static_summary=sentences.ACCESS_NOTICES,
        execution_timeout=policies.NOTICES_TOTAL,
    )
    return _repeated(action, every=policies.NOTICES_EVERY)


def logouts_schedule() -> Schedule:
    """Tell applications of logouts every minute, one round at a time."""
    action = ScheduleActionStartWorkflow(
        BackchannelLogouts.run,
        id=names.BACKCHANNEL_LOGOUTS_ID,
        task_queue=names.REGISTRATIONS_QUEUE,
        static_summary=sentences.BACKCHANNEL_LOGOUTS,
        execution_timeout=policies.LOGOUTS_TOTAL,
    )
    return _repeated(action, every=policies.LOGOUTS_EVERY)


def _repeated(action: ScheduleActionStartWorkflow, *, every: timedelta) -> Schedule:
    """One round at a time; the next one makes up for a round that was missed."""
    return Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=every),
    )


def review_schedule() -> Schedule:
    """Review each night, just after the placements that ended at midnight."""
    return Schedule(
        action=ScheduleActionStartWorkflow(
            AccessReview.run,
            id=names.ACCESS_REVIEW_ID,
            task_queue=names.REGISTRATIONS_QUEUE,
            static_summary="Revisión de accesos",
        ),
        spec=ScheduleSpec(
            calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(0)], minute=[ScheduleRange(5)])],
            time_zone_name=BOGOTA.key,
        ),
        # A review that takes more than a night, or waits for support, lets no second one begin.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=policies.REVIEW_CATCH_UP),
    )


async def ensure_schedules(client: Client, *, reviews: bool) -> None:
    """Create what is missing and bring what is there up to date.

    A pause by operators stays. Where no registry is to be asked again, there is no schedule of reviews.
    """
    await _ensure(client, names.RETENTION_ID, retention_schedule())
    await _ensure(client, names.ACCESS_NOTICES_ID, notices_schedule())
    await _ensure(client, names.BACKCHANNEL_LOGOUTS_ID, logouts_schedule())
    if reviews:
        await _ensure(client, names.ACCESS_REVIEW_ID, review_schedule())
    else:
        await _remove(client, names.ACCESS_REVIEW_ID)


async def _remove(client: Client, schedule_id: str) -> None:
    try:
        await client.get_schedule_handle(schedule_id).delete()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


async def _ensure(client: Client, schedule_id: str, wanted: Schedule) -> None:
    try:
        await client.create_schedule(schedule_id, wanted)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(schedule_id).update(
            lambda found: ScheduleUpdate(
                schedule=dataclasses.replace(wanted, state=found.description.schedule.state)
            )
        )
