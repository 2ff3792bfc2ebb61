"""The ways a registry can misbehave, and what each does to a call."""

import asyncio
import contextlib
import itertools
import random
from enum import StrEnum

from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, Field

SLOW_SECONDS = 30.0
FLAKY_RATE = 0.5


class Registry(StrEnum):
    MISEGURIDADSOCIAL = "miseguridadsocial"
    RETHUS = "rethus"
    SSO = "sso"


class Mode(StrEnum):
    """How a registry behaves.

    Attributes:
        UP: It answers.
        DOWN: It closes the connection without an answer.
        ERROR: It answers 500.
        SLOW: It answers right, but late: after `latency_ms`, or 30 s when that is 0.
        FLAKY: It fails with probability `failure_rate`, or one half when that is 0.
        GARBAGE: It answers 200 with something that is not the answer.
        HELD: It answers right, but not before its behaviour is set again.
    """

    UP = "up"
    DOWN = "down"
    ERROR = "error"
    SLOW = "slow"
    FLAKY = "flaky"
    GARBAGE = "garbage"
    HELD = "held"


class Behaviour(BaseModel):
    """Body of `PUT /_control/{registry}`: what is not named goes back to its default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode = Mode.UP
    latency_ms: int = Field(default=0, ge=0, le=600_000)
    failure_rate: float = Field(default=0.0, ge=0.0, le=1.0)

    @property
    def delay_seconds(self) -> float:
        if self.mode is Mode.SLOW and self.latency_ms == 0:
            return SLOW_SECONDS
        return self.latency_ms / 1000


class ConnectionDropError(Exception):
    """The caller is to get no answer at all."""


class GarbageError(Exception):
    """The caller is to get `body` with status 200."""

    def __init__(self, body: bytes, media_type: str) -> None:
        self.body = body
        self.media_type = media_type
        super().__init__(media_type)


_JSON = "application/json"
GARBAGE = (
    (b'{"type": "CC", "number": "1020', _JSON),
    (
        b"<!doctype html><title>Mantenimiento</title><h1>Sitio en mantenimiento</h1>",
        "text/html; charset=utf-8",
    ),
    (b"[]", _JSON),
    (b"{}", _JSON),
    (b"null", _JSON),
    (b'{"given_names": 7, "professions": "medicina", "start": "ayer", "delegate": []}', _JSON),
    (b"\xff\xfe\x00 \x9d", _JSON),
    (b"", _JSON),
)


class Misbehaviour:
    """Applies the modes. The randomness is given, so that a test can foresee it."""

    def __init__(self, *, stopping: asyncio.Event, randomness: random.Random) -> None:
        self._stopping = stopping
        self._randomness = randomness
        self._garbage = itertools.cycle(GARBAGE)
        self._releases: dict[Registry, asyncio.Event] = {}

    def release(self, registry: Registry) -> None:
        """Let the calls go on that the registry holds."""
        self._releases.pop(registry, asyncio.Event()).set()

    async def apply(self, registry: Registry, behaviour: Behaviour) -> None:
        """Return if the registry is to answer as it should.

        Raises:
            ConnectionDropError, GarbageError, HTTPException: what the caller gets instead.
        """
        if behaviour.mode is Mode.DOWN:
            raise ConnectionDropError
        await self.wait(behaviour.delay_seconds)
        match behaviour.mode:
            case Mode.ERROR:
                raise HTTPException(500, "Error interno simulado")
            case Mode.FLAKY:
                self._fail_sometimes(behaviour.failure_rate or FLAKY_RATE)
            case Mode.GARBAGE:
                raise GarbageError(*next(self._garbage))
            case Mode.HELD:
                await self._hold(self._releases.setdefault(registry, asyncio.Event()))

    def _fail_sometimes(self, rate: float) -> None:
        if self._randomness.random() >= rate:
            return
        if self._randomness.random() < 1 / 2:
            raise ConnectionDropError
        raise HTTPException(503, "No disponible (falla simulada)")

    async def _hold(self, release: asyncio.Event) -> None:
        either = [asyncio.create_task(event.wait()) for event in (release, self._stopping)]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in either:
                task.cancel()
        if self._stopping.is_set():
            raise ConnectionDropError

    async def wait(self, seconds: float) -> None:
        """Wait, unless the simulator ends meanwhile.

        Raises:
            ConnectionDropError: the simulator is ending.
        """
        if seconds == 0:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
            # The simulator is ending: a caller that waits gets what it would get from a dying registry.
            raise ConnectionDropError
