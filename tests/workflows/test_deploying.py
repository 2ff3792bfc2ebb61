"""Changed code is deployed while registrations wait, and rolled back.

With versions of workers and without, nobody is lost and no mail comes twice.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.testing import WorkflowEnvironment

from activities.accounts import RegisterAccountResult
from activities.catalog import catalog
from mipres.database.failures import database_fault
from mipres.domain.people import Person
from mipres.domain.stages import Stage
from tests.patience import PATIENCE_SECONDS
from tests.workflows.conftest import ANA, DELEGATE, MEDICINE, PERSON, PROFESSIONAL, PROVIDER, Handle, World
from tests.workflows.test_worker_versioning import DEPLOYMENT, make_current
from workflows import contract, steps, workers
from workflows.registration import Registration
from workflows.workers import build_workers, running, versioning

REASON = "el registro ya responde"


@workflow.defn(name="Registration")
class RegistrationOfTomorrow(Registration):
    """One step more, as docs/versioning-workflows.md has it done."""

    @workflow.init
    def __init__(self, request: contract.RegistrationRequest) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: contract.RegistrationRequest) -> contract.RegistrationStatus:
        return await super().run(request)

    async def _register_account(self, person: Person) -> RegisterAccountResult:
        if workflow.patched("asked-once-more"):
            await self._steps.do(steps.CHECK_DELEGATION, self._request.submission)
        return await super()._register_account(person)


TODAY = workers.WORKFLOWS
TOMORROW = (RegistrationOfTomorrow, *(kind for kind in TODAY if kind is not Registration))


@dataclass(kw_only=True)
class Deployments:
    """Deploys one code after the other to the same server."""

    world: World
    monkeypatch: pytest.MonkeyPatch
    deployment: str | None

    @asynccontextmanager
    async def of(self, code: tuple[type, ...]) -> AsyncIterator[None]:
        build = "1" if code is TODAY else "2"
        self.monkeypatch.setattr(workers, "WORKFLOWS", code)
        made = build_workers(
            self.world.env.client,
            catalog(self.world.ports()),
            database_fault=database_fault,
            deployment=versioning(self.deployment, build),
        )
        async with running(made):
            if self.deployment:
                await make_current(self.world.env, build)
            yield


async def has_failed_a_task(handle: Handle) -> bool:
    kinds = [event.event_type async for event in handle.fetch_history_events()]
    return EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED in kinds


@pytest.mark.parametrize("deployment", [None, DEPLOYMENT], ids=["without-versions", "with-versions"])
async def test_changed_code_and_its_rollback_lose_nobody_who_waits(
    own_server: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch, deployment: str | None
) -> None:
    world = World(env=own_server, several_at_once=True, is_fast=False)
    world.knows(MEDICINE)
    world.delegates()
    world.people.providers[(ANA, PROVIDER.entity.key)] = PERSON  # type: ignore[union-attr]
    deployments = Deployments(world=world, monkeypatch=monkeypatch, deployment=deployment)

    async with deployments.of(TODAY):
        for_password, _ = await world.submit(PROVIDER)
        await world.reaches(for_password, Stage.AWAITING_PASSWORD)
        world.talent.down = True
        for_registry, _ = await world.submit(PROFESSIONAL)
        await world.reaches(for_registry, Stage.WAITING_REGISTRY)

    async with deployments.of(TOMORROW):
        # Who passed the changed place stays as they are; who begins goes the new way.
        await world.reaches(for_password, Stage.AWAITING_PASSWORD)
        of_tomorrow, _ = await world.submit(DELEGATE)
        await world.reaches(of_tomorrow, Stage.AWAITING_PASSWORD)

    async with deployments.of(TODAY):
        # Today's code does not know the marker: that registration waits, unharmed.
        await of_tomorrow.signal(Registration.password_set)
        await world.eventually(lambda: has_failed_a_task(of_tomorrow))
        world.talent.down = False
        await for_registry.execute_update("retry_now", REASON)
        await world.reaches(for_registry, Stage.AWAITING_PASSWORD)
        world.sets_password()
        for handle in (for_password, for_registry):
            await handle.signal(Registration.password_set)
            assert (await handle.result()).stage is Stage.COMPLETED

    async with deployments.of(TOMORROW):
        await of_tomorrow.signal(Registration.password_set)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert (await of_tomorrow.result()).stage is Stage.COMPLETED
    sent = [mail.subject for mail in world.mailer.sent]
    assert (sent.count("password_link"), sent.count("password_set")) == (3, 1)
    assert len(world.accounts.accounts) == 1
