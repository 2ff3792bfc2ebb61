"""Which links the hourly retention closes, asked of the real server."""

import uuid

import pytest
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment

from activities.retention import RetentionActivities
from mipres.temporal import names
from tests.fakes import FakeRetention

RECOVERY = "RC-000000000001"


def new_radicado() -> str:
    return f"RM-{uuid.uuid4().hex[:12].upper()}"


async def start(env: WorkflowEnvironment, reference: str) -> None:
    """A run that stays open, because no worker serves its queue."""
    await env.client.start_workflow(
        "Registration", id=names.workflow_id_of(reference), task_queue="nobody-serves-this"
    )


async def purge(env: WorkflowEnvironment, retention: FakeRetention) -> int:
    environment = ActivityEnvironment(client=env.client)
    result = await environment.run(RetentionActivities(retention=retention).purge_expired)
    return result.closed_links


@pytest.fixture
async def running(temporal_env: WorkflowEnvironment) -> str:
    reference = new_radicado()
    await start(temporal_env, reference)
    return reference


async def test_the_links_of_a_terminated_and_of_an_unknown_run_are_closed_and_no_others(
    temporal_env: WorkflowEnvironment, running: str
) -> None:
    terminated = new_radicado()
    await start(temporal_env, terminated)
    await temporal_env.client.get_workflow_handle(names.workflow_id_of(terminated)).terminate("prueba")
    kept, retention = uuid.uuid4(), FakeRetention()
    retention.links = {kept: running, uuid.uuid4(): terminated, uuid.uuid4(): RECOVERY}

    assert await purge(temporal_env, retention) == 2
    assert retention.links == {kept: running}
    assert await purge(temporal_env, retention) == 0
    await temporal_env.client.get_workflow_handle(names.workflow_id_of(running)).terminate("prueba")


async def test_a_newer_run_of_the_same_registration_keeps_its_link(
    temporal_env: WorkflowEnvironment, running: str
) -> None:
    handle = temporal_env.client.get_workflow_handle(names.workflow_id_of(running))
    await handle.terminate("prueba")
    await start(temporal_env, running)
    link, retention = uuid.uuid4(), FakeRetention()
    retention.links = {link: running}
    assert await purge(temporal_env, retention) == 0
    await handle.terminate("prueba")
