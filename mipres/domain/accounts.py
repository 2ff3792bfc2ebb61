"""What registering stores, and what an account tells of itself."""

import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Self

from mipres.domain.links import PasswordLink
from mipres.domain.masking import mask_login
from mipres.domain.people import Person, Placement
from mipres.domain.submissions import Submission
from mipres.domain.terms import Consent


@dataclass(frozen=True, kw_only=True)
class ProfileFacts:
    """What the registries know that belongs to one profile of the person.

    `review_on` is the day on which they have to be asked again, where it is known.
    """

    entity_name: str | None = None
    profession_code: str | None = None
    profession_name: str | None = None
    professional_registration: str | None = None
    placement: Placement | None = None
    review_on: date | None = None


@dataclass(frozen=True, kw_only=True)
class FirstLink:
    """The link that is issued with a new account, to be mailed at once.

    Attributes:
        issue_key: Names the link, as in `Accounts.issue_link`, which hands it to its mail.
    """

    issue_key: str
    lifetime: timedelta


@dataclass(frozen=True, kw_only=True)
class NewRegistration:
    """Everything that `Accounts.register` stores in one transaction.

    Attributes:
        first_link: Issued with an account that is new; None in a history of before there was one.
    """

    radicado: str
    submission: Submission
    person: Person
    facts: ProfileFacts
    consent: Consent
    first_link: FirstLink | None = None


@dataclass(frozen=True, kw_only=True)
class RegisteredAccount:
    """The account after registering.

    Attributes:
        has_password: Whether it was complete before.
        address_change: The change of its address that waits, if one does.
    """

    account_id: uuid.UUID
    login: str
    email: str
    has_password: bool
    address_change: uuid.UUID | None = None


@dataclass(frozen=True, kw_only=True)
class AccountContact:
    """The person that a mail goes to.

    `is_password_changed` says that the password replaced another one.
    """

    login: str
    full_name: str
    email: str
    password_set_at: datetime | None = None
    is_password_changed: bool = False

    @property
    def has_password(self) -> bool:
        return self.password_set_at is not None

    @classmethod
    def of_support(cls, address: str) -> Self:
        return cls(login="", full_name="Soporte de Registro MIPRES", email=address)

    @property
    def is_support(self) -> bool:
        return not self.login

    @property
    def login_hint(self) -> str:
        """The login with its middle hidden: a mail may be read by others."""
        return mask_login(self.login)


@dataclass(frozen=True, kw_only=True)
class IssuedLink(PasswordLink):
    """A new link, and the address that was in force when it was issued."""

    contact: AccountContact
