"""Mails to the person.

Addresses and links are read where they are used and never enter a history.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities import metrics
from activities.errors import MAIL_ADDRESS_REJECTED, account_missing, translated
from activities.undecided import require_undecided
from mipres.domain.accounts import AccountContact
from mipres.domain.address_changes import WaitingChange
from mipres.domain.documents import Document
from mipres.domain.errors import (
    MailBeingSentError,
    MailOutOfDateError,
    MailProbablyDeliveredError,
    MipresError,
)
from mipres.domain.links import LinkPurpose
from mipres.domain.mail import CLAIM_LIFETIME, MOST_UNKNOWN_ENDS, Mail, MailClaim
from mipres.domain.outcomes import Refusal
from mipres.domain.people import Person
from mipres.domain.remedies import Explanation, explain_by_mail
from mipres.domain.submissions import Submission
from mipres.ports import Accounts, AddressChanges, MailComposer, Mailer, SentMails


@dataclass(frozen=True, kw_only=True)
class SendLinkInput:
    """One link of one run. The same `issue_key` always mails the same link.

    Attributes:
        reference: The radicado, or the reference of a recovery.
        lifetime: Counted from the attempt that gets through.
    """

    account_id: uuid.UUID
    reference: str
    purpose: LinkPurpose
    lifetime: timedelta
    issue_key: str


@dataclass(frozen=True, kw_only=True)
class SendLinkResult:
    """`password_exists` means that no link was needed and none was sent.

    None is sent either while a change of address waits.
    """

    password_exists: bool


@dataclass(frozen=True, kw_only=True)
class ConfirmPasswordInput:
    """Whom to tell that the password has been created."""

    account_id: uuid.UUID
    message_key: str


@dataclass(frozen=True, kw_only=True)
class ConfirmPasswordResult:
    """`password_set` is False when the signal was mistaken: then nothing was mailed."""

    password_set: bool


@dataclass(frozen=True, kw_only=True)
class SendReminderInput:
    """Whose open link is about to end."""

    account_id: uuid.UUID
    reference: str
    message_key: str


@dataclass(frozen=True, kw_only=True)
class SendUpdateNoticeInput:
    """Whom to tell that a registration has refreshed the data of the account."""

    account_id: uuid.UUID
    message_key: str


@dataclass(frozen=True, kw_only=True)
class NoticeInput:
    """A mail to a person without an account, so the address comes along."""

    person: Person
    login: str
    reference: str
    message_key: str


@dataclass(frozen=True, kw_only=True)
class RefusalNoticeInput(NoticeInput):
    """Whom to tell that a registration is refused, where no page could.

    Attributes:
        submission: What was registered; None in a history of before it came along.
        may_wait: Whether the registry does not know the person at all.
    """

    refusal: Refusal
    submission: Submission | None = None
    may_wait: bool = False


@dataclass(frozen=True, kw_only=True)
class LockNoticeInput:
    """The document whose login was locked; it may be unknown."""

    document: Document
    message_key: str


@dataclass(frozen=True, kw_only=True)
class SupportNoticeInput:
    """A registration that was given up.

    Nothing personal: support's mailbox has many readers.
    """

    reference: str
    waiting_on: str
    message_key: str


@dataclass(frozen=True, kw_only=True)
class AddressNoticeInput:
    """A change of address that waits."""

    change_id: uuid.UUID
    message_key: str


@dataclass(frozen=True, kw_only=True)
class WarnAddressResult:
    """`remaining` is the rest of the wait; None where the change waits no more."""

    remaining: timedelta | None


@dataclass(frozen=True, kw_only=True)
class ChangeStoppedInput:
    """A change of address that its person stopped. Nothing personal."""

    reference: str
    message_key: str


_HEARTBEAT_SECONDS = CLAIM_LIFETIME.total_seconds() / 3
_LINK_MAILS = {LinkPurpose.CREATE: "password_link", LinkPurpose.RECOVER: "password_recovery"}


class EmailActivities:
    """Served by the queue `registrations`."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        composer: MailComposer,
        mailer: Mailer,
        sent_mails: SentMails,
        address_changes: AddressChanges,
        support_address: str | None = None,
    ) -> None:
        self._accounts = accounts
        self._composer = composer
        self._mailer = mailer
        self._sent_mails = sent_mails
        self._changes = address_changes
        self._support_address = support_address
        # The event loop itself keeps no task alive.
        self._under_way: set[asyncio.Task[None]] = set()

    @activity.defn
    async def send_password_link(self, request: SendLinkInput) -> SendLinkResult:
        """Issue a link that supersedes the older ones, and mail it."""
        link = await self._accounts.issue_link(
            request.account_id,
            reference=request.reference,
            purpose=request.purpose,
            lifetime=request.lifetime,
            issue_key=request.issue_key,
        )
        if link is None:
            # Refuse an account that is gone: it has no password either.
            await self._contact(request.account_id)
            return SendLinkResult(password_exists=True)
        context = {"token": link.token, "expires_at": link.expires_at, "reference": request.reference}
        await self._send(_LINK_MAILS[request.purpose], link.contact, request.issue_key, context)
        return SendLinkResult(password_exists=False)

    @activity.defn
    async def confirm_password_set(self, request: ConfirmPasswordInput) -> ConfirmPasswordResult:
        """If the database knows a password, mail the confirmation."""
        contact = await self._contact(request.account_id)
        if contact.password_set_at is not None:
            # Every registration of the person confirms the same password, and so does each further signal.
            about = f"{request.account_id}:{contact.password_set_at.isoformat()}"
            name = "password_changed" if contact.is_password_changed else "password_set"
            await self._send(name, contact, request.message_key, {}, once_for=about)
        return ConfirmPasswordResult(password_set=contact.has_password)

    @activity.defn
    async def send_reminder(self, request: SendReminderInput) -> None:
        """Mail the open link once more; without one there is nothing to remind of."""
        link = await self._accounts.open_link(request.account_id, reference=request.reference)
        if link is None:
            return
        contact = await self._contact(request.account_id)
        context = {"token": link.token, "expires_at": link.expires_at}
        about = f"{request.account_id}:{link.expires_at.isoformat()}"
        await self._send("password_reminder", contact, request.message_key, context, once_for=about)

    @activity.defn
    async def send_update_notice(self, request: SendUpdateNoticeInput) -> None:
        """Tell the address on file that a registration was repeated."""
        await self._send("data_updated", await self._contact(request.account_id), request.message_key, {})

    @activity.defn
    async def warn_old_address(self, request: AddressNoticeInput) -> WarnAddressResult:
        """Mail the old address that it will be replaced, with a link that stops it."""
        change = await self._changes.prepare(request.change_id)
        if change is None:
            return WarnAddressResult(remaining=None)
        context = {"token": change.token, "takes_effect_at": change.takes_effect_at}
        try:
            await self._send_about("address_changing", change, change.old_address, request, context)
        except ApplicationError as error:
            # A mailbox that is gone is a good reason for another address, and nobody can be warned there.
            if error.type != MAIL_ADDRESS_REJECTED:
                raise
        await self._changes.mark_warned(request.change_id)
        return WarnAddressResult(remaining=change.remaining)

    @activity.defn
    async def notify_new_address(self, request: AddressNoticeInput) -> None:
        """Mail the new address from when on it is used."""
        change = await self._changes.prepare(request.change_id)
        if change is not None:
            context: dict[str, object] = {"takes_effect_at": change.takes_effect_at}
            await self._send_about("address_new", change, change.new_address, request, context)

    @activity.defn
    async def notify_change_stopped(self, notice: ChangeStoppedInput) -> None:
        """Notify support that a person stopped a change of their address."""
        activity.logger.warning("a change of address was stopped by its person: %s", notice.reference)
        if self._support_address is not None:
            desk = AccountContact.of_support(self._support_address)
            context: dict[str, object] = {"reference": notice.reference}
            await self._send("support_change_stopped", desk, notice.message_key, context)

    async def _send_about(
        self,
        name: str,
        change: WaitingChange,
        address: str,
        request: AddressNoticeInput,
        context: dict[str, object],
    ) -> None:
        contact = AccountContact(login=change.login, full_name=change.full_name, email=address)
        await self._send(name, contact, request.message_key, context, once_for=str(change.change_id))

    @activity.defn
    async def send_delay_notice(self, notice: NoticeInput) -> None:
        """Tell that a registry does not answer and that nothing has to be done.

        Once the end is known, nothing is sent.
        """
        try:
            await require_undecided()
            await self._notify("registration_delayed", notice, holds=require_undecided)
        except MailOutOfDateError:
            activity.logger.info("the end is known, so no delay is told of")

    @activity.defn
    async def send_given_up_notice(self, notice: NoticeInput) -> None:
        """Tell that the registration could not be finished."""
        await self._notify("registration_given_up", notice)

    @activity.defn
    async def send_cancelled_notice(self, notice: NoticeInput) -> None:
        """Tell that support has cancelled the registration, and what follows."""
        await self._notify("registration_cancelled", notice)

    @activity.defn
    async def send_refusal_notice(self, notice: RefusalNoticeInput) -> None:
        """Tell the manual's sentence and what the person can do about it."""
        await self._notify("registration_refused", notice, message=_explanation(notice))

    @activity.defn
    async def send_wait_ended_notice(self, notice: RefusalNoticeInput) -> None:
        """Tell that the time of waiting for a registry is over."""
        await self._notify("registration_wait_ended", notice, message=_explanation(notice))

    @activity.defn
    async def send_lock_notice(self, notice: LockNoticeInput) -> None:
        """Notify the person of attempts at their login.

        Without a password there is nothing to try.
        """
        account_id = await self._accounts.find(notice.document)
        contact = await self._accounts.contact(account_id) if account_id else None
        if contact is not None and contact.has_password:
            await self._send("login_locked", contact, notice.message_key, {})

    @activity.defn
    async def notify_support(self, notice: SupportNoticeInput) -> None:
        """Tell support of a registration that was given up.

        In the log, in the trail, and by mail where there is an address.
        """
        activity.logger.warning(
            "registration %s was given up; it waited for %s", notice.reference, notice.waiting_on
        )
        noted = await self._accounts.record_given_up(
            reference=notice.reference, waited_for=notice.waiting_on, run=notice.message_key
        )
        if not noted:
            activity.logger.warning("the trail does not tell that %s was given up", notice.reference)
        if self._support_address is None:
            return
        desk = AccountContact.of_support(self._support_address)
        context: dict[str, object] = {"reference": notice.reference, "waiting_on": notice.waiting_on}
        await self._send("support_given_up", desk, notice.message_key, context)

    async def send_notice(
        self, name: str, contact: AccountContact, message_key: str, context: dict[str, object]
    ) -> None:
        """Send one mail of another activity, once for its key."""
        await self._send(name, contact, message_key, context)

    async def _notify(
        self,
        name: str,
        notice: NoticeInput,
        *,
        holds: Callable[[], Awaitable[None]] | None = None,
        **context: object,
    ) -> None:
        contact = AccountContact(
            login=notice.login,
            full_name=notice.person.full_name,
            email=notice.person.email,
        )
        about = {"reference": notice.reference, **context}
        await self._send(name, contact, notice.message_key, about, holds=holds)

    async def _contact(self, account_id: uuid.UUID) -> AccountContact:
        contact = await self._accounts.contact(account_id)
        if contact is None:
            raise account_missing()
        return contact

    async def _send(
        self,
        name: str,
        contact: AccountContact,
        message_key: str,
        context: dict[str, object],
        *,
        once_for: str | None = None,
        holds: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Send a mail once for what it states.

        Args:
            name: Of its template.
            contact: Whom it goes to.
            message_key: The step that asks for it.
            context: What the template needs.
            once_for: What it states; by default the step that asks for it.
            holds: Raises where it states what is no longer true; asked when the server is ready for it.
        """
        key = f"{name}:{once_for or message_key}"
        with translated(is_for_support=contact.is_support):
            match await self._sent_mails.claim(key):
                case MailClaim.SENT:
                    return
                case MailClaim.BUSY:
                    raise MailBeingSentError
                case MailClaim.HANDED_OVER if _repeats_after_a_doubt(context):
                    raise MailBeingSentError
                case MailClaim.HANDED_OVER:
                    activity.logger.info("a notice that the server may have is not repeated")
                    return
            mail = self._composer.compose(name, contact=contact, message_key=message_key, context=context)
            sending = asyncio.create_task(self._see_through(mail, key, holds))
            self._under_way.add(sending)
            sending.add_done_callback(self._end)
            # The server may have the mail already: an attempt that is cut off leaves its answer to be heard.
            await asyncio.shield(sending)
        metrics.mail_sent(name)

    def _end(self, sending: asyncio.Task[None]) -> None:
        self._under_way.discard(sending)
        if not sending.cancelled():
            # asyncio reports an error that nothing reads, and an attempt that was cut off reads none.
            sending.exception()

    async def _see_through(self, mail: Mail, key: str, holds: Callable[[], Awaitable[None]] | None) -> None:
        """Send a mail under its claim, and record how that ended."""

        async def hand_over() -> None:
            if holds is not None:
                await holds()
            await self._sent_mails.hold_for_hours(key)

        try:
            async with self._holding(key):
                await self._mailer.send(mail, before_handing_over=hand_over)
        except MailProbablyDeliveredError:
            # A copy at each retry would be worse than a mail that is lost after all.
            if await self._sent_mails.record_unknown_end(key) < MOST_UNKNOWN_ENDS:
                raise
        except MipresError:
            await self._sent_mails.release(key)
            raise
        await self._sent_mails.mark_sent(key)

    @asynccontextmanager
    async def _holding(self, key: str) -> AsyncIterator[None]:
        """Keep the claim, and show Temporal that this worker lives.

        The server may take ten minutes to answer.
        """

        async def hold() -> None:
            while True:
                await asyncio.sleep(_HEARTBEAT_SECONDS)
                if not activity.info().is_local:
                    activity.heartbeat()
                await self._sent_mails.renew(key)

        holding = asyncio.create_task(hold())
        try:
            yield
        finally:
            holding.cancel()


def _repeats_after_a_doubt(context: Mapping[str, object]) -> bool:
    """A link is worth a second copy, hours later; a notice is not."""
    return "token" in context


def _explanation(notice: RefusalNoticeInput) -> Explanation:
    submission = notice.submission
    return explain_by_mail(
        notice.refusal,
        submission.user_type if submission else None,
        entity=submission.entity if submission else None,
        may_wait=notice.may_wait,
    )
