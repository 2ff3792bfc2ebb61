"""When another link may be sent.

An open door for the person, none for a mail cannon.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from workflows.policies import LINKS_A_DAY, RESEND_PAUSE

_DAY = timedelta(days=1)


def is_of_the_day(wait: timedelta) -> bool:
    """Whether a wait comes from the day's links: the pause after a link is shorter."""
    return wait > RESEND_PAUSE


def wait(sent_at: Sequence[datetime], *, now: datetime) -> timedelta:
    """How long the next link has to wait; zero when it may be sent.

    Args:
        sent_at: When each link was sent, the oldest first.
        now: The workflow's time.
    """
    allowed_at = possible_at(sent_at)
    return max(allowed_at - now, timedelta(0)) if allowed_at else timedelta(0)


def possible_at(sent_at: Sequence[datetime]) -> datetime | None:
    """From when the next link may be sent; None before the first one."""
    if not sent_at:
        return None
    after_the_pause = sent_at[-1] + RESEND_PAUSE
    if len(sent_at) < LINKS_A_DAY:
        return after_the_pause
    return max(after_the_pause, sent_at[-LINKS_A_DAY] + _DAY)
