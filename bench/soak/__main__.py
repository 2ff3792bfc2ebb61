"""`make soak`: a mixed day of five minutes, and whether anything grows."""

import asyncio
import sys
from collections.abc import Sequence

from bench import report
from bench.machine import describe_machine, load_average
from bench.mailbox import open_mailbox
from bench.product import DATABASE_OPTIONS
from bench.soak.day import PARTS, Day
from bench.soak.report import Soak, keep, table
from dev.private_stack import private_stack
from mipres.arguments import Arguments

MINUTES = 5.0
_SEED = 2026
_POLL_SECONDS = 0.1
# A run of five minutes sees WAL written, recycled and written again.
_CHECKPOINTS = {"checkpoint_timeout": "30s", "max_wal_size": "256MB"}


def main() -> int:
    """Run the day; the exit code is 0 when everybody came to the end and nothing grew."""
    parser = Arguments(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="how long the day lasts")
    parser.add_argument(
        "--restart", nargs="*", choices=PARTS, default=PARTS, help="parts to restart meanwhile"
    )
    wanted = parser.parse_args()
    soak = asyncio.run(measure(wanted.minutes, wanted.restart))
    print(table(soak))
    if wanted.minutes >= MINUTES:
        for path in keep(soak):
            print(path.relative_to(report.ROOT))
    return 0 if soak.is_good else 1


async def measure(minutes: float, restarts: Sequence[str]) -> Soak:
    """One day on a fresh stack."""
    seconds, loads = minutes * 60, [load_average()]
    options = {**DATABASE_OPTIONS, **_CHECKPOINTS}
    async with (
        private_stack(database_options=options, metrics_port=0, captcha="off") as stack,
        open_mailbox(stack.settings.mail_ui_port, poll_seconds=_POLL_SECONDS) as mailbox,
    ):
        day = Day(stack, mailbox, seconds=seconds, seed=_SEED)
        lived = await day.live(restarts=restarts)
        # Of a 500 a visitor sees no cause, and the lines go with the stack.
        print(*errors_in(stack.lines), sep="\n", file=sys.stderr)
    loads.append(load_average())
    return Soak(
        machine=describe_machine() | {"load_before_and_after": loads},
        minutes=minutes,
        lived=lived,
        done=dict(day.tally.done),
        failures=dict(day.tally.failures),
        unfinished=day.tally.unfinished,
        # Shorter thirds show the noise of the machine, and no growth.
        is_judged=minutes >= MINUTES,
    )


def errors_in(lines: Sequence[str]) -> list[str]:
    """The lines about failures that no part of the product expects."""
    return [line for line in lines if '"level": "error"' in line]


if __name__ == "__main__":
    sys.exit(main())
