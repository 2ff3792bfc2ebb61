"""What activities need from outside, as Protocols.

Adapters live in the rooms beside, fakes in tests/.
"""

import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from mipres.domain.access import AccessNotice
from mipres.domain.accounts import AccountContact, IssuedLink, NewRegistration, RegisteredAccount
from mipres.domain.address_changes import WaitingChange
from mipres.domain.audit import AuditEvent
from mipres.domain.clients import EndedLogin, LogoutAnswer
from mipres.domain.documents import Document
from mipres.domain.factor_resets import ResetProgress, WaitingReset
from mipres.domain.links import ClosedLinks, LinkPurpose, PasswordLink
from mipres.domain.mail import Mail, MailClaim
from mipres.domain.outcomes import Refusal
from mipres.domain.people import Delegation, HealthProfessional, Person, Placement
from mipres.domain.review import DueProfile, Finding, ProfileUnderReview
from mipres.domain.submissions import Entity, Submission


class Clock(Protocol):
    """Tells the time, with zone."""

    def now(self) -> datetime: ...


class SocialSecurityRegistry(Protocol):
    """miseguridadsocial. Every method returns None for 'not registered'.

    Raises:
        RegistryUnavailableError: when there was no usable answer.
    """

    async def find_person(self, document: Document) -> Person | None: ...

    async def find_delegation(self, document: Document, entity: Entity) -> Delegation | None: ...

    async def find_provider(self, document: Document, entity: Entity) -> Person | None: ...


class HealthTalentRegistry(Protocol):
    """ReTHUS. Same conventions as SocialSecurityRegistry."""

    async def find_professional(self, document: Document) -> HealthProfessional | None: ...


class SocialServiceRegistry(Protocol):
    """SSO. Same conventions as SocialSecurityRegistry."""

    async def find_placement(self, document: Document) -> Placement | None: ...


class Accounts(Protocol):
    """The accounts and their password links."""

    async def register(self, registration: NewRegistration) -> RegisteredAccount:
        """Create or refresh the account and its profile.

        A new account gets its first link with it. The same call twice changes nothing more.

        Raises:
            PersonErasedError: the person was erased after the submission.
        """
        ...

    async def contact(self, account_id: uuid.UUID) -> AccountContact | None: ...

    async def find(self, document: Document) -> uuid.UUID | None: ...

    async def issue_link(
        self,
        account_id: uuid.UUID,
        *,
        reference: str,
        purpose: LinkPurpose,
        lifetime: timedelta,
        issue_key: str,
    ) -> IssuedLink | None:
        """Issue a link that supersedes the older ones.

        The same `issue_key` gives the same token again.

        None when the link is to create a password and there is one, or while a change of address waits.
        """
        ...

    async def open_link(self, account_id: uuid.UUID, *, reference: str) -> PasswordLink | None:
        """The link of a registration if it can still be used."""
        ...

    async def discard(self, *, reference: str) -> None:
        """Take back a registration's profile, and an account that nothing else uses."""
        ...

    async def record_refusal(self, *, reference: str, document: Document, refusal: Refusal, run: str) -> None:
        """Write down that a run of a registration was refused.

        The same call twice writes once.
        """
        ...

    async def record_given_up(self, *, reference: str, waited_for: str, run: str) -> bool:
        """Write down once that a run of a registration was given up.

        False where that could not be written.
        """
        ...

    async def expire_links(self, account_id: uuid.UUID, *, reference: str) -> ClosedLinks:
        """Close the open links of a registration or recovery, and say what came of them."""
        ...


class AddressChanges(Protocol):
    """Changes of the address of accounts in use, which wait."""

    async def note(
        self, account_id: uuid.UUID, address: str | None, *, document: Document, reference: str
    ) -> uuid.UUID | None:
        """Bring an address up to date, or begin the wait for it; None is no news.

        The change that waits, if one does.
        """
        ...

    async def prepare(self, change_id: uuid.UUID) -> WaitingChange | None:
        """A change for its mails; its wait begins now, unless the old address was warned before.

        None where it waits no more.
        """
        ...

    async def mark_warned(self, change_id: uuid.UUID) -> None:
        """Record that the old address was warned: from now on the wait counts."""
        ...


class FactorResets(Protocol):
    """Resets of second factors, which wait."""

    async def prepare(self, reset_id: uuid.UUID) -> WaitingReset | None:
        """A reset for its mails; its wait begins now, unless its person was notified before.

        None where it waits no more.
        """
        ...

    async def mark_notified(self, reset_id: uuid.UUID) -> None:
        """Record that the person was notified: from now on the wait counts."""
        ...

    async def carry_out(self, reset_id: uuid.UUID) -> ResetProgress:
        """Remove the factor if the wait is over, and end the sessions with it."""
        ...

    async def give_up(self, reset_id: uuid.UUID) -> None:
        """Withdraw a reset whose person was not notified."""
        ...


class Erasures(Protocol):
    """Who was erased, and when."""

    async def covers(self, login: str, *, submitted_at: datetime) -> bool:
        """Tell whether the person was erased after the submission."""
        ...


class Retention(Protocol):
    """Removes what has served its purpose."""

    async def open_links(self) -> Mapping[uuid.UUID, str]:
        """Every password link that can be used, with the reference that sent it."""
        ...

    async def close_links(self, links: Collection[uuid.UUID]) -> int:
        """Expire those of these links that are still open; how many."""
        ...

    async def purge(self) -> Mapping[str, int]:
        """Remove it; how many rows of each table. Doing it twice removes nothing more."""
        ...


class ReviewedProfiles(Protocol):
    """The profiles that are held against their registries."""

    async def due(
        self, *, every: timedelta, since: datetime, after: uuid.UUID | None, limit: int
    ) -> Sequence[DueProfile]:
        """Profiles in use whose registry was not asked for so long, in the order of their ids.

        Those that were asked since the moment are left out.
        """
        ...

    async def find(
        self, profile_id: uuid.UUID, *, since: datetime | None = None
    ) -> ProfileUnderReview | None:
        """One profile; None for one that is gone, or that was reviewed since the moment."""
        ...

    async def find_submitted(self, submission: Submission) -> ProfileUnderReview | None:
        """The profile in use that a submission is about, whatever radicado it has."""
        ...

    async def apply(self, profile_id: uuid.UUID, finding: Finding, *, since: datetime | None = None) -> bool:
        """Write down what a registry said, and return whether it changed the access.

        The same call twice changes nothing more. A profile that was reviewed since the moment stays as it is.
        """
        ...

    async def make_due(self, profile_id: uuid.UUID) -> None:
        """Have the next review ask about the profile."""
        ...

    async def record_stopped(self, *, review: str, registry: str, looked: int, closing: int) -> None:
        """Write down once that the guard stopped a review."""
        ...


class AccessNoticeList(Protocol):
    """The changes of access that their person has not been mailed about."""

    async def waiting(self, *, limit: int) -> Sequence[AccessNotice]:
        """The oldest of them."""
        ...

    async def mark_mailed(self, notice_id: uuid.UUID) -> None:
        """Take one off the list."""
        ...


class EndedLogins(Protocol):
    """The logins into applications that are over, and that the application does not know to be over."""

    async def end_with_last_days(self) -> None:
        """End the logins of people who have lost a profile by its date since.

        No statement marks that.
        """
        ...

    async def pass_over(self, *, silent: Collection[str]) -> None:
        """Take off the list what no application needs to hear.

        It has never used its code, or is one of the silent: known, and without an address for it.
        """
        ...

    async def waiting(self, *, limit: int) -> Sequence[EndedLogin]:
        """Those of each application whose turn it is, and its oldest.

        First come those that were not tried, the newest before the others; then what was tried longest ago.
        """
        ...

    async def put_off(self, login: EndedLogin) -> None:
        """Let one that was tried without success wait behind the others of its application."""
        ...

    async def settle(self, login: EndedLogin, answer: LogoutAnswer) -> None:
        """Take one off the list; the trail says of an application that did not take it."""
        ...


class LogoutMessenger(Protocol):
    """Tells applications of logouts."""

    @property
    def silent(self) -> Collection[str]:
        """The ids of the known applications that have no address for it."""
        ...

    async def tell(self, login: EndedLogin) -> LogoutAnswer:
        """Tell the login's application; a failure of its own is one of the answers."""
        ...


class AuditTrail(Protocol):
    """What happened, for good.

    The trail only grows, and a changed or missing row is noticed.
    """

    async def record(self, *events: AuditEvent) -> None:
        """Append events.

        Adapters append the facts of the database in the same transaction.
        """
        ...


BeforeHandingOver = Callable[[], Awaitable[None]]


class Mailer(Protocol):
    """Sends one message.

    Raises:
        MailNotAcceptedError: the server could not take it now.
        MailAddressRejectedError: the server refuses the address for good.
    """

    async def send(self, mail: Mail, *, before_handing_over: BeforeHandingOver | None = None) -> None:
        """Send it.

        Args:
            mail: What is sent.
            before_handing_over: Awaited when the server waits for the message: from then on it may have it.
        """
        ...


class SentMails(Protocol):
    """Decides that a mail goes out once.

    Its key is the account and the fact that the mail states.

    Where the decision cannot be asked for, the mail goes out: twice is better than never.
    """

    async def claim(self, key: str) -> MailClaim:
        """Take the mail for this attempt, unless it was sent or another attempt holds it."""
        ...

    async def renew(self, key: str) -> None:
        """Hold a claim for longer, while the mail server takes its time."""
        ...

    async def hold_for_hours(self, key: str) -> None:
        """Hold a claim so long that a crash from here on mails no second copy soon."""
        ...

    async def record_unknown_end(self, key: str) -> int:
        """Record that the server got the message and gave no answer.

        The mail stays held for hours.

        Returns:
            How often that has happened to this mail.
        """
        ...

    async def mark_sent(self, key: str) -> None:
        """Record that the mail went out."""
        ...

    async def release(self, key: str) -> None:
        """Give the mail back after a known failure, so that the next attempt is free."""
        ...


class MailComposer(Protocol):
    """Renders a message of templates/email/<name>/."""

    def compose(
        self, name: str, *, contact: AccountContact, message_key: str, context: Mapping[str, object]
    ) -> Mail: ...
