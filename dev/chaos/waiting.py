"""Asking again while a program that was killed does not answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
import httpx2

T = TypeVar("T")

PAUSE_SECONDS = 0.1
# What a restart may need while the machine is busy, and the pause before another link may be asked for.
PATIENCE_SECONDS = 270.0
# What a program that is being killed or started may answer instead of what was asked.
NO_ANSWER = (
    httpx2.HTTPError,
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # What asyncpg makes of an answer that stops in its middle.
    asyncpg.InternalClientError,
)


class NotYetError(Exception):
    """What is waited for has not come about."""


async def patiently(ask: Callable[[], Awaitable[T]], *, seconds: float = PATIENCE_SECONDS) -> T:
    """Ask again while there is no answer.

    Raises:
        NotYetError: there was none in time.
    """
    limit = time.monotonic() + seconds
    while True:
        try:
            return await ask()
        except (*NO_ANSWER, NotYetError) as error:
            if time.monotonic() > limit:
                raise NotYetError(str(error)) from error
        await asyncio.sleep(PAUSE_SECONDS)
