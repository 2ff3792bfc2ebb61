"""Counts the calls each registry gets, and the most it got in any one second."""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import BaseModel

from dev.registry_simulator.modes import Registry

WINDOW_SECONDS = 1.0


class CallSummary(BaseModel):
    """Calls of one registry since the last reset.

    `peak_per_second` is over any second, not clock seconds.
    """

    total: int = 0
    peak_per_second: int = 0
    first: datetime | None = None
    last: datetime | None = None


@dataclass(kw_only=True)
class _Tally:
    by_document: Counter[str] = field(default_factory=Counter)
    summary: CallSummary = field(default_factory=CallSummary)
    # Only the last second's calls are kept, so a million calls cost no more memory than ten.
    window: deque[float] = field(default_factory=deque)

    def add(self, document: str, *, at: float, now: datetime) -> None:
        self.by_document[document] += 1
        self.window.append(at)
        while self.window[0] <= at - WINDOW_SECONDS:
            self.window.popleft()
        self.summary = CallSummary(
            total=self.summary.total + 1,
            peak_per_second=max(self.summary.peak_per_second, len(self.window)),
            first=self.summary.first or now,
            last=now,
        )


class CallBook:
    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        self._tallies = {registry: _Tally() for registry in Registry}

    def record(self, registry: Registry, document: str) -> None:
        self._tallies[registry].add(document, at=self._clock(), now=datetime.now(UTC))

    def counts(self) -> Mapping[Registry, Mapping[str, int]]:
        return {registry: tally.by_document for registry, tally in self._tallies.items()}

    def peaks(self) -> Mapping[Registry, CallSummary]:
        return {registry: tally.summary for registry, tally in self._tallies.items()}
