"""When another link may be sent: an open door for the person, none for a mail cannon."""

from datetime import datetime, timedelta

from workflows.policies import LINKS_A_DAY, RESEND_PAUSE

_DAY = timedelta(days=1)


class LinkBudget:
    """Remembers when links were sent, and tells how long the next one has to wait."""

    def __init__(self) -> None:
        self._sent: list[datetime] = []

    @property
    def count(self) -> int:
        return len(self._sent)

    def note(self, now: datetime) -> None:
        self._sent.append(now)

    def wait(self, now: datetime) -> timedelta:
        """Zero when another link may be sent."""
        recent = [moment for moment in self._sent if moment > now - _DAY]
        waits = [timedelta(0)]
        if recent:
            waits.append(recent[-1] + RESEND_PAUSE - now)
        if len(recent) >= LINKS_A_DAY:
            waits.append(recent[-LINKS_A_DAY] + _DAY - now)
        return max(waits)
