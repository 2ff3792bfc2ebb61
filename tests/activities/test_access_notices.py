"""The mails about changes of access."""

import uuid
from dataclasses import replace

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.access_notices import AccessNotices
from activities.emails import EmailActivities
from activities.errors import MAIL_PROBABLY_DELIVERED
from mipres.domain.access import ACCOUNT_SUSPENDED_WORDS, AccessNotice
from mipres.domain.accounts import AccountContact
from mipres.domain.errors import MailNotAcceptedError
from mipres.domain.mail import Mail
from mipres.ports import BeforeHandingOver
from tests.fakes import (
    FakeAccessNotices,
    FakeAccounts,
    FakeAddressChanges,
    FakeComposer,
    FakeMailer,
    FakeSentMails,
)


class DefersOneAddress(FakeMailer):
    async def send(self, mail: Mail, *, before_handing_over: BeforeHandingOver | None = None) -> None:
        if mail.to_address.startswith("aplazada"):
            raise MailNotAcceptedError("SMTPRecipientsRefused")
        await super().send(mail, before_handing_over=before_handing_over)


def notice(address: str) -> AccessNotice:
    contact = AccountContact(login="CC1020304050", full_name="Ana Ruiz", email=address)
    return AccessNotice(id=uuid.uuid4(), contact=contact, words=ACCOUNT_SUSPENDED_WORDS)


def activities(notices: FakeAccessNotices, mailer: FakeMailer) -> AccessNotices:
    accounts = FakeAccounts()
    mails = EmailActivities(
        accounts=accounts,
        composer=FakeComposer(),
        mailer=mailer,
        sent_mails=FakeSentMails(),
        address_changes=FakeAddressChanges(accounts=accounts),
    )
    return AccessNotices(notices=notices, mails=mails)


async def test_everything_that_waits_is_mailed_and_taken_off_the_list() -> None:
    notices, mailer = FakeAccessNotices(notices=[notice("a@x.co"), notice("b@x.co")]), FakeMailer()
    sent = await ActivityEnvironment().run(activities(notices, mailer).mail_access_changes)
    assert (sent, notices.notices) == (2, [])
    assert [mail.to_address for mail in mailer.sent] == ["a@x.co", "b@x.co"]


async def test_each_change_is_told_by_its_own_mail() -> None:
    told = [replace(notice("a@x.co"), mail="new_browser"), notice("b@x.co")]
    notices, mailer = FakeAccessNotices(notices=told), FakeMailer()
    await ActivityEnvironment().run(activities(notices, mailer).mail_access_changes)
    assert [mail.subject for mail in mailer.sent] == ["new_browser", "access_changed"]


async def test_an_address_that_is_deferred_holds_up_no_other() -> None:
    deferred = notice("aplazada@x.co")
    notices, mailer = FakeAccessNotices(notices=[deferred, notice("b@x.co")]), DefersOneAddress()
    with pytest.raises(ApplicationError):
        await ActivityEnvironment().run(activities(notices, mailer).mail_access_changes)
    assert notices.notices == [deferred]
    assert [mail.to_address for mail in mailer.sent] == ["b@x.co"]


async def test_full_mailboxes_at_the_head_of_the_list_keep_no_one_waiting() -> None:
    last = notice("b@x.co")
    deferred = [notice(f"aplazada-{place}@x.co") for place in range(25)]
    notices, mailer = FakeAccessNotices(notices=[*deferred, last]), DefersOneAddress()
    for attempt in range(1, 4):
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, attempt=attempt)
        with pytest.raises(ApplicationError):
            await environment.run(activities(notices, mailer).mail_access_changes)
    assert [mail.to_address for mail in mailer.sent] == ["b@x.co"]
    assert notices.notices == deferred


async def test_a_mail_of_unknown_fate_holds_up_the_next_round_for_no_hours() -> None:
    notices, mailer = FakeAccessNotices(notices=[notice("a@x.co")]), FakeMailer(silent_after_the_message=True)
    with pytest.raises(ApplicationError) as failed:
        await ActivityEnvironment().run(activities(notices, mailer).mail_access_changes)
    assert (failed.value.type, failed.value.next_retry_delay) == (MAIL_PROBABLY_DELIVERED, None)


async def test_an_address_that_is_rejected_for_good_is_not_tried_again() -> None:
    notices = FakeAccessNotices(notices=[notice("a@x.co")])
    await ActivityEnvironment().run(activities(notices, FakeMailer(rejects=True)).mail_access_changes)
    assert notices.notices == []
