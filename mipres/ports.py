"""What activities need from the outside world. Real twins live in adapters/, fakes in tests/."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from mipres.domain.audit import AuditEntry, AuditEvent, AuditVerdict
from mipres.domain.documents import Document
from mipres.domain.links import LinkPurpose
from mipres.domain.outcomes import Refusal
from mipres.domain.people import EntityRecord, HealthProfessional, Person, Placement
from mipres.domain.submissions import Entity, Submission


class Clock(Protocol):
    """Tells the time, with zone."""

    def now(self) -> datetime: ...


@dataclass(frozen=True, kw_only=True)
class Delegation:
    """A delegate together with the entity that named them."""

    person: Person
    entity: EntityRecord


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


@dataclass(frozen=True, kw_only=True)
class Consent:
    """The declaration as it was accepted."""

    terms_version: str
    terms_sha256: str
    accepted_at: datetime
    channel: str


@dataclass(frozen=True, kw_only=True)
class ProfileFacts:
    """What the registries said that belongs to one profile of the person."""

    entity_name: str | None = None
    profession_code: str | None = None
    profession_name: str | None = None
    professional_registration: str | None = None
    placement: Placement | None = None


@dataclass(frozen=True, kw_only=True)
class NewRegistration:
    """Everything that `Accounts.register` stores in one transaction."""

    radicado: str
    submission: Submission
    person: Person
    facts: ProfileFacts
    consent: Consent


@dataclass(frozen=True, kw_only=True)
class RegisteredAccount:
    """The account after registering. `has_password` means that it was complete before."""

    account_id: uuid.UUID
    login: str
    email: str
    has_password: bool


@dataclass(frozen=True, kw_only=True)
class AccountContact:
    """Whom a mail goes to."""

    login: str
    full_name: str
    email: str
    has_password: bool

    @property
    def login_hint(self) -> str:
        """The login with its middle hidden: a mail may be read by others."""
        # A short number shows less than three digits, so that some of it is always hidden.
        return f"{self.login[:2]}•••{self.login[max(4, len(self.login) - 3) :]}"


@dataclass(frozen=True, kw_only=True)
class PasswordLink:
    """A link as it is mailed. `token` is the secret part of its address and is stored nowhere."""

    token: str
    expires_at: datetime


class Accounts(Protocol):
    """The accounts and their password links."""

    async def register(self, registration: NewRegistration) -> RegisteredAccount:
        """Create or refresh the account and its profile; the same call twice changes nothing more."""
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
    ) -> PasswordLink | None:
        """Issue a link that supersedes the older ones; the same `issue_key` gives the same token again.

        None when the link is to create a password and there is one.
        """
        ...

    async def open_link(self, account_id: uuid.UUID, *, reference: str) -> PasswordLink | None:
        """The link of a registration if it can still be used."""
        ...

    async def discard(self, *, reference: str) -> None:
        """Take back the profile of a registration, and its account if that opens nothing and has no other profile."""
        ...

    async def note_refusal(self, *, reference: str, document: Document, refusal: Refusal, run: str) -> None:
        """Write down that a run of a registration was refused; the same call twice writes once."""
        ...

    async def note_given_up(self, *, reference: str, waited_for: str, run: str) -> bool:
        """Write down once that a run of a registration was given up; False where that could not be written."""
        ...

    async def expire_links(self, account_id: uuid.UUID, *, reference: str) -> bool:
        """Close the open links of a registration or recovery; tell whether the password exists."""
        ...


class Retention(Protocol):
    """Removes what has served its purpose."""

    async def purge(self) -> Mapping[str, int]:
        """Remove it; how many rows of each table. Doing it twice removes nothing more."""
        ...


class AuditTrail(Protocol):
    """What happened, for good: it only grows, and a changed or missing row is noticed."""

    async def record(self, *events: AuditEvent) -> None:
        """Append events. Facts of the database are appended by their adapters, in the same transaction."""
        ...

    async def entries(
        self, *, reference: str | None = None, login: str | None = None, limit: int = 200
    ) -> list[AuditEntry]:
        """The newest events of a radicado or of a login, oldest first."""
        ...

    async def verify(self) -> AuditVerdict: ...


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A rendered message."""

    to_name: str
    to_address: str
    subject: str
    text: str
    html: str
    message_key: str


class Mailer(Protocol):
    """Sends one message.

    Raises:
        MailNotAcceptedError: the server could not take it now.
        MailAddressRejectedError: the server refuses the address for good.
    """

    async def send(self, mail: Mail) -> None: ...


class MailComposer(Protocol):
    """Renders a message of templates/email/<name>/."""

    def compose(
        self, name: str, *, contact: AccountContact, message_key: str, context: Mapping[str, object]
    ) -> Mail: ...


@dataclass(frozen=True, kw_only=True)
class Ports:
    """One of each: what the activities need from outside."""

    miseguridadsocial: SocialSecurityRegistry
    rethus: HealthTalentRegistry
    sso: SocialServiceRegistry
    accounts: Accounts
    composer: MailComposer
    mailer: Mailer
    retention: Retention
    clock: Clock
    support_address: str | None = None
