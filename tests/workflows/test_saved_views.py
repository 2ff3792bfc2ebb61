"""Every saved view finds the registration that it is for and no other."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio import workflow
from temporalio.api.workflowservice.v1 import PauseActivityRequest
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from mipres.domain.stages import REGISTRIES, Stage, WaitingOn
from mipres.temporal import names
from mipres.temporal.ui import list_url, workflow_url
from tests.workflows.conftest import MEDICINE, OTHER, Handle, World, consent
from workflows import contract
from workflows.saved_views import SavedView, saved_views, waiting_view

UI = "http://ui.test"


def view(key: str) -> SavedView:
    [found] = [one for one in saved_views(datetime.now(UTC)) if one.key == key]
    return found


async def finds(world: World, key: str, handle: Handle) -> None:
    """Wait until the view shows the registration; visibility follows by a moment."""

    async def shown() -> bool:
        found = [one async for one in world.env.client.list_workflows(view(key).query)]
        return handle.id in {one.id for one in found}

    await world.eventually(shown)


async def finds_no_more(world: World, key: str, handle: Handle) -> None:
    async def gone() -> bool:
        return await shows_nothing_of(world, key, handle)

    await world.eventually(gone)


async def shows_nothing_of(world: World, key: str, handle: Handle) -> bool:
    found = [one async for one in world.env.client.list_workflows(view(key).query)]
    return handle.id not in {one.id for one in found}


def test_keys_and_titles_are_different_and_in_spanish() -> None:
    views = saved_views(datetime.now(UTC))
    assert len({one.key for one in views}) == len({one.title for one in views}) == len(views) == 15
    assert {f"waiting-{name}" for name in REGISTRIES} < {one.key for one in views}


def test_today_is_colombias() -> None:
    [late] = [one for one in saved_views(datetime(2026, 11, 25, 4, 59, tzinfo=UTC)) if "today" in one.key]
    assert 'CloseTime >= "2026-11-24T05:00:00Z"' in late.query


def test_links_carry_the_query_and_the_id_whole() -> None:
    query = waiting_view(WaitingOn.RETHUS).query
    link = list_url(query, ui_url=UI, namespace="default")
    assert link.startswith(f"{UI}/namespaces/default/workflows?query=WorkflowType%3D%22Registration%22%20AND")
    assert workflow_url("registration/RM-1", ui_url=UI, namespace="a b") == (
        f"{UI}/namespaces/a%20b/workflows/registration%2FRM-1"
    )


@pytest.mark.parametrize("one", saved_views(datetime(2026, 11, 24, tzinfo=UTC)), ids=lambda one: one.key)
async def test_the_server_understands_every_query(world: World, one: SavedView) -> None:
    assert (await world.env.client.count_workflows(one.query)).count >= 0


async def test_a_registry_that_is_down(world: World) -> None:
    world.knows(MEDICINE)
    world.talent.down = True
    handle, _ = await world.submit()
    await finds(world, "waiting-rethus", handle)
    assert await shows_nothing_of(world, "waiting-sso", handle)
    assert await shows_nothing_of(world, "stuck", handle)


async def test_a_stuck_registration(world: World) -> None:
    """That the workflow sets the attribute after ten minutes is a test of its own.

    Nobody serves this queue.
    """
    handle = await world.env.client.start_workflow(
        "Registration",
        id=names.registration_workflow_id("RM-STUCK"),
        task_queue="nobody",
        search_attributes=TypedSearchAttributes(
            [SearchAttributePair(names.STUCK_SINCE, datetime(2026, 11, 24, tzinfo=UTC))]
        ),
    )
    await finds(world, "stuck", handle)
    await handle.terminate()


async def test_a_database_that_is_down(world: World) -> None:
    world.knows(MEDICINE)
    world.accounts.down = True
    handle, _ = await world.submit()
    await finds(world, "waiting-database", handle)


async def test_a_mail_server_that_is_down_and_a_link_that_is_not_used(world: World) -> None:
    world.knows(MEDICINE)
    world.mailer.down = True
    handle, _ = await world.submit()
    await finds(world, "waiting-mail", handle)
    await finds(world, "link-unused", handle)


async def test_an_address_that_is_refused(world: World) -> None:
    world.knows(MEDICINE)
    world.mailer.rejects = True
    handle, _ = await world.submit()
    await finds(world, "waiting-mail-address", handle)


async def test_a_refusal_of_today(world: World) -> None:
    handle, _ = await world.submit()
    await world.reaches(handle, Stage.REFUSED)
    await finds(world, "refused-today", handle)
    assert await shows_nothing_of(world, "link-unused", handle)


async def test_a_registration_that_was_terminated_while_the_person_waits(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.reaches(handle, Stage.AWAITING_PASSWORD)
    assert await shows_nothing_of(world, "cut-off", handle)
    await handle.terminate("prueba")
    await finds(world, "cut-off", handle)


async def test_a_registration_that_was_given_up(world: World) -> None:
    world.knows()
    world.talent.down = True
    handle, _ = await world.submit(OTHER)
    await finds(world, "waiting-rethus", handle)
    assert await shows_nothing_of(world, "given-up", handle)
    # The server gives up at once when the next attempt would come after the last one allowed.
    world.talent.retry_after_seconds = timedelta(days=8).total_seconds()
    await world.passes(handle, timedelta(minutes=6))
    await world.reaches(handle, Stage.EXPIRED)
    await finds(world, "given-up", handle)
    assert await shows_nothing_of(world, "cut-off", handle)


async def test_a_paused_activity(world: World) -> None:
    world.knows()
    world.talent.down = True
    handle, _ = await world.submit(OTHER)
    await finds(world, "waiting-rethus", handle)
    pause = PauseActivityRequest(namespace="default", identity="test", id="consultar-rethus", reason="prueba")
    pause.execution.workflow_id = handle.id
    await world.env.client.workflow_service.pause_activity(pause)
    await finds(world, "paused", handle)
    await handle.terminate()
    await finds_no_more(world, "paused", handle)


@workflow.defn(name="Registration")
class BrokenRegistration:
    """What a worker with broken code does: every workflow task fails."""

    @workflow.run
    async def run(self, _request: contract.RegistrationRequest) -> None:
        raise RuntimeError("broken")


async def test_broken_code(world: World) -> None:
    handle = await world.env.client.start_workflow(
        BrokenRegistration.run,
        contract.RegistrationRequest(radicado="RM-BROKEN", submission=OTHER, consent=consent()),
        id=names.registration_workflow_id("RM-BROKEN"),
        task_queue="broken",
    )
    worker = Worker(
        world.env.client,
        task_queue="broken",
        workflows=[BrokenRegistration],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        await finds(world, "broken-code", handle)
    await handle.terminate()
    await finds_no_more(world, "broken-code", handle)
