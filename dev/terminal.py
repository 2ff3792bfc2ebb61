"""Living below `make`: Ctrl-C is for the launcher, not for make."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MAKE_POLL_SECONDS = 0.5


@contextmanager
def foreground_of_its_own() -> Iterator[None]:
    """Take the terminal's foreground with a new process group, and give it back."""
    if not _may_take():
        yield
        return
    before = os.getpgrp()
    # Both keys would stop a group that the shell does not know of; giving back is done from the background.
    for number in (signal.SIGTSTP, signal.SIGTTOU):
        signal.signal(number, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(sys.stdin.fileno(), os.getpgrp())
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.tcsetpgrp(sys.stdin.fileno(), before)


def _may_take() -> bool:
    """Only from a foreground group that somebody else, `make`, leads."""
    try:
        foreground = os.tcgetpgrp(sys.stdin.fileno())
    except (OSError, ValueError):
        return False
    return foreground == os.getpgrp() != os.getpid()


async def follow_an_interrupted_make() -> None:
    """Stop with a `make` that got SIGINT alone, as from `kill -INT`.

    It waits for us and passes nothing on.

    While a process handles a signal the kernel shows that signal as blocked; make blocks it at no other time
    once its recipe runs. Where there is no /proc, the recipe goes on until it gets a signal itself.
    """
    parent = Path(f"/proc/{os.getppid()}")
    if _text(parent / "comm").strip() not in {"make", "gmake"}:
        return
    while not _blocks(_text(parent / "status"), signal.SIGINT):  # noqa: ASYNC110 - another process.
        await asyncio.sleep(MAKE_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGINT)


def _blocks(status: str, number: signal.Signals) -> bool:
    masks = [line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:")]
    return bool(masks) and bool(int(masks[0], 16) >> (number - 1) & 1)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
