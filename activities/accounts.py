"""Writes to the accounts. Each can be repeated without changing anything more."""

import uuid
from dataclasses import dataclass

from temporalio import activity

from mipres.domain.accounts import NewRegistration, ProfileFacts
from mipres.domain.documents import Document
from mipres.domain.outcomes import Refusal, mask_email
from mipres.domain.people import Person
from mipres.domain.submissions import Submission
from mipres.domain.terms import Consent
from mipres.ports import Accounts


@dataclass(frozen=True, kw_only=True)
class RegisterAccountInput:
    """What is stored when a person has passed every check."""

    radicado: str
    submission: Submission
    person: Person
    facts: ProfileFacts
    consent: Consent


@dataclass(frozen=True, kw_only=True)
class RegisterAccountResult:
    """The account; `has_password` means that the person had completed a registration before."""

    account_id: uuid.UUID
    email_hint: str
    has_password: bool


@dataclass(frozen=True, kw_only=True)
class FindAccountInput:
    """Whose account is looked for."""

    document: Document


@dataclass(frozen=True, kw_only=True)
class FindAccountResult:
    """None for an unknown document."""

    account_id: uuid.UUID | None


@dataclass(frozen=True, kw_only=True)
class ExpireLinkInput:
    """Whose links end: those of one registration or recovery."""

    account_id: uuid.UUID
    reference: str


@dataclass(frozen=True, kw_only=True)
class ExpireLinkResult:
    """`password_set` is the database's word, which counts more than a signal that never came."""

    password_set: bool


@dataclass(frozen=True, kw_only=True)
class DiscardAccountInput:
    """Whose traces are taken back: a registration's, by its radicado."""

    reference: str


@dataclass(frozen=True, kw_only=True)
class NoteRefusalInput:
    """Which registration was refused, in which run of its workflow, and why."""

    reference: str
    document: Document
    refusal: Refusal
    run: str


class AccountActivities:
    """Served by the queue `registrations`."""

    def __init__(self, *, accounts: Accounts) -> None:
        self._accounts = accounts

    @activity.defn
    async def register_account(self, request: RegisterAccountInput) -> RegisterAccountResult:
        """Create or refresh the account and its profile, in one transaction."""
        account = await self._accounts.register(
            NewRegistration(
                radicado=request.radicado,
                submission=request.submission,
                person=request.person,
                facts=request.facts,
                consent=request.consent,
            )
        )
        return RegisterAccountResult(
            account_id=account.account_id,
            email_hint=mask_email(account.email),
            has_password=account.has_password,
        )

    @activity.defn
    async def find_account(self, request: FindAccountInput) -> FindAccountResult:
        """The account of a document, for recovering its password."""
        return FindAccountResult(account_id=await self._accounts.find(request.document))

    @activity.defn
    async def discard_account(self, request: DiscardAccountInput) -> None:
        """Take back what a registration made, never an account with a password."""
        await self._accounts.discard(reference=request.reference)

    @activity.defn
    async def note_refusal(self, request: NoteRefusalInput) -> None:
        """Write the refusal into the audit trail."""
        await self._accounts.note_refusal(
            reference=request.reference,
            document=request.document,
            refusal=request.refusal,
            run=request.run,
        )

    @activity.defn
    async def expire_link(self, request: ExpireLinkInput) -> ExpireLinkResult:
        """Close the links for good, and ask whether the password exists."""
        password_set = await self._accounts.expire_links(request.account_id, reference=request.reference)
        return ExpireLinkResult(password_set=password_set)
