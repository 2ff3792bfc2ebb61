"""Password links: what they are for and what they are worth."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class LinkPurpose(StrEnum):
    """A link serves one purpose only."""

    CREATE = "create"
    RECOVER = "recover"


class LinkState(StrEnum):
    """What a password link is worth now."""

    OPEN = "open"
    EXPIRED = "expired"
    USED = "used"
    SUPERSEDED = "superseded"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class PasswordLink:
    """A link as it is mailed.

    `token` is the secret part of its address and is stored nowhere.
    """

    token: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class ClosedLinks:
    """What came of the links of a registration or recovery, once none is open.

    Attributes:
        password_set: Whether the account has a password, from whatever link.
        was_used: Whether one of these links set the password in force.
    """

    password_set: bool = False
    was_used: bool = False
