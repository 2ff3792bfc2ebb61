"""A reset of a second factor that support asked for, and that its person can stop."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from mipres.domain.errors import MipresError

RESET_WAIT = timedelta(hours=24)
"""So long after the notice the person can stop it; support shortens it for no one."""


class ResetRefusedError(MipresError):
    """There is nothing to reset or cancel; the text is the Spanish sentence."""


@dataclass(frozen=True, kw_only=True)
class FactorResetRequest:
    """Input of the workflow SecondFactorReset. Nothing personal."""

    reset_id: uuid.UUID


@dataclass(frozen=True, kw_only=True)
class WaitingReset:
    """A reset that waits, as its mail needs it.

    Attributes:
        addresses: Where the notice goes: first the address in force, then those that a change replaces.
        takes_effect_at: Until when the person can stop it.
        remaining: How long that is from now, by the clock that decides it.
        token: The secret part of the address that stops it; stored nowhere.
    """

    login: str
    full_name: str
    addresses: tuple[str, ...]
    takes_effect_at: datetime
    remaining: timedelta
    token: str


@dataclass(frozen=True, kw_only=True)
class ResetProgress:
    """How far a reset is.

    Attributes:
        remaining: The rest of the wait; None where it waits no more.
        is_stopped: Whether its person stopped it.
    """

    remaining: timedelta | None = None
    is_stopped: bool = False


@dataclass(frozen=True, kw_only=True)
class ResetView:
    """A reset that waits, as support sees it.

    Attributes:
        takes_effect_at: None until the person was notified.
    """

    asked_at: datetime
    takes_effect_at: datetime | None
