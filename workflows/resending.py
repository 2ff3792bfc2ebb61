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
    recent = [moment for moment in sent_at if moment > now - _DAY]
    waits = [timedelta(0)]
    if recent:
        waits.append(recent[-1] + RESEND_PAUSE - now)
    if len(recent) >= LINKS_A_DAY:
        waits.append(recent[-LINKS_A_DAY] + _DAY - now)
    return max(waits)
