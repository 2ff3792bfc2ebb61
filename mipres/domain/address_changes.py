"""A change of the address of an account in use, which its owner can stop."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class ChangeState(StrEnum):
    """How far a change of address is."""

    WAITING = "waiting"
    APPLIED = "applied"
    STOPPED = "stopped"
    WITHDRAWN = "withdrawn"
    """The registry has yet another address, or support joined the account."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class WaitingChange:
    """A change that waits, as its mails need it.

    Attributes:
        login: Whose address changes.
        takes_effect_at: The moment until which the owner of the old address can stop it.
        remaining: How long that is from now, by the clock that decides it.
        token: The secret part of the address that stops it; stored nowhere.
    """

    change_id: uuid.UUID
    login: str
    full_name: str
    old_address: str
    new_address: str
    takes_effect_at: datetime
    remaining: timedelta
    token: str


@dataclass(frozen=True, kw_only=True)
class ChangeView:
    """A change as the page shows it that stops it.

    All but `state` is None for an unknown one.
    """

    state: ChangeState
    change_id: uuid.UUID | None = None
    login_hint: str | None = None
    takes_effect_at: datetime | None = None


def same_address(one: str, other: str) -> bool:
    """Whether two spellings reach the same mailbox, for all that mail servers do."""
    return one.casefold() == other.casefold()
