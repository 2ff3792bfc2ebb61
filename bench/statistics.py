"""Medians, quantiles and ratios of what was measured. Pure."""

import statistics
from collections.abc import Iterable, Sequence


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that a share of all values does not exceed (nearest rank)."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("nothing was measured")
    rank = max(1, -(-len(ordered) * round(share * 1000) // 1000))
    return ordered[min(rank, len(ordered)) - 1]


def ratio(value: float, base: float) -> float:
    """How many times the base; a base of nothing is a mistake of the measurement."""
    if base <= 0:
        raise ValueError("the base of a ratio must have been measured")
    return value / base


def median_of_ratios(values: Sequence[float], bases: Sequence[float]) -> float:
    """The median over rounds of the ratio within one round: drift cancels."""
    if len(values) != len(bases):
        raise ValueError("every round measures both")
    return median(ratio(value, base) for value, base in zip(values, bases, strict=True))
