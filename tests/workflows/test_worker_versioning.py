"""Workers that name their build take tasks once that build is current."""

import asyncio
from collections.abc import Callable

import pytest
from temporalio.api.enums.v1 import VersioningBehavior
from temporalio.api.workflowservice.v1 import SetWorkerDeploymentCurrentVersionRequest
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from activities.catalog import catalog
from api.temporal_gauges import QueueFigures, TemporalGauges
from mipres.database.failures import database_fault
from mipres.domain.outcomes import OutcomeStatus
from mipres.settings.model import Settings
from mipres.temporal.names import REGISTRATIONS_QUEUE
from tests.conftest import PAYLOAD_KEYS
from tests.patience import PATIENCE_SECONDS
from tests.workflows.conftest import MEDICINE, World
from workflows.workers import build_workers, running, versioning

DEPLOYMENT = "registro"


def settings(**told: str) -> Settings:
    values = {
        "secret_key": "s" * 40,
        "payload_keys": PAYLOAD_KEYS,
        "database_url": "postgresql://nobody@localhost/registro",
    }
    return Settings.model_validate({**values, **told})


async def make_current(environment: WorkflowEnvironment, build: str) -> None:
    """Do what `temporal worker deployment set-current-version` does."""
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=environment.client.namespace, deployment_name=DEPLOYMENT, build_id=build, identity="test"
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                await environment.client.workflow_service.set_worker_deployment_current_version(request)
            except RPCError:
                await asyncio.sleep(0.1)
            else:
                return


def test_a_worker_is_versioned_only_when_its_build_is_named() -> None:
    assert versioning(None, None) is None
    assert versioning(DEPLOYMENT, None) is None
    found = versioning(DEPLOYMENT, "2")
    assert found is not None
    assert found.version.to_canonical_string() == "registro.2"


def test_a_build_without_a_deployment_is_refused() -> None:
    with pytest.raises(ValueError, match="MIPRES_WORKER_DEPLOYMENT: falta"):
        settings(worker_build="2")


async def test_registrations_run_on_the_current_build_and_move_to_the_next(
    own_server: WorkflowEnvironment,
) -> None:
    world = World(env=own_server)
    world.knows(MEDICINE)
    for build in ("1", "2"):
        deployment = versioning(DEPLOYMENT, build)
        workers = build_workers(
            own_server.client, catalog(world.ports()), database_fault=database_fault, deployment=deployment
        )
        async with running(workers):
            await make_current(own_server, build)
            if build == "1":
                handle, outcome = await world.submit()
                assert outcome.status is OutcomeStatus.REGISTERED
            else:
                # Begun by the first build, it is ended by the second.
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await handle.execute_update("cancel_registration", "the test is over")
        versions = (await handle.describe()).raw_description.workflow_execution_info.versioning_info
        assert versions.behavior == VersioningBehavior.VERSIONING_BEHAVIOR_AUTO_UPGRADE
        assert versions.deployment_version.build_id == build


async def queue_comes_to(environment: WorkflowEnvironment, holds: Callable[[QueueFigures], bool]) -> None:
    """Ask for what monitoring sees of the queue `registrations` until it is so."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            figures = await TemporalGauges(environment.client).figures()
            # A server under load leaves a question without an answer: then there are no figures for once.
            if figures is not None and holds(figures.queues[REGISTRATIONS_QUEUE]):
                return
            await asyncio.sleep(0.1)


async def test_monitoring_sees_workers_that_get_no_work(own_server: WorkflowEnvironment) -> None:
    workers = build_workers(
        own_server.client,
        catalog(World(env=own_server).ports()),
        database_fault=database_fault,
        deployment=versioning(DEPLOYMENT, "1"),
    )
    async with running(workers):
        await queue_comes_to(own_server, lambda queue: (queue.pollers, queue.served) == (1, 0))
        await make_current(own_server, "1")
        await queue_comes_to(own_server, lambda queue: (queue.pollers, queue.served) == (1, 1))
    # A current build without workers leaves its tasks behind, and they count too.
    await own_server.client.start_workflow(
        "Registration", id="registration/RM-LEFT", task_queue=REGISTRATIONS_QUEUE
    )
    await queue_comes_to(own_server, lambda queue: queue.backlog == 1 and queue.backlog_age_seconds > 0)
