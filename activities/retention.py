"""Removing what has served its purpose."""

from dataclasses import dataclass

from temporalio import activity

from mipres.ports import Retention


@dataclass(frozen=True, kw_only=True)
class PurgeResult:
    """How many rows went, by table."""

    removed: dict[str, int]


class RetentionActivities:
    """Served by the queue `registrations`."""

    def __init__(self, *, retention: Retention) -> None:
        self._retention = retention

    @activity.defn
    async def purge_expired(self) -> PurgeResult:
        """Remove expired accounts without a password, links, sessions, captchas, locks and counts."""
        removed = dict(await self._retention.purge())
        activity.logger.info("retention removed %s rows", sum(removed.values()))
        return PurgeResult(removed=removed)
