"""The workflow AccessReview: its guard, its pace and its ends."""

import asyncio
import re
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio.client import (
    Client,
    ScheduleActionExecutionStartWorkflow,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from activities.catalog import catalog
from mipres.database.failures import database_fault
from mipres.domain.access import AccessCause, ProfileAccess
from mipres.domain.documents import Document, DocumentType
from mipres.domain.eligibility import today_in_bogota
from mipres.domain.outcomes import OutcomeStatus
from mipres.domain.people import HealthProfessional
from mipres.domain.review import Finding, ProfileUnderReview, ReviewStage
from mipres.domain.submissions import Submission, UserType
from mipres.temporal import names
from tests.patience import PATIENCE_SECONDS
from tests.workflows.conftest import (
    DELEGATE,
    MEDICINE,
    PROFESSIONAL,
    SOCIAL_SERVICE,
    Handle,
    World,
    placement,
    replay,
    sanction,
    told_to_support,
)
from workflows import policies
from workflows.access_review import AccessReview
from workflows.review_contract import AccessReviewRequest, ReviewState, Tally
from workflows.schedules import ensure_schedules, review_schedule
from workflows.workers import build_workers, running

WEEK = AccessReviewRequest(days=7, guard_percent=2)
REASON = "ReTHUS confirmó por teléfono que los datos son ciertos"


def profiles(world: World, number: int, *, in_rethus: bool = True) -> list[Document]:
    """Put professionals in use there, and into ReTHUS where they shall be found."""
    documents = []
    for _ in range(number):
        place = len(world.reviewed.profiles)
        document = Document(type=DocumentType.CC, number=str(10_000_000 + place))
        key = uuid.UUID(int=place + 1)
        world.reviewed.profiles[key] = ProfileUnderReview(
            profile_id=key,
            submission=Submission(
                user_type=UserType.PROFESSIONAL, document=document, professional_registration="76-1234"
            ),
            access=ProfileAccess(user_type=UserType.PROFESSIONAL),
        )
        if in_rethus:
            world.talent.people[document] = HealthProfessional(professions=(MEDICINE,))
        documents.append(document)
    return documents


async def begin(world: World, request: AccessReviewRequest = WEEK) -> Handle:
    handle: Handle = await world.env.client.start_workflow(
        AccessReview.run,
        request,
        id=f"{names.ACCESS_REVIEW_ID}-{uuid.uuid4()}",
        task_queue=names.REGISTRATIONS_QUEUE,
    )
    world.handles[handle.id] = handle
    return handle


async def until_stopped(world: World, handle: Handle) -> ReviewState:
    async def stopped() -> bool:
        return (await handle.query(AccessReview.progress)).stage is ReviewStage.STOPPED

    await world.eventually(stopped)
    return await handle.query(AccessReview.progress)


async def test_a_review_asks_about_each_profile_and_takes_away_what_is_gone(world: World) -> None:
    documents = profiles(world, 3) + profiles(world, 1, in_rethus=False)
    handle = await begin(world)
    await world.passes(handle, timedelta(minutes=1))
    state: ReviewState = await handle.result()
    assert sorted(world.talent.calls, key=str) == sorted(documents, key=str)
    assert [finding.cause for finding in world.reviewed.applied.values()].count(
        AccessCause.NOT_IN_RETHUS
    ) == 1
    assert (state.stage, state.looked) == (ReviewStage.REVIEWED, 4)
    assert await world.attributes(handle) == {"ReviewStage": "reviewed", "ReviewedProfiles": 4}
    assert "4 revisados, 1 por cerrar o cerrados" in await told_to_support(handle)
    await world.keep(handle, "access-review")


async def test_a_registry_that_loses_its_data_locks_nobody_out(world: World) -> None:
    profiles(world, 30, in_rethus=False)
    handle = await begin(world)
    await world.passes(handle, timedelta(minutes=1))
    state = await until_stopped(world, handle)
    assert (state.tallies["rethus"].looked, state.tallies["rethus"].closing) == (30, 30)
    assert world.reviewed.applied == {}
    assert (await world.attributes(handle))["ReviewStage"] == "stopped"
    await world.mailed("support_review_stopped")
    assert {stop[1:] for stop in world.reviewed.stops} == {("rethus", 30, 30)}
    assert "go-on" in await told_to_support(handle)
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update("go_on", " ")

    await handle.execute_update("abandon", REASON)
    state = await handle.result()
    assert (state.stage, world.reviewed.applied) == (ReviewStage.ABANDONED, {})
    # All of them are due again for the next one.
    assert (
        len(await world.reviewed.due(every=timedelta(), since=world.clock.now(), after=None, limit=99)) == 30
    )
    await world.keep(handle, "access-review-abandoned")


async def test_a_registry_that_ends_all_placements_today_locks_nobody_out_tomorrow(world: World) -> None:
    today = today_in_bogota(world.clock.now())
    known = ProfileAccess(user_type=UserType.SOCIAL_SERVICE, last_day=today + timedelta(days=200))
    for place in range(25):
        document, key = (
            Document(type=DocumentType.CC, number=str(30_000_000 + place)),
            uuid.UUID(int=place + 1),
        )
        world.reviewed.profiles[key] = ProfileUnderReview(
            profile_id=key, submission=replace(SOCIAL_SERVICE, document=document), access=known
        )
        world.placements.people[document] = placement(end=today)
    handle = await begin(world)
    await world.passes(handle, timedelta(minutes=1))
    state = await until_stopped(world, handle)
    assert (state.tallies["sso"].closing, world.reviewed.applied) == (25, {})
    await handle.execute_update("go_on", REASON)
    await handle.result()
    assert set(world.reviewed.applied.values()) == {Finding(placement=placement(end=today))}


async def test_a_review_that_support_lets_go_on_takes_away_what_it_found(world: World) -> None:
    profiles(world, 30, in_rethus=False)
    handle = await begin(world)
    await world.passes(handle, timedelta(minutes=1))
    await until_stopped(world, handle)
    await handle.execute_update("go_on", REASON)
    state: ReviewState = await handle.result()
    assert state.stage is ReviewStage.REVIEWED
    assert set(world.reviewed.applied.values()) == {Finding(cause=AccessCause.NOT_IN_RETHUS)}
    assert len(world.reviewed.applied) == 30
    with pytest.raises(Exception, match="completed"):
        await handle.execute_update("go_on", REASON)
    await world.keep(handle, "access-review-went-on")


async def test_a_person_who_registers_while_a_review_is_stopped_keeps_the_access(world: World) -> None:
    profiles(world, 30, in_rethus=False)
    handle = await begin(world)
    await world.passes(handle, timedelta(minutes=1))
    await until_stopped(world, handle)
    registered = uuid.UUID(int=1)
    world.clock.advance(timedelta(hours=1))
    world.reviewed.reviewed_at[registered] = world.clock.now()
    await handle.execute_update("go_on", REASON)
    await handle.result()
    assert len(world.reviewed.applied) == 29
    assert registered not in world.reviewed.applied


async def test_a_refused_registration_is_a_review_of_its_profile(world: World) -> None:
    key = uuid.UUID(int=1)
    access = ProfileAccess(user_type=UserType.PROFESSIONAL)
    world.reviewed.profiles[key] = ProfileUnderReview(profile_id=key, submission=PROFESSIONAL, access=access)
    world.knows()
    handle, _ = await world.submit(PROFESSIONAL)
    await handle.result()
    assert world.reviewed.applied == {key: Finding(cause=AccessCause.NOT_IN_RETHUS)}


async def test_the_first_day_of_an_announced_sanction_is_kept_with_the_account(world: World) -> None:
    first_day = today_in_bogota(world.clock.now()) + timedelta(days=3)
    world.knows(MEDICINE, sanctions=(replace(sanction(), start=first_day),))
    _, outcome = await world.submit(PROFESSIONAL)
    assert outcome.status is OutcomeStatus.REGISTERED
    assert [new.facts.review_on for new in world.accounts.registrations] == [first_day]


async def test_a_sanction_that_ended_while_a_review_was_stopped_suspends_nobody(world: World) -> None:
    documents = profiles(world, 30)
    today = today_in_bogota(world.clock.now())
    for place, document in enumerate(documents):
        end = today + timedelta(days=1 if place < 25 else 9)
        world.talent.people[document] = HealthProfessional(
            professions=(MEDICINE,), sanctions=(replace(sanction(), end=end),)
        )
    handle = await begin(world)
    await world.passes(handle, timedelta(minutes=1))
    await until_stopped(world, handle)
    world.clock.advance(timedelta(days=3))
    await handle.execute_update("go_on", REASON)
    await handle.result()
    assert sorted(world.reviewed.applied) == [uuid.UUID(int=place + 1) for place in range(25, 30)]


@pytest.mark.parametrize(("first", "second"), [("go_on", "abandon"), ("abandon", "go_on")])
async def test_only_the_first_of_two_decisions_counts(first: str, second: str) -> None:
    """Both can come in one task, as after a time without workers."""
    review = AccessReview(AccessReviewRequest(state=ReviewState(stage=ReviewStage.STOPPED)))
    await getattr(review, first)(REASON)
    with pytest.raises(ApplicationError):
        getattr(review, f"_validate_{second}")(REASON)


async def test_a_loss_in_the_middle_of_a_long_review_shows_in_its_portion(world: World) -> None:
    """Two per cent of what was looked at before would be more than is lost now."""
    profiles(world, 1)
    before = ReviewState(tallies={"rethus": Tally(looked=100_000)})
    request = AccessReviewRequest(days=7, guard_percent=2, state=before)
    profiles(world, 25, in_rethus=False)
    handle = await begin(world, request)
    await world.passes(handle, timedelta(minutes=1))
    await until_stopped(world, handle)
    assert [item for item in world.reviewed.applied.values() if item.cause] == []


async def test_only_a_clear_answer_changes_anything(world: World) -> None:
    profiles(world, 3)
    world.talent.down = True
    handle = await begin(world)
    await world.passes(handle, timedelta(minutes=5))
    state: ReviewState = await handle.result()
    assert world.reviewed.applied == {}
    assert (state.tallies["rethus"].unclear, state.looked) == (3, 0)
    assert len(world.talent.calls) == 9


async def test_a_profile_that_cannot_be_judged_keeps_no_other_waiting(
    temporal_env: WorkflowEnvironment,
) -> None:
    world, odd = World(env=temporal_env), uuid.UUID(int=99)
    documents = profiles(world, 2)
    # A delegate's profile has an entity.
    world.reviewed.profiles[odd] = ProfileUnderReview(
        profile_id=odd,
        submission=Submission(user_type=UserType.DELEGATE, document=documents[0]),
        access=ProfileAccess(user_type=UserType.DELEGATE),
    )
    workers = build_workers(temporal_env.client, catalog(world.ports()), database_fault=database_fault)
    async with running(workers):
        handle = await begin(world)
        await world.passes(handle, timedelta(minutes=1))
        async with asyncio.timeout(PATIENCE_SECONDS):
            state: ReviewState = await handle.result()
        assert (state.stage, state.looked) == (ReviewStage.REVIEWED, 2)
        assert state.tallies["miseguridadsocial"].unclear == 1
        await replay([await handle.fetch_history()], temporal_env)


async def test_a_registry_that_is_away_is_left_out_until_the_next_review(world: World) -> None:
    profiles(world, policies.REVIEW_UNCLEAR_ENOUGH + 15)
    world.talent.down = True
    handle = await begin(world)
    await world.passes(handle, timedelta(minutes=10))
    state: ReviewState = await handle.result()
    assert state.left_out == ["rethus"]
    assert state.tallies["rethus"].unclear == policies.REVIEW_UNCLEAR_ENOUGH + 15
    assert len(set(world.talent.calls)) == policies.REVIEW_UNCLEAR_ENOUGH


async def test_people_whose_data_decide_nothing_keep_no_others_waiting(world: World) -> None:
    """They are due every night, before the profiles that a date makes due."""
    documents = profiles(world, policies.REVIEW_UNCLEAR_ENOUGH + 5) + profiles(world, 1, in_rethus=False)
    for document in documents[:-1]:
        unknown = replace(MEDICINE, code="", name="Xyzzy")
        world.talent.people[document] = HealthProfessional(professions=(unknown,))
    handle = await begin(world)
    await world.passes(handle, timedelta(minutes=1))
    state: ReviewState = await handle.result()
    assert (state.left_out, state.tallies["rethus"]) == (
        [],
        Tally(looked=1, closing=1, unclear=len(documents) - 1),
    )
    assert list(world.reviewed.applied) == [uuid.UUID(int=len(documents))]


async def test_what_support_knows_of_one_registry_opens_the_guard_for_no_other(world: World) -> None:
    profiles(world, 25, in_rethus=False)
    for place in range(25):
        document = Document(type=DocumentType.CC, number=str(20_000_000 + place))
        key = uuid.UUID(int=1_000 + place)
        world.reviewed.profiles[key] = ProfileUnderReview(
            profile_id=key,
            submission=replace(DELEGATE, document=document),
            access=ProfileAccess(user_type=UserType.DELEGATE),
        )
    # The delegates are asked about in a later run.
    handle = await begin(world, replace(WEEK, portion=25))
    await world.passes(handle, timedelta(minutes=1))
    await until_stopped(world, handle)
    first = (await handle.describe()).run_id
    await handle.execute_update("go_on", REASON)
    await world.passes(handle, timedelta(minutes=1))

    async def stopped_again() -> bool:
        latest = await world.env.client.get_workflow_handle(handle.id).describe()
        stage = latest.typed_search_attributes.get(names.REVIEW_STAGE)
        return latest.run_id != first and stage == ReviewStage.STOPPED

    await world.eventually(stopped_again)
    assert len(world.reviewed.applied) == 25
    latest = world.env.client.get_workflow_handle(handle.id)
    await latest.execute_update("go_on", REASON)
    state: ReviewState = await handle.result()
    assert state.let_go == ["rethus", "miseguridadsocial"]
    assert len(world.reviewed.applied) == 50
    run = world.env.client.get_workflow_handle(handle.id, run_id=first)
    await replay([await run.fetch_history()], world.env)
    await world.keep(run, "access-review-guard-for-one")


async def test_a_long_review_goes_on_in_another_run(world: World) -> None:
    documents = profiles(world, 25)
    handle = await begin(world, replace(WEEK, portion=10))
    # It follows the runs, and ends with the last of them.
    await world.passes(handle, timedelta(days=1))
    state: ReviewState = await handle.result()
    assert state.looked == 25

    async def in_three_runs() -> bool:
        return len([run async for run in world.env.client.list_workflows(names.runs_of(handle.id))]) == 3

    await world.eventually(in_three_runs)
    assert sorted(world.talent.calls, key=str) == sorted(documents, key=str)


async def test_a_review_keeps_to_its_own_pace_below_the_registries(world: World) -> None:
    """Two per cent of what was looked at before would be more than this loss."""
    profiles(world, 20)
    handle = await begin(world)
    await world.passes(handle, timedelta(minutes=1))
    await handle.result()
    history = await handle.fetch_history()
    timers = [
        event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
        for event in history.events
        if event.HasField("timer_started_event_attributes")
    ]
    pace = timedelta(seconds=policies.REVIEW_BATCH / policies.REVIEW_CALLS_PER_SECOND)
    assert timers == [pace, pace]
    priorities = {
        event.activity_task_scheduled_event_attributes.priority.priority_key
        for event in history.events
        if event.activity_task_scheduled_event_attributes.activity_id.startswith("revisar-")
    }
    assert priorities == {policies.REVIEW_PRIORITY}
    assert policies.REVIEW_CALLS_PER_SECOND < policies.HANDED_OUT_PER_SECOND


async def test_the_schedule_starts_a_review_that_can_read_its_settings(world: World) -> None:
    """The server adds the moment to its id, so no input can be bound to the id."""
    profiles(world, 2)
    client, schedule_id = world.env.client, f"access-review-{uuid.uuid4()}"
    schedule = await client.create_schedule(schedule_id, review_schedule())
    try:
        await schedule.trigger()

        async def started() -> bool:
            return bool((await schedule.describe()).info.recent_actions)

        await world.eventually(started)
        action = (await schedule.describe()).info.recent_actions[0].action
        assert isinstance(action, ScheduleActionExecutionStartWorkflow)
        moment = action.workflow_id.removeprefix(f"{names.ACCESS_REVIEW_ID}-")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment), action.workflow_id
        handle: Handle = client.get_workflow_handle(action.workflow_id)
        world.handles[handle.id] = handle
        result = ReviewState(**await handle.result())
        assert (result.stage, len(world.reviewed.reviewed_at)) == (ReviewStage.REVIEWED, 2)
    finally:
        await schedule.delete()


async def test_without_reviews_there_is_no_schedule_of_them(scheduling: Client) -> None:
    await ensure_schedules(scheduling, reviews=True)
    reviews = scheduling.get_schedule_handle(names.ACCESS_REVIEW_ID)
    await reviews.describe()
    for _ in range(2):
        await ensure_schedules(scheduling, reviews=False)
    with pytest.raises(RPCError):
        await reviews.describe()
