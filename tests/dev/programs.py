"""The development servers as processes of their own."""

import asyncio
import os
import re
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]


@dataclass(kw_only=True)
class Program:
    """A development server as a process, past the line that says it listens."""

    process: Process
    line: str

    @property
    def url(self) -> str:
        found = re.search(r"http://[\d.:]+", self.line)
        assert found, self.line
        return found.group()

    @property
    def smtp_port(self) -> int:
        return int(self.line.rpartition(":")[2])

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), PATIENCE_SECONDS)


class Start(Protocol):
    async def __call__(self, *arguments: str, **environment: str) -> Program: ...


def gone(processes: Iterable[psutil.Process]) -> bool:
    """Whether all end; what init has not collected yet has ended."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while not all(_has_ended(process) for process in processes):
        if time.monotonic() > limit:
            return False
        time.sleep(0.01)
    return True


def _has_ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def run_to_its_end(*arguments: str) -> tuple[int | None, str]:
    """Run a program that is expected to end by itself.

    Its status and what it says on standard error.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    _out, error = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    return process.returncode, error.decode()


async def printed_by(*arguments: str, within: float) -> str:
    """What a program says until it ends well, without the settings of this shell.

    Args:
        within: Seconds that it may take.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("MIPRES_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *arguments),
        cwd=ROOT,
        env=own,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(within):
            output = (await process.communicate())[0].decode()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    assert process.returncode == 0, output
    return output
