"""Whether anything grows: the last third of a run beside the second. Pure.

The first third has the restarts, and fills caches and pools.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.soak.samples import Sample
from bench.statistics import median

SECONDS_AN_HOUR = 3600
STORES = ("correo", "registros")
"""Development servers that keep everything that they ever got, so their memory says nothing."""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What is no growth yet: a share of the value, or as much as every run moves up and down."""

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
    "failed attempts %": Bound(share=0, slack=1),
    "outcome p50 ms": Bound(share=0.25, slack=10),
}


@dataclass(frozen=True, kw_only=True)
class Growth:
    """One thing that was looked at: its medians in the second and in the last third."""

    name: str
    second: float
    last: float
    an_hour: float
    bound: Bound

    @property
    def is_growing(self) -> bool:
        return self.last - self.second > max(self.bound.share * self.second, self.bound.slack)


def judge(samples: Sequence[Sample], *, seconds: float) -> list[Growth]:
    """Everything that has a bound and was seen in both thirds."""
    third = seconds / 3
    second = [sample for sample in samples if third <= sample["at"] < 2 * third]
    last = [sample for sample in samples if 2 * third <= sample["at"] <= seconds]
    names = sorted({name for sample in (*second, *last) for name in sample})
    return [
        _growth(name, before, after, bound=bound, seconds=third)
        for name in names
        if (bound := bound_of(name))
        and (before := _values(name, second))
        and (after := _values(name, last))
    ]


def bound_of(name: str) -> Bound | None:
    """The bound of what has this name, with the name of its part or without."""
    if name.endswith("memory MiB") and name.startswith(STORES):
        return None
    return next((bound for kind, bound in _BOUNDS.items() if name == kind or name.endswith(f" {kind}")), None)


def _values(name: str, samples: Sequence[Sample]) -> list[float]:
    return [sample[name] for sample in samples if name in sample]


def _growth(
    name: str, second: Sequence[float], last: Sequence[float], *, bound: Bound, seconds: float
) -> Growth:
    before, after = median(second), median(last)
    return Growth(
        name=name,
        second=round(before, 2),
        last=round(after, 2),
        an_hour=round((after - before) / seconds * SECONDS_AN_HOUR, 2),
        bound=bound,
    )
