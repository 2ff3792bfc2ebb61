"""Whether anything grows: the last third of a run beside the second. Pure.

The first third has the restarts, and fills caches and pools.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from bench.soak.samples import Sample
from bench.statistics import median

SECONDS_AN_HOUR = 3600
FAILED_ATTEMPTS = "failed attempts %"
KEEPERS = ("correo", "registros", "temporal")
"""Development servers whose memory says nothing.

The first two keep everything that they ever got, and the caches of the third fill for longer than a run.
"""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What is no growth yet: a share of the value, or what every run moves by."""

    share: float
    slack: float


_BOUNDS: Mapping[str, Bound] = {
    "memory MiB": Bound(share=0.10, slack=8),
    "files": Bound(share=0.10, slack=8),
    "threads": Bound(share=0.10, slack=4),
    "connections": Bound(share=0.10, slack=3),
    "WAL folder MiB": Bound(share=0.10, slack=32),
    "WAL KiB a person": Bound(share=0.25, slack=4),
    "temporary files": Bound(share=0, slack=0),
    "temporary tables": Bound(share=0, slack=0),
    FAILED_ATTEMPTS: Bound(share=0, slack=1),
    "outcome p50 ms": Bound(share=0.25, slack=10),
}


@dataclass(frozen=True, kw_only=True)
class Growth:
    """One thing that was looked at: the second third beside the last.

    Attributes:
        bound: None where growth is no fault.
    """

    name: str
    second: float
    last: float
    an_hour: float
    bound: Bound | None

    @property
    def is_growing(self) -> bool:
        if self.bound is None:
            return False
        return self.last - self.second > max(self.bound.share * self.second, self.bound.slack)


def judge(samples: Sequence[Sample], *, seconds: float) -> list[Growth]:
    """Everything that is looked at and was seen in both thirds."""
    third = seconds / 3
    second = [sample for sample in samples if third <= sample["at"] < 2 * third]
    last = [sample for sample in samples if 2 * third <= sample["at"] <= seconds]
    names = sorted({name for sample in (*second, *last) for name in sample})
    return [
        _growth(name, before, after, bound=bound_of(name), seconds=third)
        for name in names
        if _kind_of(name) and (before := _values(name, second)) and (after := _values(name, last))
    ]


def bound_of(name: str) -> Bound | None:
    """The bound of what has this name, with the name of its part or without."""
    if name.endswith("memory MiB") and name.startswith(KEEPERS):
        return None
    return _BOUNDS.get(_kind_of(name) or "")


def _kind_of(name: str) -> str | None:
    if name in _BOUNDS:
        return name
    return next((kind for kind in _BOUNDS if name.endswith(f" {kind}")), None)


def _values(name: str, samples: Sequence[Sample]) -> list[float]:
    return [sample[name] for sample in samples if name in sample]


def _growth(
    name: str, second: Sequence[float], last: Sequence[float], *, bound: Bound | None, seconds: float
) -> Growth:
    # What fails now and then is nothing in a median.
    middle = mean if name == FAILED_ATTEMPTS else median
    before, after = middle(second), middle(last)
    return Growth(
        name=name,
        second=round(before, 2),
        last=round(after, 2),
        an_hour=round((after - before) / seconds * SECONDS_AN_HOUR, 2),
        bound=bound,
    )
