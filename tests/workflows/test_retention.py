"""The workflow Retention and the schedule that starts it."""

import asyncio
from datetime import timedelta

from temporalio.client import (
    Client,
    ScheduleHandle,
    ScheduleIntervalSpec,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from mipres.temporal import names
from tests.workflows.conftest import World, told_to_support
from workflows.retention import Retention
from workflows.schedules import ensure_schedules


async def test_a_purge_is_repeated_until_the_database_answers(world: World) -> None:
    world.retention.failures = 1
    handle = await world.env.client.start_workflow(
        Retention.run, id="retention-of-a-test", task_queue=names.REGISTRATIONS_QUEUE
    )
    await world.passes(handle, timedelta(minutes=1))
    assert (await handle.result()).removed == {"sessions": 3}
    assert world.retention.purges == 2
    await world.keep(handle, "retention")
    assert "Corre cada hora" in await told_to_support(handle)


async def test_every_worker_may_create_the_schedule_and_there_is_one(
    world: World, scheduling: Client
) -> None:
    await asyncio.gather(*(ensure_schedules(scheduling, reviews=True) for _ in range(3)))
    handle = scheduling.get_schedule_handle(names.RETENTION_ID)
    await handle.update(_as_of_an_older_version)
    await world.eventually(lambda: _shows(handle, every=timedelta(days=1), paused=False))
    await handle.pause(note="lo pidió operación")
    await world.eventually(lambda: _shows(handle, every=timedelta(days=1), paused=True))
    await ensure_schedules(scheduling, reviews=True)
    # The spec is today's, and what an operator decided stays.
    await world.eventually(lambda: _shows(handle, every=timedelta(hours=1), paused=True))


def _as_of_an_older_version(found: ScheduleUpdateInput) -> ScheduleUpdate:
    schedule = found.description.schedule
    schedule.spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(days=1))])
    return ScheduleUpdate(schedule=schedule)


async def _shows(handle: ScheduleHandle, *, every: timedelta, paused: bool) -> bool:
    schedule = (await handle.describe()).schedule
    return ([one.every for one in schedule.spec.intervals], schedule.state.paused) == ([every], paused)
