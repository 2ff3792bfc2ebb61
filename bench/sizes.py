"""How much is measured: enough to be sure, or as quickly as makes sense."""

import os
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured.

    Attributes:
        counts: Registrations a round, by concurrency.
        rounds: How often, while there is time.
        seconds: When the comparison has to come to its end.
        sequential: Registrations submitted one after the other.
        cost: Registrations whose cost is counted.
        pages: How often each page is asked for.
    """

    counts: dict[int, int]
    rounds: int
    seconds: float
    sequential: int
    cost: int
    pages: int


FULL = Sizes(
    counts={1: 20, 4: 40, 10: 80, 50: 150}, rounds=5, seconds=420, sequential=100, cost=100, pages=100
)
QUICK = Sizes(counts={1: 8, 4: 16, 10: 30, 50: 60}, rounds=1, seconds=60, sequential=20, cost=30, pages=20)
SMOKE = Sizes(counts={1: 2}, rounds=1, seconds=30, sequential=2, cost=2, pages=2)
SIZES = {"full": FULL, "quick": QUICK, "smoke": SMOKE}


def chosen_sizes() -> tuple[str, Sizes]:
    """What the variable BENCH names: `full` by default."""
    name = os.environ.get("BENCH") or "full"
    if name not in SIZES:
        raise SystemExit(f"BENCH: use one of {', '.join(SIZES)}.")
    return name, SIZES[name]
