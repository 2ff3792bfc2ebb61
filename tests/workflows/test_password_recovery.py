"""The workflow PasswordRecovery."""

from dataclasses import replace
from datetime import timedelta

from temporalio.client import WorkflowExecutionStatus

from mipres.domain.documents import Document, DocumentType
from tests.workflows.conftest import ANA, MEDICINE, PERSON, Handle, World, told_to_support
from workflows.password_recovery import PasswordRecovery
from workflows.registration import Registration

STRANGER = Document(type=DocumentType.CC, number="99999999")


async def _with_account(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    world.sets_password()
    await handle.signal(Registration.password_set)
    await handle.result()
    world.mailer.sent.clear()


async def _with_used_link(world: World) -> Handle:
    """A recovery whose link has set a password, of which no signal tells yet."""
    await _with_account(world)
    handle = await world.recover()
    await world.mailed("password_recovery")
    world.accounts.clock.advance(timedelta(seconds=1))
    world.sets_password()
    return handle


async def _waits_on(world: World, handle: Handle, what: str) -> None:
    async def waits() -> bool:
        return (await world.attributes(handle)).get("WaitingOn") == [what]

    await world.eventually(waits)


async def test_an_unknown_document_ends_at_once_and_mails_nothing(world: World) -> None:
    handle = await world.recover(STRANGER)
    await handle.result()
    assert world.mailer.sent == []
    await world.keep(handle, "recovery-unknown")


async def test_a_used_link_ends_with_a_confirmation(world: World) -> None:
    handle = await _with_used_link(world)
    await handle.signal(PasswordRecovery.password_set)
    await handle.result()
    await world.mailed("password_recovery", "password_changed")
    await world.keep(handle, "recovery-used")


async def test_an_unused_link_is_closed_after_half_an_hour(world: World) -> None:
    await _with_account(world)
    handle = await world.recover()
    await world.mailed("password_recovery")
    await world.passes(handle, timedelta(minutes=31))
    await handle.result()
    assert all(link.closed for link in world.accounts.links.values())
    await world.mailed("password_recovery")
    await world.keep(handle, "recovery-unused")


async def test_asking_again_mails_again_but_not_at_once(world: World) -> None:
    await _with_account(world)
    handle = await world.recover()
    await world.mailed("password_recovery")
    await handle.signal(PasswordRecovery.link_asked)
    await world.passes(handle, timedelta(minutes=4))
    await world.mailed("password_recovery")
    await handle.signal(PasswordRecovery.link_asked)
    await world.mailed("password_recovery", "password_recovery")
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    await world.keep(handle, "recovery-asked-twice")


async def test_a_lost_signal_keeps_no_change_from_the_owner_of_the_mailbox(world: World) -> None:
    handle = await _with_used_link(world)
    await world.passes(handle, timedelta(minutes=31))
    await handle.result()
    await world.mailed("password_recovery", "password_changed")
    await world.keep(handle, "recovery-signal-lost")


async def test_who_asks_again_while_the_confirmation_waits_gets_a_link(world: World) -> None:
    handle = await _with_used_link(world)
    world.mailer.down = True
    await handle.signal(PasswordRecovery.password_set)
    await _waits_on(world, handle, "mail")
    await world.passes(handle, timedelta(minutes=4))
    await handle.signal(PasswordRecovery.link_asked)
    world.mailer.down = False
    await world.passes(handle, timedelta(minutes=6))
    await world.mailed("password_recovery", "password_changed", "password_recovery")
    # The link is followed to its end like any other.
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    world.accounts.clock.advance(timedelta(seconds=1))
    world.sets_password()
    await handle.signal(PasswordRecovery.password_set)
    await handle.result()
    assert world.mailer.sent[-1].subject == "password_changed"
    await world.keep(handle, "recovery-asked-at-the-end")


async def test_asking_again_replaces_a_link_of_unknown_fate(world: World) -> None:
    await _with_account(world)
    world.sent_mails.holds_for_hours = world.mailer.silent_after_the_message = True
    handle = await world.recover()
    await world.mailed("password_recovery")
    await world.passes(handle, timedelta(minutes=4))
    world.mailer.silent_after_the_message = False
    await handle.signal(PasswordRecovery.link_asked)
    await world.mailed("password_recovery", "password_recovery")


async def test_recovery_waits_for_a_database_that_is_away(world: World) -> None:
    await _with_account(world)
    world.accounts.down = True
    handle = await world.recover()
    await _waits_on(world, handle, "database")
    world.accounts.down = False
    await world.passes(handle, timedelta(minutes=1))
    await world.mailed("password_recovery")


OTHER_ADDRESS = "otra@ejemplo.test"
WAIT = timedelta(hours=24)


async def _with_another_address(world: World) -> None:
    await _with_account(world)
    world.people.people[ANA] = replace(PERSON, email=OTHER_ADDRESS)


def _mails(world: World) -> list[tuple[str, str]]:
    return [(mail.subject, mail.to_address) for mail in world.mailer.sent]


WARNINGS = [("address_changing", PERSON.email), ("address_new", OTHER_ADDRESS)]


async def test_a_recovery_to_another_address_waits_and_both_are_told(world: World) -> None:
    await _with_another_address(world)
    handle = await world.recover()
    await world.mailed("address_changing", "address_new")
    assert _mails(world) == WARNINGS
    assert "el correo cambió en miseguridadsocial" in await told_to_support(handle)

    await world.passes(handle, WAIT - timedelta(hours=1))
    assert _mails(world) == WARNINGS
    world.clock.advance(WAIT)
    world.accounts.clock.advance(WAIT)
    await world.passes(handle, timedelta(hours=2))
    await world.mailed("address_changing", "address_new", "password_recovery")
    assert _mails(world)[-1] == ("password_recovery", OTHER_ADDRESS)
    await world.keep(handle, "recovery-address-changed")


async def test_the_owner_of_the_old_address_stops_it_and_recovers_at_once(world: World) -> None:
    await _with_another_address(world)
    handle = await world.recover()
    await world.mailed("address_changing", "address_new")
    world.changes.stop()
    await handle.signal(PasswordRecovery.address_change_stopped)
    await handle.result()
    await world.mailed("address_changing", "address_new", "support_change_stopped")
    again = await world.recover()
    await world.mailed("address_changing", "address_new", "support_change_stopped", "password_recovery")
    assert _mails(world)[-1] == ("password_recovery", PERSON.email)
    await world.keep(handle, "recovery-address-stopped")
    await world.passes(again, timedelta(minutes=31))


async def _stop_and_ask_while_no_mail_goes_out(world: World, handle: Handle) -> None:
    world.changes.stop()
    await handle.signal(PasswordRecovery.address_change_stopped)
    await handle.signal(PasswordRecovery.link_asked)
    world.mailer.down = False
    await world.passes(handle, timedelta(minutes=1))


async def test_who_stopped_it_waits_for_no_mail_to_support(world: World) -> None:
    await _with_another_address(world)
    handle = await world.recover()
    await world.mailed("address_changing", "address_new")
    world.mailer.down = True
    await _stop_and_ask_while_no_mail_goes_out(world, handle)

    async def all_of_them() -> bool:
        return len(world.mailer.sent) == 4

    await world.eventually(all_of_them)
    assert set(_mails(world)[2:]) == {
        ("support_change_stopped", "soporte@ejemplo.test"),
        ("password_recovery", PERSON.email),
    }


async def test_who_stopped_it_before_the_second_notice_is_out_recovers_at_once(world: World) -> None:
    await _with_another_address(world)
    world.mailer.down, world.mailer.accepts, world.mailer.attempts = True, "address_changing", 0
    handle = await world.recover()

    async def tries_the_second_notice() -> bool:
        return world.mailer.attempts > 1

    await world.eventually(tries_the_second_notice)
    await _stop_and_ask_while_no_mail_goes_out(world, handle)

    async def recovers() -> bool:
        return ("password_recovery", PERSON.email) in _mails(world)

    await world.eventually(recovers)
    await world.keep(handle, "recovery-asked-after-a-stop")


async def test_a_stop_without_a_recovery_is_reported_and_mails_no_link(world: World) -> None:
    await _with_another_address(world)
    handle = await world.recover(signal="address_change_stopped")
    await handle.result()
    await world.mailed("support_change_stopped")


async def test_asking_again_during_the_wait_warns_nobody_twice(world: World) -> None:
    await _with_another_address(world)
    handle = await world.recover()
    await world.mailed("address_changing", "address_new")

    async def waits() -> bool:
        return "en espera" in await told_to_support(handle)

    await world.eventually(waits)
    calls = len(world.people.calls)
    await handle.signal(PasswordRecovery.link_asked)

    async def asked_the_registry() -> bool:
        return len(world.people.calls) > calls

    await world.eventually(asked_the_registry)
    await world.passes(handle, timedelta(hours=1))
    assert _mails(world) == WARNINGS


async def test_without_an_answer_of_the_registry_the_stored_address_gets_the_link(world: World) -> None:
    await _with_another_address(world)
    world.people.down = True
    handle = await world.recover()
    await world.mailed("password_recovery")
    assert _mails(world) == [("password_recovery", PERSON.email)]
    await world.passes(handle, timedelta(minutes=31))
    await handle.result()


async def test_an_old_mailbox_that_is_gone_does_not_keep_the_person_out(world: World) -> None:
    await _with_another_address(world)
    world.mailer.rejects = True
    handle = await world.recover()

    async def warned() -> bool:
        return bool(world.changes.warned)

    await world.eventually(warned)
    world.mailer.rejects = False
    world.accounts.clock.advance(WAIT)
    await world.passes(handle, WAIT + timedelta(minutes=2))

    async def recovered() -> bool:
        return ("password_recovery", OTHER_ADDRESS) in _mails(world)

    await world.eventually(recovered)
    assert "address_changing" not in dict(_mails(world))
