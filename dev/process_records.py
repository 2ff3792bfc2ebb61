"""The processes of a launcher, on disk, so that the next one can end them."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PATIENCE_SECONDS = 5.0
"""PostgreSQL and Temporal need a moment to end after their launcher was killed."""
PAUSE_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class ProcessRecords:
    """One line for each process.

    Its id, and its command line, because a later process may get the same id.
    """

    path: Path

    def add(self, pid: int, command: Sequence[str]) -> None:
        """Record a process."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{pid} {' '.join(command)}\n")

    def clear(self) -> None:
        """Delete all records."""
        self.path.unlink(missing_ok=True)

    def end_leftovers(self) -> None:
        """Wait until an earlier launcher's processes end, then kill those that remain."""
        limit = time.monotonic() + (PATIENCE_SECONDS if sys.platform == "linux" else 0)
        while list(self._alive()) and time.monotonic() < limit:
            time.sleep(PAUSE_SECONDS)
        for pid in self._alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.clear()

    def _alive(self) -> Iterator[int]:
        if not self.path.exists():
            return
        for line in self.path.read_text(encoding="utf-8").splitlines():
            pid, _, command = line.partition(" ")
            if command_line(int(pid)) == command:
                yield int(pid)


def command_line(pid: int) -> str:
    """The command line of a process, empty when there is none."""
    status = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self/cmdline").exists():
        try:
            return status.read_text(encoding="utf-8", errors="replace").rstrip("\0").replace("\0", " ")
        except OSError:
            return ""
    asked = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()
