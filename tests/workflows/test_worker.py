"""The workers as worker.py builds them.

Gentle to registries, never stuck on their cache, patient when they stop.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker, WorkerConfig

from activities.catalog import catalog
from activities.spacing import SpacedCalls
from mipres.database.failures import database_fault
from mipres.domain.mail import Mail
from mipres.domain.stages import REGISTRIES
from mipres.ports import BeforeHandingOver
from mipres.temporal.names import REGISTRATIONS_QUEUE, registry_queue
from tests.fakes import FakeMailer
from tests.workflows.conftest import MEDICINE, World
from workflows.policies import BEGUN_PER_SECOND, HANDED_OUT_PER_SECOND, REGISTRY_CALLS_PER_SECOND
from workflows.workers import build_workers, running

LOST_WORK = {EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT, EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED}


@dataclass(kw_only=True)
class HeldMailer(FakeMailer):
    """Holds each mail in the middle of being sent."""

    sending: asyncio.Event = field(default_factory=asyncio.Event)
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, mail: Mail, *, before_handing_over: BeforeHandingOver | None = None) -> None:
        self.sending.set()
        await self.may_go_on.wait()
        await super().send(mail, before_handing_over=before_handing_over)


@dataclass(kw_only=True)
class Shift:
    """The running workers, over fake ports."""

    world: World
    mailer: HeldMailer
    workers: list[Worker]

    def config(self, queue: str) -> WorkerConfig:
        return next(worker.config() for worker in self.workers if worker.task_queue == queue)


@pytest.fixture
async def shift(temporal_env: WorkflowEnvironment) -> AsyncIterator[Shift]:
    mailer = HeldMailer()
    world = World(env=temporal_env, mailer=mailer)
    workers = build_workers(temporal_env.client, catalog(world.ports()), database_fault=database_fault)
    async with running(workers):
        yield Shift(world=world, mailer=mailer, workers=workers)


async def test_each_queue_has_a_worker_and_each_registry_a_limit(shift: Shift) -> None:
    limits = {
        str(worker.task_queue): worker.config().get("max_task_queue_activities_per_second")
        for worker in shift.workers
    }
    gentle = {registry_queue(name): HANDED_OUT_PER_SECOND for name in REGISTRIES}
    assert limits == {REGISTRATIONS_QUEUE: None, **gentle}
    assert HANDED_OUT_PER_SECOND < BEGUN_PER_SECOND < REGISTRY_CALLS_PER_SECOND
    paced = {
        str(worker.task_queue)
        for worker in shift.workers
        if any(isinstance(item, SpacedCalls) for item in worker.config().get("interceptors") or ())
    }
    assert paced == set(gentle)


async def test_a_full_cache_always_has_a_place_to_give_up(shift: Shift) -> None:
    config = shift.config(REGISTRATIONS_QUEUE)
    tasks, places = config.get("max_concurrent_workflow_tasks"), config.get("max_cached_workflows")
    assert tasks is not None
    assert places is not None
    assert tasks * 2 <= places


async def test_workers_that_stop_finish_what_they_do(temporal_env: WorkflowEnvironment) -> None:
    mailer = HeldMailer()
    world = World(env=temporal_env, mailer=mailer)
    world.knows(MEDICINE)
    async with running(
        build_workers(temporal_env.client, catalog(world.ports()), database_fault=database_fault)
    ):
        handle, _ = await world.submit()
        await mailer.sending.wait()
        # The mail goes on only once the workers got the signal to stop.
        asyncio.get_running_loop().call_later(0.2, mailer.may_go_on.set)
    assert [mail.subject for mail in mailer.sent] == ["password_link"]
    events = [event.event_type for event in (await handle.fetch_history()).events]
    assert EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED in events
    assert LOST_WORK.isdisjoint(events)
    await handle.terminate("the test is over")
