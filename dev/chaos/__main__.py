"""`make chaos`: print the crash matrix and the drain; fail if anything was lost."""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence

from dev.chaos.drain import drain
from dev.chaos.matrix import Verdict, crash_along_the_way, crash_everywhere, diagonal, summary, table, whole
from dev.chaos.product import open_product
from mipres.arguments import Arguments

MINUTES = 10.0
# What the last row may take, and stopping everything.
RESERVE_SECONDS = 150.0


def main() -> int:
    """Run what the arguments name; the exit code is 0 when no one was lost or doubled."""
    parser = Arguments(prog="python -m dev.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="límite de tiempo de la matriz")
    parser.add_argument("--only", choices=("matrix", "small", "drain"), help="solo una de las partes")
    parser.add_argument("--parked", type=int, default=150, help="cuántos registros esperan en el drenaje")
    return asyncio.run(_run(parser.parse_args()))


async def _run(wanted: argparse.Namespace) -> int:
    until = time.monotonic() + wanted.minutes * 60 - RESERVE_SECONDS
    verdicts: list[Verdict] = []
    wanted_cells = 0
    async with open_product() as product:
        if wanted.only in {None, "drain"}:
            print(await drain(product, parked=wanted.parked), flush=True)
        if wanted.only == "small":
            verdicts = await crash_along_the_way(product, cells := diagonal())
            wanted_cells = len(cells)
        elif wanted.only != "drain":
            verdicts = await crash_everywhere(product, until=until, report=_print_row)
            wanted_cells = whole()
    if not verdicts:
        return 0
    print(f"\n{table(verdicts)}\n{summary(verdicts)}")
    if len(verdicts) < wanted_cells:
        print(f"No alcanzó el tiempo para {wanted_cells - len(verdicts)} casos.")
    return 0 if len(verdicts) == wanted_cells and all(verdict.is_good for verdict in verdicts) else 1


def _print_row(row: Sequence[Verdict]) -> None:
    print(f"{row[0].row}: {summary(row)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
