"""Writes to the accounts. Each can be repeated without changing anything more."""

import uuid
from dataclasses import dataclass

from temporalio import activity

from activities.reviews import ReviewOfOne
from mipres.domain.accounts import NewRegistration
from mipres.domain.documents import Document
from mipres.domain.errors import DocumentReplacedError, PersonErasedError
from mipres.domain.outcomes import Refusal, mask_email
from mipres.domain.submissions import Submission
from mipres.ports import Accounts


@dataclass(frozen=True, kw_only=True)
class RegisterAccountResult:
    """The account, or why there is none.

    Attributes:
        account_id: The nil id where the registration is refused.
        has_password: Whether the person had completed a registration before.
        address_change: The change of the account's address that waits, if one does.
    """

    account_id: uuid.UUID
    email_hint: str
    has_password: bool
    refusal: Refusal | None = None
    address_change: uuid.UUID | None = None


@dataclass(frozen=True, kw_only=True)
class ExpireLinkInput:
    """Whose links end: those of one registration or recovery."""

    account_id: uuid.UUID
    reference: str


@dataclass(frozen=True, kw_only=True)
class ExpireLinkResult:
    """The database's word, which counts more than a lost signal.

    Attributes:
        password_set: Whether there is a password.
        was_used: Whether one of these links set it.
    """

    password_set: bool
    was_used: bool = False


@dataclass(frozen=True, kw_only=True)
class RecordRefusalInput:
    """Which registration was refused, in which run of its workflow, and why.

    `submission` is None in a history of before the profile was found by it.
    """

    reference: str
    document: Document
    refusal: Refusal
    run: str
    submission: Submission | None = None


_NO_ACCOUNT = uuid.UUID(int=0)


class AccountActivities:
    """Served by the queue `registrations`."""

    def __init__(self, *, accounts: Accounts, reviews: ReviewOfOne | None = None) -> None:
        self._accounts = accounts
        self._reviews = reviews

    @activity.defn
    async def register_account(self, registration: NewRegistration) -> RegisterAccountResult:
        """Create or refresh the account and its profile, in one transaction."""
        try:
            account = await self._accounts.register(registration)
        except PersonErasedError:
            return _refused(Refusal.DATA_ERASED)
        except DocumentReplacedError:
            return _refused(Refusal.DOCUMENT_REPLACED)
        return RegisterAccountResult(
            account_id=account.account_id,
            email_hint=mask_email(account.email),
            has_password=account.has_password,
            address_change=account.address_change,
        )

    @activity.defn
    async def find_account(self, document: Document) -> uuid.UUID | None:
        """Find the account of a document; None for an unknown one."""
        return await self._accounts.find(document)

    @activity.defn
    async def discard_account(self, reference: str) -> None:
        """Take back what a registration made, never an account with a password."""
        await self._accounts.discard(reference=reference)

    @activity.defn
    async def record_refusal(self, request: RecordRefusalInput) -> None:
        """Write the refusal into the audit trail, and review the person's profile."""
        await self._accounts.record_refusal(
            reference=request.reference,
            document=request.document,
            refusal=request.refusal,
            run=request.run,
        )
        if self._reviews is not None and request.submission is not None:
            await self._reviews.of_submission(request.submission)

    @activity.defn
    async def expire_link(self, request: ExpireLinkInput) -> ExpireLinkResult:
        """Close the links for good, and ask whether the password exists."""
        closed = await self._accounts.expire_links(request.account_id, reference=request.reference)
        return ExpireLinkResult(password_set=closed.password_set, was_used=closed.was_used)


def _refused(refusal: Refusal) -> RegisterAccountResult:
    return RegisterAccountResult(account_id=_NO_ACCOUNT, email_hint="", has_password=False, refusal=refusal)
