import asyncio
import gc
import itertools
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import emails
from activities.emails import (
    ConfirmPasswordInput,
    EmailActivities,
    NoticeInput,
    RefusalNoticeInput,
    SendLinkInput,
    SendReminderInput,
    SendUpdateNoticeInput,
    SupportNoticeInput,
)
from mipres.domain.accounts import AccountContact
from mipres.domain.documents import Document, DocumentType
from mipres.domain.errors import MailNotAcceptedError, MailOutOfDateError
from mipres.domain.links import LinkPurpose
from mipres.domain.mail import MOST_UNKNOWN_ENDS, Mail, MailClaim
from mipres.domain.outcomes import Refusal
from mipres.domain.people import Person
from mipres.domain.remedies import explain_by_mail
from mipres.domain.submissions import Entity, EntityKind, Regime, Submission, UserType
from tests.fakes import FakeAccounts, FakeAddressChanges, FakeClock, FakeComposer, FakeMailer, FakeSentMails

RADICADO = "RM-000000000001"
LIFETIME = timedelta(hours=24)
ACCOUNT = uuid.UUID(int=1)
ANA = AccountContact(login="CC1020304050", full_name="Ana María Ruiz", email="ana.ruiz@ejemplo.test")


class Desk:
    """The activities over fakes that a test can look into."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.accounts = FakeAccounts(clock=self.clock, accounts={ACCOUNT: ANA})
        self.composer, self.mailer = FakeComposer(), FakeMailer()
        self.sent_mails = FakeSentMails()
        self.changes = FakeAddressChanges(accounts=self.accounts)
        self.activities = self._over()
        self._environment = ActivityEnvironment()

    def _over(self, *, support_address: str | None = None) -> EmailActivities:
        return EmailActivities(
            accounts=self.accounts,
            composer=self.composer,
            mailer=self.mailer,
            sent_mails=self.sent_mails,
            address_changes=self.changes,
            support_address=support_address,
        )

    async def send_link(
        self,
        issue_key: str = "enlace-1",
        *,
        purpose: LinkPurpose = LinkPurpose.CREATE,
        account_id: uuid.UUID = ACCOUNT,
    ) -> bool:
        request = SendLinkInput(
            account_id=account_id,
            reference=RADICADO,
            purpose=purpose,
            lifetime=LIFETIME,
            issue_key=issue_key,
        )
        result = await self._environment.run(self.activities.send_password_link, request)
        return result.password_exists

    async def run(self, send: Callable[[NoticeInput], Awaitable[None]], notice: NoticeInput) -> None:
        await self._environment.run(send, notice)

    async def notify_support(self, notice: SupportNoticeInput, *, address: str | None) -> None:
        await self._environment.run(self._over(support_address=address).notify_support, notice)

    async def confirm(self, message_key: str = "confirmacion") -> bool:
        request = ConfirmPasswordInput(account_id=ACCOUNT, message_key=message_key)
        return (await self._environment.run(self.activities.confirm_password_set, request)).password_set

    async def remind(self) -> None:
        request = SendReminderInput(account_id=ACCOUNT, reference=RADICADO, message_key="recordatorio")
        await self._environment.run(self.activities.send_reminder, request)

    async def notify(self) -> None:
        request = SendUpdateNoticeInput(account_id=ACCOUNT, message_key="aviso")
        await self._environment.run(self.activities.send_update_notice, request)

    @property
    def sent(self) -> list[tuple[str, str]]:
        """Template and key of every mail that went out."""
        return [(mail.subject, mail.message_key) for mail in self.mailer.sent]


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_link_is_issued_and_mailed(desk: Desk) -> None:
    assert not await desk.send_link()

    link = desk.accounts.links["enlace-1"].link
    assert link.expires_at == desk.clock.now() + LIFETIME
    assert desk.sent == [("password_link", "enlace-1")]
    assert desk.mailer.sent[0].to_address == ANA.email
    assert desk.composer.contexts == [
        {"token": link.token, "expires_at": link.expires_at, "reference": RADICADO}
    ]


async def test_a_link_to_recover_has_a_mail_of_its_own(desk: Desk) -> None:
    desk.accounts.set_password_of(ACCOUNT)
    assert not await desk.send_link(purpose=LinkPurpose.RECOVER)
    assert desk.sent == [("password_recovery", "enlace-1")]


async def test_where_the_password_exists_no_link_to_create_it_is_mailed(desk: Desk) -> None:
    desk.accounts.set_password_of(ACCOUNT)
    assert await desk.send_link()
    assert desk.sent == []


async def test_a_mail_that_is_tried_again_carries_the_same_link_under_the_same_key(desk: Desk) -> None:
    desk.mailer.down = True
    with pytest.raises(ApplicationError):
        await desk.send_link()
    desk.mailer.down = False
    await desk.send_link()
    await desk.send_link()

    assert desk.sent == [("password_link", "enlace-1")]
    tokens = [str(context["token"]) for context in desk.composer.contexts]
    assert len(tokens) == 2
    assert len(set(tokens)) == 1


async def test_two_registrations_of_one_person_confirm_a_password_once(desk: Desk) -> None:
    desk.accounts.set_password_of(ACCOUNT)
    assert await desk.confirm("primero.confirmacion")
    assert await desk.confirm("segundo.confirmacion")
    assert desk.sent == [("password_set", "primero.confirmacion")]

    desk.clock.advance(timedelta(hours=1))
    desk.accounts.set_password_of(ACCOUNT)
    assert await desk.confirm("primero.confirmacion")
    assert len(desk.sent) == 2


async def test_a_mail_that_another_attempt_is_sending_waits_for_its_end(desk: Desk) -> None:
    desk.sent_mails.held.add("data_updated:aviso")
    with pytest.raises(ApplicationError) as caught:
        await desk.notify()
    assert (caught.value.type, caught.value.non_retryable) == ("MailBeingSent", False)
    assert desk.sent == []
    await desk.sent_mails.release("data_updated:aviso")
    await desk.notify()
    assert desk.sent == [("data_updated", "aviso")]


async def cut_off(attempt: Coroutine[Any, Any, object], *, once: asyncio.Event) -> None:
    """Begin an attempt, and cancel it once something has happened."""
    running = asyncio.create_task(attempt)
    await once.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_an_attempt_that_is_cut_off_at_a_slow_server_mails_no_second_copy(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt has three seconds; the server has the mail, and answers later."""
    desk.accounts.set_password_of(ACCOUNT)
    taken, answers = asyncio.Event(), asyncio.Event()

    async def answer_late(mail: Mail, **_: object) -> None:
        desk.mailer.sent.append(mail)
        taken.set()
        await answers.wait()

    monkeypatch.setattr(desk.mailer, "send", answer_late)
    await cut_off(desk.confirm(), once=taken)
    with pytest.raises(ApplicationError) as caught:
        await desk.confirm()
    assert caught.value.type == "MailBeingSent"
    answers.set()
    while not desk.sent_mails.sent:
        await asyncio.sleep(0)
    assert await desk.confirm()
    assert len(desk.sent) == 1


async def test_what_fails_after_its_attempt_was_cut_off_is_no_error_of_the_program(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, unread_errors: list[str]
) -> None:
    taken, answers = asyncio.Event(), asyncio.Event()

    async def fail_late(_mail: Mail, **_: object) -> None:
        taken.set()
        await answers.wait()
        raise MailNotAcceptedError("SMTPConnectTimeoutError")

    monkeypatch.setattr(desk.mailer, "send", fail_late)
    await cut_off(desk.notify(), once=taken)
    answers.set()
    while desk.sent_mails.held:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()
    assert unread_errors == []


async def test_the_confirmation_is_mailed_once_the_database_knows_the_password(desk: Desk) -> None:
    desk.accounts.set_password_of(ACCOUNT)
    assert await desk.confirm()
    assert desk.sent == [("password_set", "confirmacion")]


async def test_a_password_that_replaced_another_is_told_as_changed(desk: Desk) -> None:
    desk.accounts.set_password_of(ACCOUNT)
    desk.accounts.set_password_of(ACCOUNT)
    assert await desk.confirm()
    assert desk.sent == [("password_changed", "confirmacion")]


async def test_a_mistaken_signal_confirms_nothing(desk: Desk) -> None:
    assert not await desk.confirm()
    assert desk.sent == []


async def test_a_reminder_carries_the_link_that_is_open(desk: Desk) -> None:
    await desk.send_link("enlace-1")
    await desk.send_link("enlace-2")
    await desk.remind()

    assert desk.sent[-1] == ("password_reminder", "recordatorio")
    link = desk.accounts.links["enlace-2"].link
    assert desk.composer.contexts[-1] == {"token": link.token, "expires_at": link.expires_at}


async def test_without_an_open_link_nobody_is_reminded(desk: Desk) -> None:
    await desk.remind()
    await desk.send_link()
    desk.clock.advance(LIFETIME)
    await desk.remind()
    assert desk.sent == [("password_link", "enlace-1")]


async def test_after_the_password_nobody_is_reminded(desk: Desk) -> None:
    await desk.send_link()
    desk.accounts.set_password_of(ACCOUNT)
    await desk.remind()
    assert desk.sent == [("password_link", "enlace-1")]


async def test_a_refreshed_account_is_told(desk: Desk) -> None:
    await desk.notify()
    assert desk.sent == [("data_updated", "aviso")]


@pytest.mark.parametrize(
    ("send", "template"),
    [
        (EmailActivities.send_given_up_notice, "registration_given_up"),
        (EmailActivities.send_cancelled_notice, "registration_cancelled"),
    ],
)
async def test_who_has_no_account_yet_is_told_at_the_address_that_comes_along(
    desk: Desk, send: Callable[[EmailActivities, NoticeInput], Awaitable[None]], template: str
) -> None:
    person = Person(given_names="Inés", surnames="Ñáñez", email="ines@ejemplo.test")
    notice = NoticeInput(person=person, login="CC100200300", reference=RADICADO, message_key="demora")
    await send(desk.activities, notice)

    assert desk.sent == [(template, "demora")]
    assert (desk.mailer.sent[0].to_name, desk.mailer.sent[0].to_address) == ("Inés Ñáñez", person.email)
    assert desk.composer.contexts == [{"reference": RADICADO}]
    assert list(desk.accounts.accounts) == [ACCOUNT]


@pytest.mark.parametrize("known_at", [1, 2, None])
async def test_no_delay_is_told_of_once_the_end_is_known(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, known_at: int | None
) -> None:
    """It is asked before the attempt and before the message is handed over."""
    looks = itertools.count(1)

    async def require_undecided() -> None:
        if next(looks) == known_at:
            raise MailOutOfDateError

    monkeypatch.setattr(emails, "require_undecided", require_undecided)
    person = Person(given_names="Inés", surnames="Ñáñez", email="ines@ejemplo.test")
    notice = NoticeInput(person=person, login="CC100200300", reference=RADICADO, message_key="demora")
    await desk.run(desk.activities.send_delay_notice, notice)
    assert desk.sent == ([] if known_at else [("registration_delayed", "demora")])
    assert desk.sent_mails.held == set()
    assert len(desk.sent_mails.sent) == len(desk.sent)


async def test_support_is_told_where_it_has_an_address(desk: Desk) -> None:
    notice = SupportNoticeInput(reference=RADICADO, waiting_on="rethus", message_key="soporte")
    await desk.notify_support(notice, address=None)
    assert desk.sent == []
    await desk.notify_support(notice, address="soporte@ejemplo.test")
    assert desk.sent == [("support_given_up", "soporte")]
    assert desk.mailer.sent[0].to_address == "soporte@ejemplo.test"
    assert desk.composer.contexts == [{"reference": RADICADO, "waiting_on": "rethus"}]
    assert desk.accounts.given_up == {(RADICADO, "rethus", "soporte")}


async def test_support_is_told_though_the_trail_cannot_be_written(desk: Desk) -> None:
    desk.accounts.down = True
    notice = SupportNoticeInput(reference=RADICADO, waiting_on="database", message_key="soporte")
    await desk.notify_support(notice, address="soporte@ejemplo.test")
    assert desk.sent == [("support_given_up", "soporte")]
    assert desk.accounts.given_up == set()


async def test_a_mail_server_that_is_away_can_be_tried_again(desk: Desk) -> None:
    desk.mailer.down = True
    with pytest.raises(ApplicationError, match="correo") as caught:
        await desk.notify()
    assert (caught.value.type, caught.value.non_retryable) == ("MailNotAccepted", False)


async def test_an_address_that_is_rejected_is_not_tried_again(desk: Desk) -> None:
    desk.mailer.rejects = True
    with pytest.raises(ApplicationError) as caught:
        await desk.send_link()
    assert (caught.value.type, caught.value.non_retryable) == ("MailAddressRejected", True)
    assert ANA.email not in str(caught.value)


async def test_a_rejected_address_of_support_is_not_called_the_persons(desk: Desk) -> None:
    desk.mailer.rejects = True
    notice = SupportNoticeInput(reference="RM-1", waiting_on="rethus", message_key="soporte")
    with pytest.raises(ApplicationError, match="MIPRES_SUPPORT_EMAIL") as caught:
        await desk.notify_support(notice, address="soporte@ejemplo.test")
    assert "miseguridadsocial" not in str(caught.value)


async def test_without_an_account_there_is_nothing_to_try_again(desk: Desk) -> None:
    with pytest.raises(ApplicationError) as caught:
        await desk.send_link(account_id=uuid.UUID(int=2))
    assert (caught.value.type, caught.value.non_retryable) == ("AccountMissing", True)
    assert desk.mailer.attempts == 0


async def test_a_mail_whose_end_stays_unknown_goes_out_three_times_at_most(desk: Desk) -> None:
    desk.mailer.silent_after_the_message = True
    for _ in range(MOST_UNKNOWN_ENDS - 1):
        with pytest.raises(ApplicationError, match="es probable que haya llegado"):
            await desk.notify()
    await desk.notify()
    await desk.notify()
    assert desk.sent == [("data_updated", "aviso")] * MOST_UNKNOWN_ENDS


async def test_a_notice_that_the_server_may_have_is_not_repeated_and_a_link_is_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def handed_over(_key: str) -> MailClaim:
        return MailClaim.HANDED_OVER

    monkeypatch.setattr(desk.sent_mails, "claim", handed_over)
    desk.accounts.set_password_of(ACCOUNT)
    assert await desk.confirm()
    with pytest.raises(ApplicationError) as caught:
        await desk.send_link(purpose=LinkPurpose.RECOVER)
    assert caught.value.type == "MailBeingSent"
    assert desk.sent == []


EPS_DELEGATE = Submission(
    user_type=UserType.DELEGATE,
    document=Document(type=DocumentType.CC, number="1020304050"),
    entity=Entity(kind=EntityKind.EPS, regime=Regime.SUBSIDIADO, nit="900123456"),
)


@pytest.mark.parametrize("submission", [EPS_DELEGATE, None], ids=["now", "an older history"])
async def test_a_mailed_refusal_gives_the_remedy_of_its_person(
    desk: Desk, submission: Submission | None
) -> None:
    notice = RefusalNoticeInput(
        person=Person(given_names="Ana María", surnames="Ruiz", email=ANA.email),
        login=ANA.login,
        reference=RADICADO,
        message_key="rechazo",
        refusal=Refusal.ENTITY_NOT_IN_MISEGURIDADSOCIAL,
        submission=submission,
    )
    await desk.activities.send_refusal_notice(notice)

    if submission:
        expected = explain_by_mail(notice.refusal, submission.user_type, entity=submission.entity)
    else:
        expected = explain_by_mail(notice.refusal, None)
    assert desk.composer.contexts[-1]["message"] == expected
