"""The straight path in one local activity, and where the durable path takes over."""

import asyncio
from contextlib import suppress
from dataclasses import fields
from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.testing import ActivityEnvironment

from activities.catalog import catalog
from mipres.domain.accounts import NewRegistration, RegisteredAccount
from mipres.domain.outcomes import OutcomeStatus, Refusal
from mipres.domain.stages import Stage
from mipres.domain.submissions import Submission
from tests.workflows.conftest import (
    ANA,
    DELEGATE,
    MEDICINE,
    OTHER,
    PROFESSIONAL,
    SOCIAL_SERVICE,
    Handle,
    World,
    consent,
    placement,
)
from workflows import fast_path, policies
from workflows.fast_path import FastPath, FastPathInput, FastPathResult


async def walk(world: World, submission: Submission = PROFESSIONAL) -> FastPathResult:
    activities = FastPath(catalog(world.ports()).all())
    request = FastPathInput(radicado="RM-ABCDEFGH1234", submission=submission, consent=consent())
    result: FastPathResult = await ActivityEnvironment().run(activities.check_and_register, request)
    return result


def test_the_result_has_a_place_for_each_activity_it_names() -> None:
    served = {function.__name__ for function in catalog(World(env=None).ports()).all()}  # type: ignore[arg-type]
    places = {place.name for place in fields(FastPathResult)} - {"failed"}
    assert places < served
    registries = {
        "check_person",
        "check_delegation",
        "check_profession",
        "check_other_user",
        "check_placement",
    }
    assert places == {*registries, "register_account"}


@pytest.mark.parametrize(
    ("submission", "asked"),
    [
        (PROFESSIONAL, {"check_person", "check_profession"}),
        (DELEGATE, {"check_person", "check_delegation"}),
        (SOCIAL_SERVICE, {"check_person", "check_placement"}),
        (OTHER, {"check_person", "check_other_user"}),
    ],
)
async def test_each_type_is_checked_and_registered(
    world: World, submission: Submission, asked: set[str]
) -> None:
    world.knows(*((MEDICINE,) if submission is PROFESSIONAL else ()))
    world.delegates()
    world.placements.people[ANA] = placement()
    result = await walk(world, submission)
    assert set(result.said()) == {*asked, "register_account"}
    assert result.failed is None
    assert len(world.accounts.registrations) == 1


async def test_a_refusal_ends_the_path(world: World) -> None:
    world.knows()
    result = await walk(world)
    assert set(result.said()) == {"check_person", "check_profession"}
    assert result.check_profession is not None
    assert result.check_profession.refusal is Refusal.NOT_IN_RETHUS
    assert world.accounts.registrations == []


async def test_the_step_that_fails_is_named_and_what_is_known_is_kept(world: World) -> None:
    world.knows(MEDICINE)
    world.talent.down = True
    result = await walk(world)
    assert result.failed == "check_profession"
    assert result.said()["check_profession"] is None
    assert result.said()["check_person"] is not None
    assert world.accounts.registrations == []


async def test_a_step_that_stands_still_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.knows(MEDICINE)
    world.accounts.hold()
    monkeypatch.setattr(fast_path, "FAST_ATTEMPT", policies.FAST_ATTEMPT / 100)
    result = await walk(world)
    assert result.failed == "register_account"
    assert result.check_profession is not None


async def test_what_was_answered_is_not_asked_again(world: World) -> None:
    world.knows(MEDICINE)
    world.talent.down = True
    handle, outcome = await world.submit()
    assert outcome.status is OutcomeStatus.IN_PROGRESS
    assert (await world.reaches(handle, Stage.WAITING_REGISTRY)).waiting_on == ("rethus",)
    pending = (await handle.describe()).raw_description.pending_activities
    assert [activity.activity_id for activity in pending] == ["consultar-rethus"]
    assert world.people.calls == [ANA]
    world.talent.down = False
    await handle.execute_update("retry_now", "ya volvió")
    await world.mailed("password_link")
    assert world.people.calls == [ANA]


async def test_each_step_has_its_own_first_attempt_where_the_path_breaks_down(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError

    world.knows(MEDICINE)
    monkeypatch.setattr(fast_path, "_walk", fails)
    _, outcome = await world.submit()
    assert outcome.status is OutcomeStatus.REGISTERED


async def test_a_cancel_waits_for_the_account_of_the_fast_path(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cancel arrives while the activity is in the middle of it."""
    register = world.accounts.register

    async def commit(registration: NewRegistration) -> RegisteredAccount:
        # As a commit under way, it cannot be called back.
        task = asyncio.ensure_future(register(registration))
        with suppress(asyncio.CancelledError):
            await asyncio.shield(task)
        return await task

    world.knows(MEDICINE)
    world.accounts.hold()
    monkeypatch.setattr(world.accounts, "register", commit)
    handle = await world.accept(task_timeout=timedelta(seconds=1))
    await world.accounts.registering.wait()
    await handle.cancel()
    await world.eventually(lambda: _knows_of_the_cancel(handle))
    world.accounts.release()
    assert (await handle.result()).stage is Stage.CANCELLED
    assert world.accounts.accounts == {}


async def _knows_of_the_cancel(handle: Handle) -> bool:
    kinds = [event.event_type async for event in handle.fetch_history_events()]
    asked = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED
    # The second task since then shows that the workflow has dealt with the first.
    since = kinds[kinds.index(asked) :] if asked in kinds else []
    return since.count(EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED) > 1
