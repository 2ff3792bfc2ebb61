"""Waiting by choice for a registry that does not know the person yet."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from mipres.domain.eligibility import BOGOTA
from mipres.domain.outcomes import Outcome, OutcomeStatus, Refusal
from mipres.domain.people import HealthProfessional, Person, Profession
from mipres.domain.remedies import explain_by_mail
from mipres.domain.stages import Stage
from mipres.domain.submissions import Submission
from tests.workflows.conftest import (
    ANA,
    DELEGATE,
    MEDICINE,
    NURSING,
    OTHER,
    PERSON,
    PROFESSIONAL,
    SOCIAL_SERVICE,
    Handle,
    World,
    placement,
    sanction,
)

REASON = "la persona ya no quiere esperar"
# What a registry may ask for when it is down; each try is a step of the server's clock.
TRY_AGAIN_AFTER = timedelta(hours=4).total_seconds()
IN_PROGRESS = Outcome(status=OutcomeStatus.IN_PROGRESS)


async def watches(world: World, submission: Submission = PROFESSIONAL) -> Handle:
    world.knows()
    handle, outcome = await world.submit(submission, waits=True)
    assert outcome == IN_PROGRESS
    status = await world.reaches(handle, Stage.WATCHING)
    assert (status.waiting_on, status.outcome) == ((), None)
    return handle


async def is_registered_within_a_day(world: World, handle: Handle) -> None:
    await world.passes(handle, timedelta(days=1))
    await world.reaches(handle, Stage.AWAITING_PASSWORD)
    assert world.mailer.sent[0].subject == "password_link"


async def test_who_may_wait_is_said_with_the_refusal(world: World) -> None:
    world.knows()
    for submission in (PROFESSIONAL, SOCIAL_SERVICE):
        _, outcome = await world.submit(submission)
        assert (outcome.status, outcome.may_wait) == (OutcomeStatus.REFUSED, True)


@pytest.mark.parametrize(
    ("submission", "known"),
    [
        (PROFESSIONAL, replace(MEDICINE, registration="76-9999")),
        (PROFESSIONAL, NURSING),
        (OTHER, MEDICINE),
        (DELEGATE, MEDICINE),
    ],
)
async def test_what_waiting_cannot_change_is_refused_at_once(
    world: World, submission: Submission, known: Profession
) -> None:
    world.knows(known)
    _, outcome = await world.submit(submission, waits=True)
    assert (outcome.status, outcome.may_wait) == (OutcomeStatus.REFUSED, False)


async def test_a_person_who_appears_after_twelve_days_is_registered(world: World) -> None:
    handle = await watches(world)
    assert await world.attributes(handle) == {"RegistrationStage": "watching"}
    await world.passes(handle, timedelta(days=12))
    assert (await world.reaches(handle, Stage.WATCHING)).stage is Stage.WATCHING
    assert 11 <= len(world.talent.calls) - 1 <= 13
    world.talent.people[ANA] = HealthProfessional(professions=(MEDICINE,))
    world.people.people[ANA] = Person(
        given_names=PERSON.given_names, surnames=PERSON.surnames, email="nueva@ejemplo.test"
    )
    await is_registered_within_a_day(world, handle)
    assert world.mailer.sent[0].to_address == "nueva@ejemplo.test"
    await world.keep(handle, "watched-then-registered")


async def test_nobody_waits_for_ever(world: World) -> None:
    handle = await watches(world)
    await world.passes(handle, timedelta(days=31))
    status = await handle.result()
    assert (status.stage, status.outcome and status.outcome.refusal) == (Stage.REFUSED, Refusal.NOT_IN_RETHUS)
    await world.mailed("registration_wait_ended")
    remedy = explain_by_mail(Refusal.NOT_IN_RETHUS, PROFESSIONAL.user_type, may_wait=True)
    assert world.composer.contexts[-1]["message"] == remedy
    assert [refusal for _, refusal in world.accounts.refusals] == [Refusal.NOT_IN_RETHUS]
    await world.keep(handle, "watched-in-vain")


async def test_a_placement_is_asked_for_when_its_first_day_begins(world: World) -> None:
    # Workflows have the server's time, which no test can set.
    now = datetime.now(BOGOTA)
    first_day = now.date() + timedelta(days=40)
    world.placements.people[ANA] = placement(start=first_day, end=first_day + timedelta(days=300))
    handle = await watches(world, SOCIAL_SERVICE)
    asked = len(world.placements.calls)
    begins = datetime.combine(first_day, datetime.min.time(), BOGOTA)
    await world.passes(handle, begins - now)
    assert len(world.placements.calls) == asked
    world.clock.time = begins
    await world.passes(handle, timedelta(minutes=6))
    await world.mailed("password_link")


async def test_another_refusal_ends_the_waiting_and_is_mailed(world: World) -> None:
    handle = await watches(world)
    world.talent.people[ANA] = HealthProfessional(professions=(MEDICINE,), sanctions=(sanction(),))
    await world.passes(handle, timedelta(days=2))
    status = await handle.result()
    assert status.outcome == Outcome(status=OutcomeStatus.REFUSED, refusal=Refusal.SANCTIONED)
    await world.mailed("registration_refused")


async def test_who_is_gone_from_miseguridadsocial_by_then_is_told_at_the_last_address(world: World) -> None:
    handle = await watches(world)
    world.talent.people[ANA] = HealthProfessional(professions=(MEDICINE,))
    del world.people.people[ANA]
    await world.passes(handle, timedelta(days=1))
    outcome = (await handle.result()).outcome
    assert outcome is not None
    assert outcome.refusal is Refusal.NOT_IN_MISEGURIDADSOCIAL
    await world.mailed("registration_refused")
    assert world.mailer.sent[0].to_address == PERSON.email
    await world.keep(handle, "watched-person-gone")


async def test_a_registry_that_is_down_changes_nothing(world: World) -> None:
    handle = await watches(world)
    world.talent.down, world.talent.retry_after_seconds = True, TRY_AGAIN_AFTER
    await world.passes(handle, timedelta(days=3))
    assert len(world.talent.calls) > 10
    status = await world.reaches(handle, Stage.WATCHING)
    assert status.waiting_on == ()
    assert await world.attributes(handle) == {"RegistrationStage": "watching"}
    world.talent.down = False
    world.talent.people[ANA] = HealthProfessional(professions=(MEDICINE,))
    await is_registered_within_a_day(world, handle)


async def test_a_registry_that_is_down_when_the_time_is_over_refuses_nobody(world: World) -> None:
    handle = await watches(world)
    await world.passes(handle, timedelta(days=28))
    world.talent.down, world.talent.retry_after_seconds = True, TRY_AGAIN_AFTER
    await world.passes(handle, timedelta(days=5))
    status = await world.reaches(handle, Stage.WATCHING)
    assert status.watched_until is not None
    waits = datetime.fromisoformat(status.watched_until) - datetime.fromisoformat(status.updated_at)
    assert timedelta(days=36) < waits <= timedelta(days=37)
    world.talent.down = False
    world.talent.people[ANA] = HealthProfessional(professions=(MEDICINE,))
    await is_registered_within_a_day(world, handle)
    await world.keep(handle, "watch-extended")


async def test_a_placement_is_asked_for_until_sso_answers_on_its_first_days(world: World) -> None:
    now = datetime.now(BOGOTA)
    first_day = now.date() + timedelta(days=40)
    world.placements.people[ANA] = placement(start=first_day, end=first_day + timedelta(days=300))
    handle = await watches(world, SOCIAL_SERVICE)
    world.clock.time = begins = datetime.combine(first_day, datetime.min.time(), BOGOTA)
    world.placements.down, world.placements.retry_after_seconds = True, TRY_AGAIN_AFTER
    await world.passes(handle, begins - now + timedelta(days=3))
    world.placements.down = False
    await is_registered_within_a_day(world, handle)


async def test_a_registry_that_stays_down_is_given_up_after_a_week_more(world: World) -> None:
    handle = await watches(world)
    await world.passes(handle, timedelta(days=29))
    world.talent.down, world.talent.retry_after_seconds = True, TRY_AGAIN_AFTER
    await world.passes(handle, timedelta(days=10))
    assert (await handle.result()).stage is Stage.REFUSED
    await world.mailed("registration_wait_ended")


async def test_a_clear_no_ends_the_longer_wait(world: World) -> None:
    handle = await watches(world)
    await world.passes(handle, timedelta(days=29))
    world.talent.down, world.talent.retry_after_seconds = True, TRY_AGAIN_AFTER
    await world.passes(handle, timedelta(days=3))
    await world.reaches(handle, Stage.WATCHING)
    world.talent.down = False
    await world.passes(handle, timedelta(days=1))
    assert (await handle.result()).stage is Stage.REFUSED
    await world.mailed("registration_wait_ended")


@pytest.mark.parametrize("is_down", [False, True])
async def test_the_person_ends_the_waiting(world: World, *, is_down: bool) -> None:
    handle = await watches(world)
    world.talent.down, world.talent.retry_after_seconds = is_down, TRY_AGAIN_AFTER
    await world.passes(handle, timedelta(days=2))
    await handle.execute_update("stop_watching", REASON)
    status = await handle.result()
    assert (status.stage, status.watched_until) == (Stage.REFUSED, None)
    assert world.mailer.sent == []
    await world.keep(handle, f"watching-ended-{'down' if is_down else 'up'}")


async def test_who_registers_again_is_asked_for_at_once(world: World) -> None:
    handle = await watches(world)
    await world.passes(handle, timedelta(hours=2))
    world.talent.people[ANA] = HealthProfessional(professions=(MEDICINE,))
    _, outcome = await world.submit(PROFESSIONAL, radicado=handle.id.partition("/")[2])
    assert outcome.status is OutcomeStatus.REGISTERED


async def test_who_registers_again_in_vain_goes_on_waiting(world: World) -> None:
    handle = await watches(world)
    await world.passes(handle, timedelta(hours=2))
    asked = len(world.talent.calls)
    for _ in range(3):
        _, outcome = await world.submit(PROFESSIONAL, radicado=handle.id.partition("/")[2])
        assert outcome == IN_PROGRESS
    assert len(world.talent.calls) == asked + 1


async def test_a_cancel_ends_the_waiting_too(world: World) -> None:
    handle = await watches(world)
    await world.cancels(handle)
    assert (await handle.result()).stage is Stage.CANCELLED


async def test_the_end_of_the_waiting_is_told(world: World) -> None:
    handle = await watches(world)
    status = await world.reaches(handle, Stage.WATCHING)
    assert status.watched_until is not None
    waits = datetime.fromisoformat(status.watched_until) - datetime.fromisoformat(status.updated_at)
    assert timedelta(days=29) < waits <= timedelta(days=30)
