"""Count what clients do, and refuse what they do too often."""

import asyncio

import structlog

from api.errors import TooManyRequestsError
from mipres.database.failures import DATABASE_ERRORS, database_fault
from mipres.database.limits import Limits
from mipres.domain.limits import Limit

log = structlog.get_logger()

# Counting takes a millisecond; a page must not wait for a database that gives no answer.
_COUNTING_SECONDS = 1.0


def guesser(login: str, *, client: str, device: str | None) -> str:
    """Name the subject that guesses at a login.

    A browser that has proven the login counts by itself: otherwise others at its address could spend what its
    owner may try.
    """
    return f"{login} {device or client}"


class Throttle:
    """Counts by subject.

    Fails open: where the database is away, what needs it fails by itself, and the rest goes on.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits

    async def count(self, limit: Limit, subject: str) -> None:
        """Count once more.

        Raises:
            TooManyRequestsError: the subject has to wait.
        """
        try:
            async with asyncio.timeout(_COUNTING_SECONDS):
                wait = await self.limits.take(limit, subject)
        except DATABASE_ERRORS as error:
            log.warning("limits_unavailable", limit=limit.name, error=database_fault(error))
            return
        if wait:
            raise TooManyRequestsError(wait)

    async def is_beyond(self, limit: Limit, subject: str) -> bool:
        """Count once more, and tell whether it is too much instead of refusing."""
        try:
            await self.count(limit, subject)
        except TooManyRequestsError:
            return True
        return False
