"""The workflow Registration.

Every path, seen by what people see and by what the ports were asked.
"""

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from mipres.domain.outcomes import OutcomeStatus, Refusal
from mipres.domain.remedies import explain_by_mail
from mipres.domain.stages import Stage, WaitingOn
from mipres.domain.submissions import Submission
from mipres.temporal.names import REGISTRATIONS_QUEUE, registry_queue
from tests.workflows.conftest import (
    ANA,
    DELEGATE,
    MEDICINE,
    NURSING,
    OTHER,
    PERSON,
    PROFESSIONAL,
    PROVIDER,
    SOCIAL_SERVICE,
    Handle,
    World,
    placement,
    sanction,
)
from workflows import policies
from workflows.registration import Registration

IN_TURN = [registry_queue(WaitingOn.MISEGURIDADSOCIAL), registry_queue(WaitingOn.RETHUS)]


async def test_a_professional_gets_a_link_sets_a_password_and_is_done(world: World) -> None:
    world.knows(MEDICINE)
    handle, outcome = await world.submit()
    assert outcome.status is OutcomeStatus.REGISTERED
    assert outcome.email_hint == "a•••@e•••.test"
    await world.mailed("password_link")
    world.sets_password()
    await handle.signal(Registration.password_set)
    status = await handle.result()
    assert status.stage is Stage.COMPLETED
    await world.mailed("password_link", "password_set")
    assert (await world.attributes(handle))["RegistrationStage"] == "completed"
    await world.keep(handle, "completed")


async def test_the_straight_path_stays_within_its_budget(world: World) -> None:
    """23 events and 3 workflow tasks are what the design allows.

    With an empty cache nothing changes.
    """
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    world.sets_password()
    await handle.signal(Registration.password_set)
    await handle.result()
    events = [event async for event in handle.fetch_history_events()]
    tasks = [event for event in events if event.HasField("workflow_task_completed_event_attributes")]
    assert (len(events) <= 23, len(tasks) <= 3) == (True, True), (len(events), len(tasks))


@pytest.mark.parametrize(
    ("submission", "refusal", "name"),
    [
        (PROFESSIONAL, Refusal.NOT_IN_MISEGURIDADSOCIAL, "refused-not-in-miseguridadsocial"),
        (DELEGATE, Refusal.NOT_IN_MISEGURIDADSOCIAL, None),
        (PROVIDER, Refusal.NOT_IN_MISEGURIDADSOCIAL, None),
        (SOCIAL_SERVICE, Refusal.NOT_IN_MISEGURIDADSOCIAL, None),
        (OTHER, Refusal.NOT_IN_MISEGURIDADSOCIAL, None),
    ],
)
async def test_whoever_is_not_in_miseguridadsocial_is_refused(
    world: World, submission: Submission, refusal: Refusal, name: str | None
) -> None:
    await _is_refused(world, submission, refusal, name)


async def test_a_professional_who_is_not_in_rethus_is_refused(world: World) -> None:
    world.knows()
    await _is_refused(world, PROFESSIONAL, Refusal.NOT_IN_RETHUS, "refused-not-in-rethus")


async def test_a_sanctioned_professional_is_refused(world: World) -> None:
    world.knows(MEDICINE, sanctions=(sanction(),))
    await _is_refused(world, PROFESSIONAL, Refusal.SANCTIONED, "refused-sanctioned")


async def test_a_professional_who_may_not_prescribe_is_refused(world: World) -> None:
    world.knows(NURSING)
    await _is_refused(world, PROFESSIONAL, Refusal.PROFESSION_NOT_AUTHORIZED, "refused-profession")


async def test_a_delegate_whom_no_entity_named_is_refused(world: World) -> None:
    world.knows()
    await _is_refused(world, DELEGATE, Refusal.ENTITY_NOT_IN_MISEGURIDADSOCIAL, "refused-delegate")


async def test_a_placement_that_ended_is_refused(world: World) -> None:
    world.knows()
    world.placements.people[ANA] = placement(end=date(2026, 11, 22))
    await _is_refused(world, SOCIAL_SERVICE, Refusal.NOT_IN_SSO, "refused-sso")


async def test_a_physician_as_other_user_is_refused(world: World) -> None:
    world.knows(MEDICINE)
    await _is_refused(world, OTHER, Refusal.PROFESSION_NOT_AUTHORIZED, "refused-other")


async def test_a_refusal_is_told_at_once_and_written_down_when_the_database_is_back(world: World) -> None:
    world.knows()
    world.accounts.down = True
    handle, outcome = await world.submit(PROFESSIONAL)
    assert outcome.refusal is Refusal.NOT_IN_RETHUS
    world.accounts.down = False
    assert (await handle.result()).stage is Stage.REFUSED
    assert [refusal for _, refusal in world.accounts.refusals] == [Refusal.NOT_IN_RETHUS]
    await world.keep(handle, "refused-noted-later")


async def test_a_person_who_is_erased_during_the_checks_gets_no_account(world: World) -> None:
    world.knows(MEDICINE)
    world.accounts.erased.add(ANA.login)
    await _is_refused(world, PROFESSIONAL, Refusal.DATA_ERASED, "refused-erased")


async def test_nothing_is_mailed_to_a_person_who_was_erased(world: World) -> None:
    world.knows(MEDICINE)
    world.accounts.erased.add(ANA.login)
    handle = await world.accept()
    assert (await handle.result()).stage is Stage.REFUSED
    assert world.mailer.sent == []


async def _is_refused(
    world: World, submission: Submission, refusal: Refusal, name: str | None = None
) -> None:
    handle, outcome = await world.submit(submission)
    assert (outcome.status, outcome.refusal) == (OutcomeStatus.REFUSED, refusal)
    assert (await handle.result()).stage is Stage.REFUSED
    assert world.accounts.registrations == []
    assert world.accounts.refusals == [(handle.id.rpartition("/")[2], refusal)]
    assert world.mailer.sent == []
    if name:
        await world.keep(handle, name)


@pytest.mark.parametrize(
    ("submission", "name"),
    [(DELEGATE, "delegate"), (PROVIDER, "provider"), (SOCIAL_SERVICE, "social-service"), (OTHER, "other")],
)
async def test_every_type_of_user_gets_a_link(world: World, submission: Submission, name: str) -> None:
    world.knows()
    world.delegates()
    world.people.providers[(ANA, PROVIDER.entity_key)] = PERSON
    world.placements.people[ANA] = placement()
    handle, outcome = await world.submit(submission)
    assert outcome.status is OutcomeStatus.REGISTERED
    await world.mailed("password_link")
    await world.keep(handle, f"awaiting-{name}")


@pytest.mark.several_at_once
async def test_facts_of_the_registries_reach_the_profile(world: World) -> None:
    world.knows()
    world.delegates()
    world.placements.people[ANA] = placement()
    await world.submit(DELEGATE)
    await world.submit(SOCIAL_SERVICE)
    delegate, social_service = (item.facts for item in world.accounts.registrations)
    assert delegate.entity_name == "IPS La Esperanza"
    assert social_service.placement == placement()


async def test_who_has_a_password_is_updated_and_told_by_mail(world: World) -> None:
    world.knows(MEDICINE)
    first, _ = await world.submit()
    await world.mailed("password_link")
    world.sets_password()
    await first.signal(Registration.password_set)
    await first.result()
    world.people.people[ANA] = PERSON
    again, outcome = await world.submit()
    assert outcome.status is OutcomeStatus.UPDATED
    assert (await again.result()).stage is Stage.COMPLETED
    await world.mailed("password_link", "password_set", "data_updated")
    await world.keep(again, "updated")


async def test_another_address_of_an_account_in_use_is_told_to_both_and_waits(world: World) -> None:
    world.knows(MEDICINE)
    first, _ = await world.submit()
    await world.mailed("password_link")
    world.sets_password()
    await first.signal(Registration.password_set)
    await first.result()
    for _ in range(2):
        world.people.people[ANA] = replace(PERSON, email="otra@ejemplo.test")
        again, outcome = await world.submit()
        assert outcome.status is OutcomeStatus.UPDATED
        assert (await again.result()).stage is Stage.COMPLETED
    # The second time states the same change, so no mail repeats it.
    await world.mailed("password_link", "password_set", "address_changing", "address_new")
    assert [mail.to_address for mail in world.mailer.sent[2:]] == [PERSON.email, "otra@ejemplo.test"]
    await world.keep(again, "updated-address-waits")


async def test_a_registry_that_is_down_is_waited_for(world: World) -> None:
    world.knows(MEDICINE)
    world.talent.down = True
    handle, outcome = await world.submit()
    assert outcome.status is OutcomeStatus.IN_PROGRESS
    status = await world.reaches(handle, Stage.WAITING_REGISTRY)
    assert status.waiting_on == ("rethus",)
    assert await world.attributes(handle) == {
        "RegistrationStage": "waiting_registry",
        "WaitingOn": ["rethus"],
    }
    world.talent.down = False
    await world.passes(handle, timedelta(minutes=1))
    await world.mailed("password_link")
    assert (await world.reaches(handle, Stage.AWAITING_PASSWORD)).waiting_on == ()
    assert await world.attributes(handle) == {"RegistrationStage": "awaiting_password"}
    await world.keep(handle, "recovered-from-outage")


async def test_an_address_corrected_during_an_outage_gets_the_link(world: World) -> None:
    world.knows(MEDICINE)
    world.talent.down = True
    handle, _ = await world.submit()
    await world.passes(handle, timedelta(hours=2))
    world.people.people[ANA] = replace(PERSON, email="ana.nueva@otro.test")
    world.talent.down = False
    await world.passes(handle, timedelta(minutes=10))
    await world.mailed("registration_delayed", "password_link")
    assert world.mailer.sent[1].to_address == "ana.nueva@otro.test"
    await world.keep(handle, "person-asked-again")


async def test_who_is_gone_from_miseguridadsocial_after_an_outage_is_told_so(world: World) -> None:
    world.knows(MEDICINE)
    world.talent.down = True
    handle, _ = await world.submit()
    await world.passes(handle, timedelta(hours=2))
    del world.people.people[ANA]
    world.talent.down = False
    await world.passes(handle, timedelta(minutes=10))
    assert (await handle.result()).outcome.refusal is Refusal.NOT_IN_MISEGURIDADSOCIAL
    await world.mailed("registration_delayed", "registration_refused")
    assert world.accounts.registrations == []


async def test_without_a_newer_answer_after_an_outage_the_older_one_counts(world: World) -> None:
    world.knows(MEDICINE)
    world.talent.down = True
    handle, _ = await world.submit()
    await world.passes(handle, timedelta(hours=2))
    world.talent.down, world.people.down = False, True
    await world.passes(handle, timedelta(minutes=10))
    await world.mailed("registration_delayed", "password_link")


async def test_who_waited_for_one_registry_asks_the_next_in_turn(world: World) -> None:
    """All who waited reach the next registry together, so its limit must hold."""
    world.knows(MEDICINE)
    world.people.down = True
    handle, _ = await world.submit()
    await world.passes(handle, timedelta(minutes=1))
    world.people.down = False
    await world.passes(handle, timedelta(minutes=2))
    await world.mailed("password_link")
    assert await _limited_queues(handle) == IN_TURN
    assert world.talent.calls == [ANA]
    await world.keep(handle, "next-registry-in-turn")


async def test_who_came_while_no_worker_ran_asks_each_registry_in_turn(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "PAGE_PATIENCE", timedelta(0))
    world.knows(MEDICINE)
    handle = await world.accept()
    await world.mailed("password_link")
    assert await _limited_queues(handle) == IN_TURN
    assert (world.people.calls, world.talent.calls) == ([ANA], [ANA])


async def test_support_has_a_step_tried_at_once(world: World) -> None:
    world.knows(MEDICINE)
    world.talent.down = True
    handle, _ = await world.submit()
    # More than a minute lies between two attempts by now, and the test moves the clock no more.
    await world.passes(handle, timedelta(minutes=3))
    world.talent.down = False
    await handle.execute_update("retry_now", "ReTHUS ya responde")
    await world.mailed("password_link")
    await world.keep(handle, "retried-now")


async def test_a_step_tried_in_vain_is_waited_for_as_before(world: World) -> None:
    world.knows(MEDICINE)
    world.talent.down = True
    handle, _ = await world.submit()
    await world.passes(handle, timedelta(minutes=3))
    calls = len(world.talent.calls)
    await handle.execute_update("retry_now", "parece que ya responde")

    async def tried() -> bool:
        return len(world.talent.calls) > calls

    await world.eventually(tried)
    status = await handle.query(Registration.status)
    assert (status.stage, status.waiting_on) == (Stage.WAITING_REGISTRY, ("rethus",))
    world.talent.down = False
    await world.passes(handle, timedelta(minutes=1))
    await world.mailed("password_link")


async def test_a_retry_needs_a_reason_and_something_to_retry(world: World) -> None:
    world.knows(MEDICINE)
    world.talent.down = True
    handle, _ = await world.submit()
    await _is_rejected(handle.execute_update("retry_now", " "), "ReasonMissing")
    world.talent.down = False
    await world.passes(handle, timedelta(minutes=1))
    await world.mailed("password_link")
    await _is_rejected(handle.execute_update("retry_now", "por si acaso"), "WrongStage")


async def test_after_ten_minutes_support_sees_that_it_is_stuck(world: World) -> None:
    world.knows(MEDICINE)
    world.people.down = True
    handle, _ = await world.submit()
    begun = (await handle.describe()).start_time
    since = (await handle.query(Registration.status)).updated_at
    await world.passes(handle, timedelta(minutes=11))
    assert (await handle.query(Registration.status)).updated_at == since
    found = await world.attributes(handle)
    assert found["WaitingOn"] == ["miseguridadsocial"]
    assert timedelta(0) <= found["StuckSince"] - begun < timedelta(seconds=10)


async def test_the_person_is_told_of_a_delay_once_the_address_is_known(world: World) -> None:
    world.knows(MEDICINE)
    world.talent.down = True
    handle, _ = await world.submit()
    await world.passes(handle, timedelta(minutes=9))
    assert world.mailer.sent == []
    await world.passes(handle, timedelta(minutes=20))
    await world.mailed("registration_delayed")
    world.talent.down = False
    await world.passes(handle, timedelta(minutes=10))
    await world.mailed("registration_delayed", "password_link")
    await world.keep(handle, "delayed")


async def test_nothing_is_half_created_when_a_registry_stays_away_for_a_week(world: World) -> None:
    world.knows(MEDICINE)
    world.talent.down = True
    # The server gives up at once when the next attempt would come after the last one allowed.
    world.talent.retry_after_seconds = timedelta(days=8).total_seconds()
    handle, outcome = await world.submit()
    assert outcome.status is OutcomeStatus.IN_PROGRESS
    status = await handle.result()
    assert (status.stage, status.waiting_on, status.outcome) == (Stage.EXPIRED, ("rethus",), None)
    assert world.accounts.registrations == []
    await world.mailed("registration_given_up", "support_given_up")
    assert [(reference, waited) for reference, waited, _ in world.accounts.given_up] == [
        (status.radicado, "rethus")
    ]
    # Support finds them all by what they waited for in the end.
    assert await world.attributes(handle) == {"RegistrationStage": "expired", "WaitingOn": ["rethus"]}
    await world.keep(handle, "given-up")


async def test_one_that_has_expired_and_still_mails_that_takes_no_submission(world: World) -> None:
    world.knows(MEDICINE)
    world.talent.down = world.mailer.down = True
    world.talent.retry_after_seconds = timedelta(days=8).total_seconds()
    handle, _ = await world.submit(radicado="RM-EXPIRED00000")
    await world.reaches(handle, Stage.EXPIRED)
    with pytest.raises(WorkflowUpdateFailedError):
        await world.submit(radicado="RM-EXPIRED00000")
    world.mailer.down = False
    await world.passes(handle, timedelta(minutes=6))
    assert (await handle.result()).stage is Stage.EXPIRED
    await world.mailed("registration_given_up", "support_given_up")


async def test_support_is_told_where_even_the_address_is_unknown(world: World) -> None:
    world.people.down = True
    world.people.retry_after_seconds = timedelta(days=8).total_seconds()
    handle, _ = await world.submit()
    assert (await handle.result()).stage is Stage.EXPIRED
    await world.mailed("support_given_up")


async def test_the_database_may_be_away_too(world: World) -> None:
    world.knows(MEDICINE)
    world.accounts.down = True
    handle, outcome = await world.submit()
    assert outcome.status is OutcomeStatus.IN_PROGRESS
    assert (await handle.query(Registration.status)).waiting_on == ("database",)
    world.accounts.down = False
    await world.passes(handle, timedelta(minutes=1))
    await world.mailed("password_link")


async def test_mail_that_is_down_is_retried_while_the_page_has_its_answer(world: World) -> None:
    world.knows(MEDICINE)
    world.mailer.down = True
    handle, outcome = await world.submit()
    assert outcome.status is OutcomeStatus.REGISTERED

    async def waits_for_mail() -> bool:
        return (await handle.query(Registration.status)).waiting_on == ("mail",)

    await world.eventually(waits_for_mail)
    world.mailer.down = False
    await world.passes(handle, timedelta(minutes=1))
    await world.mailed("password_link")
    await world.keep(handle, "mail-was-down")


async def test_a_mail_whose_sending_was_never_recorded_comes_twice_with_the_same_link(world: World) -> None:
    world.knows(MEDICINE)
    world.mailer.unanswered = 1
    handle, _ = await world.submit()
    await world.mailed("password_link", "password_link")
    first, second = world.mailer.sent
    assert (first.text, first.message_key) == (second.text, second.message_key)
    assert [link.closed for link in world.accounts.links.values()] == [False]
    assert (await world.reaches(handle, Stage.AWAITING_PASSWORD)).waiting_on == ()


async def submitted_with_a_rejected_address(world: World) -> Handle:
    """A registration that shows that its address was rejected.

    From now on the server takes mail.
    """
    world.knows(MEDICINE)
    world.mailer.rejects = True
    handle, _ = await world.submit()

    async def shows_it() -> bool:
        return (await handle.query(Registration.status)).waiting_on == (WaitingOn.MAIL_ADDRESS,)

    await world.eventually(shows_it)
    world.mailer.rejects = False
    return handle


async def test_a_rejected_address_is_shown_and_another_link_can_be_sent(world: World) -> None:
    handle = await submitted_with_a_rejected_address(world)
    world.people.people[ANA] = replace(PERSON, email="ana.nueva@otro.test")
    await world.passes(handle, timedelta(minutes=4))
    await handle.execute_update("resend_link", "corrigió su correo")
    await world.mailed("password_link")
    assert world.mailer.sent[0].to_address == "ana.nueva@otro.test"
    assert len(world.accounts.accounts) == 1

    async def waits_for_nothing() -> bool:
        # The mail is out a moment before its activity has ended.
        return (await handle.query(Registration.status)).waiting_on == ()

    await world.eventually(waits_for_nothing)
    status = await handle.query(Registration.status)
    assert status.outcome is not None
    assert status.outcome.email_hint == "a•••@o•••.test"
    await world.keep(handle, "address-corrected")


async def test_an_address_that_nobody_corrected_is_tried_again_all_the_same(world: World) -> None:
    handle = await submitted_with_a_rejected_address(world)
    del world.people.people[ANA]
    await world.passes(handle, timedelta(minutes=4))
    await handle.execute_update("resend_link", "el buzón ya no está lleno")
    await world.mailed("password_link")
    assert len(world.accounts.registrations) == 1


async def test_a_reminder_goes_out_when_a_quarter_of_the_time_is_left(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    await world.passes(handle, timedelta(hours=17, minutes=55))
    await world.mailed("password_link")
    await world.passes(handle, timedelta(minutes=10))
    await world.mailed("password_link", "password_reminder")


async def test_a_held_reminder_makes_way_for_another_link(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    world.sent_mails.holds_for_hours = world.mailer.silent_after_the_message = True
    await world.passes(handle, timedelta(hours=18, minutes=5))
    await world.mailed("password_link", "password_reminder")
    world.mailer.silent_after_the_message = False
    await handle.execute_update("resend_link", "no encuentra el correo")
    await world.mailed("password_link", "password_reminder", "password_link")
    world.sets_password()
    await handle.signal(Registration.password_set)
    assert (await handle.result()).stage is Stage.COMPLETED
    await world.keep(handle, "held-reminder-left")


async def test_another_link_asked_for_while_the_last_one_expires_is_sent(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit(radicado="RM-EXPIRESSL0W0")
    await world.mailed("password_link")
    world.accounts.expiry_down = True
    await world.passes(handle, timedelta(hours=25))
    _, outcome = await world.submit(radicado="RM-EXPIRESSL0W0")
    assert outcome.status is OutcomeStatus.REGISTERED
    world.accounts.expiry_down = False
    await world.passes(handle, timedelta(minutes=6))
    await world.mailed("password_link", "password_reminder", "password_link")
    await world.passes(handle, timedelta(hours=25))
    assert (await handle.result()).stage is Stage.EXPIRED
    await world.keep(handle, "asked-while-expiring")


async def test_an_unused_link_expires(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    await world.passes(handle, timedelta(hours=25))
    assert (await handle.result()).stage is Stage.EXPIRED
    assert all(link.closed for link in world.accounts.links.values())
    await world.keep(handle, "expired")


async def test_a_lost_signal_loses_nothing(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    world.sets_password()
    await world.passes(handle, timedelta(hours=25))
    assert (await handle.result()).stage is Stage.COMPLETED
    await world.mailed("password_link", "password_set")
    await world.keep(handle, "signal-lost")


async def test_a_mistaken_signal_changes_nothing(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    await handle.signal(Registration.password_set)
    await world.passes(handle, timedelta(hours=1))
    assert (await handle.query(Registration.status)).stage is Stage.AWAITING_PASSWORD
    world.sets_password()
    await handle.signal(Registration.password_set)
    assert (await handle.result()).stage is Stage.COMPLETED
    await world.keep(handle, "mistaken-signal")


async def test_another_link_supersedes_the_first_and_moves_the_deadline(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    await world.passes(handle, timedelta(hours=20))
    await handle.execute_update("resend_link", "no llegó el correo")
    await world.mailed("password_link", "password_reminder", "password_link")
    assert [link.closed for link in world.accounts.links.values()] == [True, False]
    await world.passes(handle, timedelta(hours=17))
    assert (await handle.query(Registration.status)).stage is Stage.AWAITING_PASSWORD
    world.sets_password()
    await handle.signal(Registration.password_set)
    assert (await handle.result()).stage is Stage.COMPLETED
    await world.keep(handle, "resent")


@pytest.mark.parametrize(("reason", "error"), [("  ", "ReasonMissing"), ("otra vez", "TooSoon")])
async def test_another_link_needs_a_reason_and_some_time(world: World, reason: str, error: str) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    await _is_rejected(handle.execute_update("resend_link", reason), error)


async def test_five_links_a_day_are_enough(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    for count in range(1, 5):
        await world.mailed(*["password_link"] * count)
        await world.passes(handle, timedelta(minutes=4))
        await handle.execute_update("resend_link", "no llegó el correo")
    await world.mailed(*["password_link"] * 5)
    await world.passes(handle, timedelta(minutes=4))
    await _is_rejected(handle.execute_update("resend_link", "no llegó el correo"), "TooSoon")


async def test_no_link_is_sent_again_before_there_was_one(world: World) -> None:
    world.knows(MEDICINE)
    world.talent.down = True
    handle, _ = await world.submit()
    await _is_rejected(handle.execute_update("resend_link", "no llegó el correo"), "WrongStage")


async def _is_rejected(update: object, error_type: str) -> None:
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await update  # type: ignore[misc]
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == error_type


async def test_submitting_again_joins_and_mails_nothing_more(world: World) -> None:
    world.knows(MEDICINE)
    handle, first = await world.submit(radicado="RM-JOINED000000")
    await world.mailed("password_link")
    for _ in range(3):
        _, again = await world.submit(radicado="RM-JOINED000000")
        assert again == first
    assert len(world.accounts.registrations) == 1
    await world.mailed("password_link")
    await world.keep(handle, "joined")


async def test_submitting_again_after_a_while_sends_another_link(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit(radicado="RM-LATER0000000")
    await world.mailed("password_link")
    await world.passes(handle, timedelta(minutes=4))
    await world.submit(radicado="RM-LATER0000000")
    await world.mailed("password_link", "password_link")


async def test_no_link_is_sent_where_the_password_exists_already(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    world.sets_password()
    await world.passes(handle, timedelta(minutes=4))
    await handle.execute_update("resend_link", "no llegó el correo")
    assert (await handle.result()).stage is Stage.COMPLETED
    await world.mailed("password_link", "password_set")
    await world.keep(handle, "confirmed-where-no-link-is-sent")


async def test_another_link_asked_for_while_the_password_is_being_set_is_none(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    await world.passes(handle, timedelta(minutes=4))
    world.sets_password()
    asked = handle.execute_update("resend_link", "no llegó el correo")
    # The wish may come first, or too late for a registration that is over; the end is the same.
    await asyncio.gather(asked, handle.signal(Registration.password_set), return_exceptions=True)
    assert (await handle.result()).stage is Stage.COMPLETED
    await world.mailed("password_link", "password_set")


async def test_after_expiry_a_new_submission_starts_a_new_run(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit(radicado="RM-AGAIN0000000")
    await world.mailed("password_link")
    await world.passes(handle, timedelta(hours=25))
    assert (await handle.result()).stage is Stage.EXPIRED
    _, outcome = await world.submit(radicado="RM-AGAIN0000000")
    assert outcome.status is OutcomeStatus.REGISTERED
    await world.mailed("password_link", "password_reminder", "password_link")


async def test_cancelling_takes_back_what_was_made(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    await world.cancels(handle)
    assert (await handle.result()).stage is Stage.CANCELLED
    assert world.accounts.accounts == {}
    assert all(link.closed for link in world.accounts.links.values())
    assert (await world.attributes(handle))["RegistrationStage"] == "cancelled"
    await world.keep(handle, "cancelled")


async def test_cancelling_ends_the_wait_for_a_registry(world: World) -> None:
    world.knows(MEDICINE)
    world.talent.down = True
    handle, _ = await world.submit()
    await world.cancels(handle)
    assert (await handle.result()).stage is Stage.CANCELLED
    assert world.accounts.registrations == []
    await world.keep(handle, "cancelled-while-waiting")


async def test_who_is_cancelled_by_support_is_told_by_mail(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    await world.cancels(handle)
    await handle.result()
    await world.mailed("password_link", "registration_cancelled")
    await world.keep(handle, "cancelled-mailed-apart")


async def test_a_cancelled_registration_ends_while_no_mail_goes_out(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    world.mailer.down = True
    await world.cancels(handle)
    assert (await handle.result()).stage is Stage.CANCELLED
    world.mailer.down = False
    await world.mailed("password_link", "registration_cancelled")


async def test_nobody_is_told_of_a_cancelling_before_an_address_is_known(world: World) -> None:
    world.people.down = True
    handle, _ = await world.submit()
    await world.cancels(handle)
    await handle.result()
    await world.mailed()


async def test_temporals_own_cancel_does_the_same(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    await handle.cancel()
    assert (await handle.result()).stage is Stage.CANCELLED
    assert world.accounts.accounts == {}
    await world.keep(handle, "cancelled-by-temporal")


async def test_cancelling_while_the_account_is_created_leaves_no_orphan(world: World) -> None:
    """The creation is caught in the middle.

    It ends first, and only then is it taken back.
    """
    world.knows(MEDICINE)
    world.accounts.hold()
    submitting = asyncio.create_task(world.submit(radicado="RM-MIDDLE000000"))
    await world.accounts.registering.wait()
    handle = world.handles["RM-MIDDLE000000"]
    cancelling = asyncio.create_task(world.cancels(handle))
    world.accounts.release()
    await cancelling
    await submitting
    assert (await handle.result()).stage is Stage.CANCELLED
    assert world.accounts.accounts == {}
    assert len(world.accounts.registrations) == 1


async def test_an_account_in_use_survives_a_cancel(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    world.sets_password()
    await world.cancels(handle)
    await handle.result()
    assert [contact.has_password for contact in world.accounts.accounts.values()] == [True]


async def test_a_cancel_needs_a_reason(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await _is_rejected(handle.execute_update("cancel_registration", " "), "ReasonMissing")


async def test_signal_and_expiry_at_once_agree_with_the_database(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    world.sets_password()
    await asyncio.gather(world.passes(handle, timedelta(hours=25)), handle.signal(Registration.password_set))
    assert (await handle.result()).stage is Stage.COMPLETED


@pytest.mark.several_at_once
async def test_two_types_at_once_end_with_one_account(world: World) -> None:
    world.knows(MEDICINE)
    world.delegates()
    (first, _), (second, _) = await asyncio.gather(world.submit(PROFESSIONAL), world.submit(DELEGATE))
    await world.mailed("password_link", "password_link")
    world.sets_password()
    for handle in (first, second):
        await handle.signal(Registration.password_set)
        assert (await handle.result()).stage is Stage.COMPLETED
    assert len(world.accounts.accounts) == 1


# ---- Where no page shows the answer


async def test_a_refusal_is_mailed_where_no_page_tells_it(world: World) -> None:
    world.knows(MEDICINE, sanctions=(sanction(),))
    handle = await world.accept()
    status = await handle.result()
    assert (status.stage, status.outcome.refusal) == (Stage.REFUSED, Refusal.SANCTIONED)
    await world.mailed("registration_refused")


@pytest.mark.parametrize(
    ("submission", "refusal"),
    [(DELEGATE, Refusal.ENTITY_NOT_IN_MISEGURIDADSOCIAL), (OTHER, Refusal.PROFESSION_NOT_AUTHORIZED)],
)
async def test_a_mailed_refusal_has_the_remedy_of_what_was_submitted(
    world: World, submission: Submission, refusal: Refusal
) -> None:
    world.knows(MEDICINE)
    handle = await world.accept(submission)
    assert (await handle.result()).outcome.refusal is refusal
    await world.mailed("registration_refused")
    remedy = explain_by_mail(refusal, submission.user_type, entity=submission.entity)
    assert remedy != explain_by_mail(refusal, None)
    assert world.composer.contexts[-1]["message"] == remedy
    await world.keep(handle, "refused-by-mail")


async def test_a_page_that_tells_the_refusal_is_no_reason_for_a_mail(world: World) -> None:
    world.knows(MEDICINE, sanctions=(sanction(),))
    handle, _ = await world.submit()
    await handle.result()
    assert world.mailer.sent == []


async def _with_password(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    world.sets_password()
    await handle.signal(Registration.password_set)
    await handle.result()
    world.mailer.sent.clear()


async def test_beyond_the_documents_budget_nobody_is_mailed_again(world: World) -> None:
    await _with_password(world)
    handle = await world.accept(is_quiet=True)
    assert (await handle.result()).outcome.status is OutcomeStatus.UPDATED
    world.knows(MEDICINE, sanctions=(sanction(),))
    handle = await world.accept(is_quiet=True)
    assert (await handle.result()).outcome.status is OutcomeStatus.REFUSED
    assert world.mailer.sent == []


async def test_a_new_account_gets_its_link_also_beyond_the_budget(world: World) -> None:
    world.knows(MEDICINE)
    handle = await world.accept(is_quiet=True)
    await world.mailed("password_link")
    world.sets_password()
    await handle.signal(Registration.password_set)
    await handle.result()


async def test_whom_nobody_knows_is_sent_nothing(world: World) -> None:
    handle = await world.accept()
    assert (await handle.result()).outcome.refusal is Refusal.NOT_IN_MISEGURIDADSOCIAL
    assert world.mailer.sent == []


async def test_asking_again_sends_another_link_but_not_at_once(world: World) -> None:
    world.knows(MEDICINE)
    handle = await world.accept()
    await world.mailed("password_link")
    await handle.signal(Registration.asked_again)
    await world.passes(handle, timedelta(minutes=4))
    await world.mailed("password_link")
    await handle.signal(Registration.asked_again)
    await world.mailed("password_link", "password_link")
    world.sets_password()
    await handle.signal(Registration.password_set)
    await handle.result()


async def test_registering_again_mails_the_address_that_the_registry_has_now(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit(radicado="RM-NEWADDRESS00")
    await world.mailed("password_link")
    world.people.people[ANA] = replace(PERSON, email="ana.nueva@otro.test")
    await world.passes(handle, timedelta(minutes=4))
    await world.submit(radicado="RM-NEWADDRESS00")
    await world.mailed("password_link", "password_link")
    assert [mail.to_address for mail in world.mailer.sent] == [PERSON.email, "ana.nueva@otro.test"]
    assert [link.closed for link in world.accounts.links.values()] == [True, False]


async def test_an_address_corrected_between_two_links_gets_its_link_at_once(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit(radicado="RM-NEWADDRESS01")
    await world.mailed("password_link")
    world.people.people[ANA] = replace(PERSON, email="ana.nueva@otro.test")
    await world.passes(handle, timedelta(seconds=40))
    _, outcome = await world.submit(radicado="RM-NEWADDRESS01")
    assert outcome.email_hint == "a•••@o•••.test"
    await world.mailed("password_link", "password_link")
    assert world.mailer.sent[1].to_address == "ana.nueva@otro.test"
    assert [link.closed for link in world.accounts.links.values()] == [True, False]
    await world.keep(handle, "corrected-between-links")


async def test_the_same_address_gets_no_link_between_two(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit(radicado="RM-SAMEADDRESS0")
    await world.mailed("password_link")
    await world.passes(handle, timedelta(seconds=40))
    for _ in range(3):
        await world.submit(radicado="RM-SAMEADDRESS0")
    await world.mailed("password_link")
    assert len(world.people.calls) == 2


async def test_a_registry_that_is_down_between_two_links_changes_no_answer(world: World) -> None:
    world.knows(MEDICINE)
    handle, first = await world.submit(radicado="RM-DOWNBETWEEN0")
    await world.mailed("password_link")
    world.people.down = True
    await world.passes(handle, timedelta(seconds=40))
    assert (await world.submit(radicado="RM-DOWNBETWEEN0"))[1] == first


async def test_a_registry_that_is_down_does_not_keep_anybody_from_another_link(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit(radicado="RM-REGISTRYDOWN")
    await world.mailed("password_link")
    world.people.down = True
    await world.passes(handle, timedelta(minutes=4))
    await world.submit(radicado="RM-REGISTRYDOWN")
    await world.mailed("password_link", "password_link")


async def test_a_try_that_mailed_nothing_spends_no_pause(world: World) -> None:
    handle = await submitted_with_a_rejected_address(world)
    await handle.execute_update("resend_link", "ya se arregló el servidor de correo")
    await world.mailed("password_link")


async def _limited_queues(handle: Handle) -> list[str]:
    """The registries' queues that a run used, in its order."""
    scheduled = [
        event.activity_task_scheduled_event_attributes.task_queue.name
        async for event in handle.fetch_history_events()
    ]
    return [queue for queue in scheduled if queue and queue != REGISTRATIONS_QUEUE]
