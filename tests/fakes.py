"""Stand-ins for the ports: each keeps what it got where a test can see it."""

import asyncio
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from mipres.domain.access import AccessNotice
from mipres.domain.accounts import AccountContact, IssuedLink, NewRegistration, RegisteredAccount
from mipres.domain.address_changes import WaitingChange
from mipres.domain.audit import AuditEvent
from mipres.domain.clients import EndedLogin, LogoutAnswer
from mipres.domain.documents import Document
from mipres.domain.errors import (
    MailAddressRejectedError,
    MailNotAcceptedError,
    MailProbablyDeliveredError,
    PersonErasedError,
    RegistryUnavailableError,
)
from mipres.domain.factor_resets import ResetProgress, WaitingReset
from mipres.domain.links import ClosedLinks, LinkPurpose, PasswordLink
from mipres.domain.lockout import Origin
from mipres.domain.mail import Mail, MailClaim
from mipres.domain.outcomes import Refusal
from mipres.domain.people import Delegation, HealthProfessional, Person, Placement
from mipres.domain.review import DueProfile, Finding, ProfileUnderReview, registry_of
from mipres.domain.submissions import Entity, Submission
from mipres.ports import BeforeHandingOver

HERE = Origin(network="203.0.113.0/24")
"""Where most attempts to log in come from."""


@dataclass(kw_only=True)
class FakeClock:
    """Stands still until it is moved."""

    time: datetime = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def advance(self, step: timedelta) -> None:
        self.time += step


@dataclass(kw_only=True)
class FakeRegistry:
    """What every registry has in common.

    It fails while `down`, else for the first `failures` calls.
    """

    name: str
    down: bool = False
    failures: int = 0
    retry_after_seconds: float | None = None
    calls: list[Document] = field(default_factory=list)

    def answer(self, document: Document) -> None:
        """Note the call, and fail if it is to fail."""
        self.calls.append(document)
        if self.down or self.failures > 0:
            self.failures -= 1
            raise RegistryUnavailableError(
                self.name, "HTTP status 503", retry_after_seconds=self.retry_after_seconds
            )


@dataclass(kw_only=True)
class FakeSocialSecurityRegistry(FakeRegistry):
    name: str = "miseguridadsocial"
    people: dict[Document, Person] = field(default_factory=dict)
    delegations: dict[tuple[Document, str], Delegation] = field(default_factory=dict)
    providers: dict[tuple[Document, str], Person] = field(default_factory=dict)

    async def find_person(self, document: Document) -> Person | None:
        self.answer(document)
        return self.people.get(document)

    async def find_delegation(self, document: Document, entity: Entity) -> Delegation | None:
        self.answer(document)
        return self.delegations.get((document, entity.key))

    async def find_provider(self, document: Document, entity: Entity) -> Person | None:
        self.answer(document)
        return self.providers.get((document, entity.key))


@dataclass(kw_only=True)
class FakeHealthTalentRegistry(FakeRegistry):
    name: str = "rethus"
    people: dict[Document, HealthProfessional] = field(default_factory=dict)

    async def find_professional(self, document: Document) -> HealthProfessional | None:
        self.answer(document)
        return self.people.get(document)


@dataclass(kw_only=True)
class FakeSocialServiceRegistry(FakeRegistry):
    name: str = "sso"
    people: dict[Document, Placement] = field(default_factory=dict)

    async def find_placement(self, document: Document) -> Placement | None:
        self.answer(document)
        return self.people.get(document)


@dataclass(frozen=True, kw_only=True)
class FakeLink:
    account_id: uuid.UUID
    reference: str
    purpose: LinkPurpose
    link: PasswordLink
    closed: bool = False
    used_at: datetime | None = None


@dataclass(kw_only=True)
class FakeAccounts:
    """Accounts in memory. `links` are by issue key.

    `down` makes every call fail, `expiry_down` that one. `erased` are logins that register no more.
    """

    clock: FakeClock = field(default_factory=FakeClock)
    down: bool = False
    expiry_down: bool = False
    accounts: dict[uuid.UUID, AccountContact] = field(default_factory=dict)
    registrations: list[NewRegistration] = field(default_factory=list)
    links: dict[str, FakeLink] = field(default_factory=dict)
    refusals: list[tuple[str, Refusal]] = field(default_factory=list)
    given_up: set[tuple[str, str, str]] = field(default_factory=set)
    erased: set[str] = field(default_factory=set)
    registering: asyncio.Event = field(default_factory=asyncio.Event)
    changes: "FakeAddressChanges | None" = None
    _gate: asyncio.Event | None = None

    def hold(self) -> None:
        """Let `register` begin and wait in its middle until `release`."""
        self._gate = asyncio.Event()

    def release(self) -> None:
        assert self._gate is not None
        self._gate.set()

    def set_password_of(self, account_id: uuid.UUID) -> None:
        """Do what the person does on the page of the link."""
        known, now = self.accounts[account_id], self.clock.now()
        self.accounts[account_id] = replace(
            known, password_set_at=now, is_password_changed=known.has_password
        )
        self.links = {
            key: replace(item, used_at=now) if item.account_id == account_id and not item.closed else item
            for key, item in self.links.items()
        }
        self._close(lambda item: item.account_id == account_id)

    async def register(self, registration: NewRegistration) -> RegisteredAccount:
        self._answer()
        self.registering.set()
        if self._gate is not None:
            await self._gate.wait()
        if registration.submission.document.login in self.erased:
            raise PersonErasedError
        self.registrations.append(registration)
        login, person = registration.submission.document.login, registration.person
        account_id = uuid.uuid5(uuid.NAMESPACE_OID, login)
        known = self.accounts.get(account_id)
        contact = AccountContact(
            login=login,
            full_name=person.full_name,
            email=person.email,
            password_set_at=known.password_set_at if known else None,
        )
        change = None
        if known is not None and known.has_password and self.changes is not None:
            self.accounts[account_id] = replace(contact, email=known.email)
            change = await self.changes.note(
                account_id,
                person.email,
                document=registration.submission.document,
                reference=registration.radicado,
            )
        else:
            self.accounts[account_id] = contact
        if known is None and registration.first_link is not None:
            await self.issue_link(
                account_id,
                reference=registration.radicado,
                purpose=LinkPurpose.CREATE,
                lifetime=registration.first_link.lifetime,
                issue_key=registration.first_link.issue_key,
            )
        return RegisteredAccount(
            account_id=account_id,
            login=login,
            email=person.email,
            has_password=contact.has_password,
            address_change=change,
        )

    async def contact(self, account_id: uuid.UUID) -> AccountContact | None:
        self._answer()
        return self.accounts.get(account_id)

    async def find(self, document: Document) -> uuid.UUID | None:
        self._answer()
        logins = {contact.login: account_id for account_id, contact in self.accounts.items()}
        return logins.get(document.login)

    async def issue_link(
        self,
        account_id: uuid.UUID,
        *,
        reference: str,
        purpose: LinkPurpose,
        lifetime: timedelta,
        issue_key: str,
    ) -> IssuedLink | None:
        self._answer()
        contact = self.accounts.get(account_id)
        if contact is None or (purpose is LinkPurpose.CREATE and contact.has_password):
            return None
        self._close(lambda item: item.account_id == account_id)
        token = uuid.uuid5(uuid.NAMESPACE_OID, issue_key).hex
        link = IssuedLink(token=token, expires_at=self.clock.now() + lifetime, contact=contact)
        self.links[issue_key] = FakeLink(
            account_id=account_id, reference=reference, purpose=purpose, link=link
        )
        return link

    async def record_refusal(self, *, reference: str, document: Document, refusal: Refusal, run: str) -> None:
        self._answer()
        self.refusals.append((reference, refusal))

    async def record_given_up(self, *, reference: str, waited_for: str, run: str) -> bool:
        if self.down:
            return False
        self.given_up.add((reference, waited_for, run))
        return True

    async def open_link(self, account_id: uuid.UUID, *, reference: str) -> PasswordLink | None:
        self._answer()
        wanted, now = (account_id, reference), self.clock.now()
        candidates = [item for item in self.links.values() if (item.account_id, item.reference) == wanted]
        return next((i.link for i in candidates if not i.closed and i.link.expires_at > now), None)

    async def discard(self, *, reference: str) -> None:
        self._answer()
        self._close(lambda item: item.reference == reference)
        logins = {item.submission.document.login for item in self.registrations if item.radicado == reference}
        self.accounts = {
            key: contact
            for key, contact in self.accounts.items()
            if contact.has_password or contact.login not in logins
        }

    async def expire_links(self, account_id: uuid.UUID, *, reference: str) -> ClosedLinks:
        self._answer()
        if self.expiry_down:
            raise ConnectionRefusedError("the database does not answer")
        self._close(lambda item: item.reference == reference)
        contact = self.accounts.get(account_id)
        if contact is None or not contact.has_password:
            return ClosedLinks()
        used = {item.used_at for item in self.links.values() if item.reference == reference}
        return ClosedLinks(password_set=True, was_used=contact.password_set_at in used)

    def _close(self, applies: Callable[[FakeLink], bool]) -> None:
        self.links = {key: replace(i, closed=i.closed or applies(i)) for key, i in self.links.items()}

    def _answer(self) -> None:
        if self.down:
            raise ConnectionRefusedError("the database does not answer")


@dataclass(kw_only=True)
class FakeAddressChanges:
    """Changes of address in memory, over the accounts of a test."""

    accounts: FakeAccounts
    wait: timedelta = timedelta(hours=24)
    waiting: dict[uuid.UUID, WaitingChange] = field(default_factory=dict)
    warned: set[uuid.UUID] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)

    async def note(
        self, account_id: uuid.UUID, address: str | None, *, document: Document, reference: str
    ) -> uuid.UUID | None:
        self.apply_due()
        contact = self.accounts.accounts[account_id]
        known = next((one for one in self.waiting.values() if one.login == contact.login), None)
        if address is None or (known and known.new_address == address):
            return known.change_id if known else None
        if address == contact.email or address in self.stopped:
            return None
        change_id = uuid.uuid4()
        self.waiting[change_id] = WaitingChange(
            change_id=change_id,
            login=contact.login,
            full_name=contact.full_name,
            old_address=contact.email,
            new_address=address,
            takes_effect_at=self.accounts.clock.now() + self.wait,
            remaining=self.wait,
            token=change_id.hex,
        )
        return change_id

    async def prepare(self, change_id: uuid.UUID) -> WaitingChange | None:
        change = self.waiting.get(change_id)
        return change and replace(change, remaining=change.takes_effect_at - self.accounts.clock.now())

    async def mark_warned(self, change_id: uuid.UUID) -> None:
        self.warned.add(change_id)

    def stop(self) -> None:
        """Do what the person does on the page of the warning's link."""
        [change] = self.waiting.values()
        self.stopped.add(change.new_address)
        self.waiting.clear()

    def apply_due(self) -> None:
        for change in list(self.waiting.values()):
            if change.change_id in self.warned and change.takes_effect_at <= self.accounts.clock.now():
                del self.waiting[change.change_id]
                self.accounts.accounts = {
                    key: replace(one, email=change.new_address) if one.login == change.login else one
                    for key, one in self.accounts.accounts.items()
                }


@dataclass(kw_only=True)
class FakeFactorResets:
    """One reset of a second factor, in memory."""

    clock: FakeClock
    wait: timedelta = timedelta(hours=24)
    addresses: tuple[str, ...] = ("ana.ruiz@ejemplo.test",)
    takes_effect_at: datetime | None = None
    ended_as: str | None = None

    async def prepare(self, reset_id: uuid.UUID) -> WaitingReset | None:
        if self.ended_as is not None:
            return None
        until = self.takes_effect_at or self.clock.now() + self.wait
        return WaitingReset(
            login="CC1020304050",
            full_name="Ana Ruiz",
            addresses=self.addresses,
            takes_effect_at=until,
            remaining=until - self.clock.now(),
            token=reset_id.hex,
        )

    async def mark_notified(self, reset_id: uuid.UUID) -> None:
        self.takes_effect_at = self.takes_effect_at or self.clock.now() + self.wait

    async def carry_out(self, reset_id: uuid.UUID) -> ResetProgress:
        if self.ended_as is not None or self.takes_effect_at is None:
            return ResetProgress(is_stopped=self.ended_as == "stopped")
        if self.takes_effect_at > self.clock.now():
            return ResetProgress(remaining=self.takes_effect_at - self.clock.now())
        self.ended_as = "applied"
        return ResetProgress()

    async def give_up(self, reset_id: uuid.UUID) -> None:
        self.ended_as = "withdrawn"


@dataclass(kw_only=True)
class FakeErasures:
    """Knows who was `erased`, by login."""

    erased: set[str] = field(default_factory=set)

    async def covers(self, login: str, *, submitted_at: datetime) -> bool:
        return login in self.erased


@dataclass(kw_only=True)
class FakeRetention:
    """Removes nothing; fails for the first `failures` purges."""

    failures: int = 0
    purges: int = 0
    links: dict[uuid.UUID, str] = field(default_factory=dict)

    async def open_links(self) -> Mapping[uuid.UUID, str]:
        return self.links

    async def close_links(self, links: Collection[uuid.UUID]) -> int:
        for link in links:
            del self.links[link]
        return len(links)

    async def purge(self) -> Mapping[str, int]:
        self.purges += 1
        if self.purges <= self.failures:
            raise ConnectionRefusedError("the database does not answer")
        return {"sessions": 3}


@dataclass(kw_only=True)
class FakeReviewedProfiles:
    """Profiles in memory, in the order in which they were put there.

    `down` makes every call fail.
    """

    clock: FakeClock = field(default_factory=FakeClock)
    down: bool = False
    profiles: dict[uuid.UUID, ProfileUnderReview] = field(default_factory=dict)
    reviewed_at: dict[uuid.UUID, datetime] = field(default_factory=dict)
    applied: dict[uuid.UUID, Finding] = field(default_factory=dict)
    stops: set[tuple[str, str, int, int]] = field(default_factory=set)
    made_due: list[uuid.UUID] = field(default_factory=list)

    async def due(
        self, *, every: timedelta, since: datetime, after: uuid.UUID | None, limit: int
    ) -> Sequence[DueProfile]:
        self._answer()
        never = datetime.min.replace(tzinfo=UTC)
        return [
            DueProfile(profile_id=key, registry=registry_of(self.profiles[key].submission.user_type))
            for key in sorted(self.profiles)
            if (after is None or key > after) and self.reviewed_at.get(key, never) <= since - every
        ][:limit]

    async def find(
        self, profile_id: uuid.UUID, *, since: datetime | None = None
    ) -> ProfileUnderReview | None:
        self._answer()
        asked = self.reviewed_at.get(profile_id)
        return None if since and asked and asked >= since else self.profiles.get(profile_id)

    async def find_submitted(self, submission: Submission) -> ProfileUnderReview | None:
        self._answer()
        return next((item for item in self.profiles.values() if item.submission == submission), None)

    async def apply(self, profile_id: uuid.UUID, finding: Finding, *, since: datetime | None = None) -> bool:
        self._answer()
        asked = self.reviewed_at.get(profile_id)
        if since and asked and asked >= since:
            return False
        changed = self.applied.get(profile_id, Finding()) != finding
        self.applied[profile_id], self.reviewed_at[profile_id] = finding, self.clock.now()
        return changed

    async def make_due(self, profile_id: uuid.UUID) -> None:
        self.made_due.append(profile_id)

    async def record_stopped(self, *, review: str, registry: str, looked: int, closing: int) -> None:
        self.stops.add((review, registry, looked, closing))

    def _answer(self) -> None:
        if self.down:
            raise ConnectionRefusedError("the database does not answer")


@dataclass(kw_only=True)
class FakeAccessNotices:
    """A list in memory."""

    notices: list[AccessNotice] = field(default_factory=list)

    async def waiting(self, *, limit: int) -> Sequence[AccessNotice]:
        return self.notices[:limit]

    async def mark_mailed(self, notice_id: uuid.UUID) -> None:
        self.notices = [notice for notice in self.notices if notice.id != notice_id]


@dataclass(kw_only=True)
class FakeEndedLogins:
    """A list in memory."""

    logins: list[EndedLogin] = field(default_factory=list)
    tried: list[EndedLogin] = field(default_factory=list)
    answers: list[LogoutAnswer] = field(default_factory=list)
    over_by_date: list[EndedLogin] = field(default_factory=list)

    async def end_with_last_days(self) -> None:
        self.logins += self.over_by_date
        self.over_by_date = []

    async def pass_over(self, *, silent: Collection[str]) -> None:
        self.logins = [login for login in self.logins if login.client_id not in silent]

    async def waiting(self, *, limit: int) -> Sequence[EndedLogin]:
        assert limit >= len(self.logins)
        untried = [login for login in reversed(self.logins) if login not in self.tried]
        return sorted((*untried, *self.tried), key=lambda login: login.client_id)

    async def put_off(self, login: EndedLogin) -> None:
        self._forget_tries(login)
        self.tried.append(login)

    async def settle(self, login: EndedLogin, answer: LogoutAnswer) -> None:
        self.logins.remove(login)
        self._forget_tries(login)
        self.answers.append(answer)

    def _forget_tries(self, login: EndedLogin) -> None:
        self.tried = [tried for tried in self.tried if tried != login]


@dataclass(kw_only=True)
class FakeLogoutMessenger:
    """Applications that answer as they are set to."""

    silent: tuple[str, ...] = ("without-address",)
    answers: dict[str, LogoutAnswer] = field(default_factory=dict)
    tried: list[EndedLogin] = field(default_factory=list)

    async def tell(self, login: EndedLogin) -> LogoutAnswer:
        self.tried.append(login)
        return self.answers.get(login.client_id, LogoutAnswer.ACCEPTED)


@dataclass(kw_only=True)
class FakeMailer:
    """Takes every mail, unless it is `down` or `rejects` every address for good.

    `silent_after_the_message`: it takes a mail and never says so. The first `unanswered` mails are taken, and the sender does not learn of it: a crash before the record.
    """

    sent: list[Mail] = field(default_factory=list)
    down: bool = False
    rejects: bool = False
    unanswered: int = 0
    silent_after_the_message: bool = False
    attempts: int = 0
    accepts: str | None = None
    """The one mail that is taken while it is down."""

    async def send(self, mail: Mail, *, before_handing_over: BeforeHandingOver | None = None) -> None:
        self.attempts += 1
        if self.down and mail.subject != self.accepts:
            raise MailNotAcceptedError("SMTPConnectError")
        if self.rejects:
            raise MailAddressRejectedError("the server refuses the address")
        if before_handing_over is not None:
            await before_handing_over()
        self.sent.append(mail)
        if self.silent_after_the_message:
            raise MailProbablyDeliveredError("SMTPReadTimeoutError")
        if self.unanswered > 0:
            self.unanswered -= 1
            raise MailNotAcceptedError("SMTPServerDisconnected")


@dataclass(kw_only=True)
class FakeSentMails:
    """Keys in memory: those that were sent, and those that an attempt holds."""

    sent: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    unknown_ends: dict[str, int] = field(default_factory=dict)
    holds_for_hours: bool = False

    async def claim(self, key: str) -> MailClaim:
        if key in self.sent:
            return MailClaim.SENT
        if self.holds_for_hours and key in self.unknown_ends:
            return MailClaim.HANDED_OVER
        if key in self.held:
            return MailClaim.BUSY
        self.held.add(key)
        return MailClaim.TAKEN

    async def renew(self, key: str) -> None:
        assert key in self.held

    async def hold_for_hours(self, key: str) -> None:
        assert key in self.held

    async def record_unknown_end(self, key: str) -> int:
        self.held.discard(key)
        self.unknown_ends[key] = self.unknown_ends.get(key, 0) + 1
        return self.unknown_ends[key]

    async def mark_sent(self, key: str) -> None:
        self.held.discard(key)
        self.sent.add(key)

    async def release(self, key: str) -> None:
        self.held.discard(key)


@dataclass(kw_only=True)
class FakeComposer:
    """Renders nothing: the subject is the template's name; `contexts` has the rest."""

    contexts: list[dict[str, object]] = field(default_factory=list)

    def compose(
        self, name: str, *, contact: AccountContact, message_key: str, context: Mapping[str, object]
    ) -> Mail:
        self.contexts.append(dict(context))
        return Mail(
            to_name=contact.full_name,
            to_address=contact.email,
            subject=name,
            text=f"{name} {context.get('token', '')}".strip(),
            html=f"<p>{name}</p>",
            message_key=message_key,
        )


@dataclass(kw_only=True)
class FakeAuditTrail:
    """Keeps events in order."""

    events: list[AuditEvent] = field(default_factory=list)

    async def record(self, *events: AuditEvent) -> None:
        self.events.extend(events)
