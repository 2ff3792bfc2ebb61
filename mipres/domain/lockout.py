"""When failures keep a login closed: for whom, and for how long.

Failures of one network lock the login for that network, for minutes. Beyond a number of failures from everywhere
the login asks for a captcha, and after a hundred in a row only another password opens it (NIST SP 800-63B-4,
3.2.2). A browser that its owner has used before is counted by itself, so that strangers cannot block it.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

FREE_FAILURES = 10
"""So many failures in a row of one network or browser lock it.

Between GOV.UK's 5 to 10 and NIST's 100.
"""
LONGEST_LOCK = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(days=1)
"""Older failures of one network or browser count no longer towards its lock."""
CAPTCHA_AFTER = 20
"""So many failures in a row, of all together, ask unknown browsers for a captcha."""
STRANGERS_LIMIT = 90
"""So many failures in a row close the login for unknown browsers.

The rest up to HARD_LIMIT is kept for the owner's.
"""
HARD_LIMIT = 100
"""After so many failures in a row no password is checked."""
KEPT_FOR = timedelta(days=365)
"""So long after its last failure a login's number of failures in a row is kept."""
NOTICE_PAUSE = timedelta(days=1)
"""Notices of a lock go to the person no more often than this."""
_FIRST_LOCK = timedelta(minutes=1)
_ENOUGH_DOUBLINGS = 10


class Gate(StrEnum):
    """What stands before the check of a password."""

    OPEN = "open"
    LOCKED = "locked"
    CAPTCHA = "captcha"
    CLOSED = "closed"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where an attempt comes from.

    Attributes:
        network: The network of the client.
        device: What names a browser that has proven the password before; None for any other.
    """

    network: str
    device: str | None = field(default=None, repr=False)

    @property
    def counted_as(self) -> str:
        return f"network {self.network}" if self.device is None else f"device {self.device}"


def lock_after(failures: int) -> timedelta:
    """One minute with the tenth failure in a row, then twice as long each time.

    A quarter of an hour at most.
    """
    if failures < FREE_FAILURES:
        return timedelta(0)
    doublings = min(failures - FREE_FAILURES, _ENOUGH_DOUBLINGS)
    return min(LONGEST_LOCK, _FIRST_LOCK * (1 << doublings))


def is_closed(failures: int, origin: Origin) -> bool:
    """Whether so many failures in a row leave only another password as the way in."""
    return failures >= (STRANGERS_LIMIT if origin.device is None else HARD_LIMIT)


def asks_captcha(failures: int, origin: Origin) -> bool:
    """Whether so many failures in a row ask this origin for the captcha."""
    return origin.device is None and failures >= CAPTCHA_AFTER
