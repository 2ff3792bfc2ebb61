"""`make attacks`: attack a product on loopback, print attack and result, and fail if one succeeds."""

import asyncio
import sys

from dev.attacks.table import ATTACKS, Attack, Outcome, Result, row, summary, try_attack
from dev.attacks.target import open_target
from mipres.arguments import Arguments

MINUTES = 5.0


def main() -> int:
    """Perform the attacks; the exit code is 0 when the product held against each."""
    parser = Arguments(prog="python -m dev.attacks", description=__doc__)
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="función de un ataque; puede repetirse"
    )
    wanted = parser.parse_args().only
    chosen = [attack for attack in ATTACKS if not wanted or attack.perform.__name__ in wanted]
    if not chosen:
        parser.error("--only no nombra ningún ataque")
    return asyncio.run(_run(chosen))


async def _run(chosen: list[Attack]) -> int:
    outcomes: list[Outcome] = []
    async with asyncio.timeout(MINUTES * 60), open_target() as target:
        for attack in chosen:
            outcomes.append(await try_attack(target, attack))
            print(row(outcomes[-1]), flush=True)
    print(summary(outcomes))
    return 0 if all(outcome.result is Result.HELD for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
