"""Child processes of the development stack.

Started, awaited until ready, stopped in reverse order.

No child outlives the launcher, however the launcher ends: on Linux the kernel signals each child when its
parent dies; elsewhere the next start ends the processes in its records.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dev.process_records import ProcessRecords

ROOT = Path(__file__).resolve().parents[1]
READY_SECONDS = 60.0
PROBE_PAUSE_SECONDS = 0.05
LAST_WORDS_SECONDS = 0.5
LONGEST_LINE = 1 << 20
PR_SET_PDEATHSIG = 1

_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class LaunchError(Exception):
    """The stack cannot run; the text is for the person at the console."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """The system user that a child drops to."""

    uid: int
    gid: int


@dataclass(frozen=True, kw_only=True)
class Part:
    """One program of the stack.

    How it starts, how it shows that it is ready, how it stops.
    """

    name: str
    command: tuple[str, ...]
    address: str = ""
    is_ready: Callable[[], Awaitable[bool]] | None = None
    ready_line: str | None = None
    environment: Mapping[str, str] | None = None
    directory: Path = ROOT
    account: Account | None = None
    discreet: bool = False
    """Whether its lines from before it is ready are shown only if it fails."""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 1.0
    orphan_signal: signal.Signals = signal.SIGKILL


_print = partial(print, flush=True)


@dataclass(frozen=True, kw_only=True)
class Console:
    """Where the lines of the parts go, each with the name of its part.

    By default standard output.
    """

    width: int = 11
    write: Callable[[str], None] = _print

    def say(self, name: str, line: str) -> None:
        """Write one line of a part."""
        self.write(f"{name:<{self.width}} │ {line}")

    def announce(self, line: str) -> None:
        """Write one line of the launcher itself, without a name."""
        self.write(line)


SILENT = Console(write=lambda _line: None)


class Child:
    """A running part."""

    def __init__(self, part: Part, process: asyncio.subprocess.Process, console: Console) -> None:
        self.part = part
        self._process = process
        self._console = console
        self._line_seen = asyncio.Event()
        self._holds_back = part.discreet
        self._held_lines: list[str] = []
        self.relaying = asyncio.create_task(self._relay())
        self.ended = asyncio.create_task(process.wait())

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ready(self) -> None:
        """Wait for the sign of readiness that the part declares."""
        if self.part.ready_line is not None:
            await self._line_seen.wait()
        while self.part.is_ready is not None and not await self.part.is_ready():  # noqa: ASYNC110 - another process.
            await asyncio.sleep(PROBE_PAUSE_SECONDS)

    async def stop(self) -> None:
        """Ask, then insist; whatever the part itself started goes with it."""
        if not self.ended.done():
            self._process.send_signal(self.part.stop_signal)
            await asyncio.wait({self.ended}, timeout=self.part.stop_seconds)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await asyncio.gather(self.ended, self.relaying)

    async def crash(self) -> None:
        """End at once, as the kernel ends a process when memory runs out."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await asyncio.gather(self.ended, self.relaying)

    def show_every_line(self) -> None:
        """Show every line from now on, and forget those that were held back."""
        self._holds_back = False
        self._held_lines.clear()

    def show_held_lines(self) -> None:
        """Show the lines that were held back."""
        for line in self._held_lines:
            self._console.say(self.part.name, line)
        self.show_every_line()

    async def _relay(self) -> None:
        output = self._process.stdout
        while output is not None and not output.at_eof():
            # A line beyond the limit is dropped: the part must never block on a full pipe.
            with contextlib.suppress(ValueError):
                self._hear((await output.readline()).decode(errors="replace").rstrip())

    def _hear(self, line: str) -> None:
        if self.part.ready_line is not None and self.part.ready_line in line:
            self._line_seen.set()
        elif self._holds_back:
            self._held_lines.append(line)
        elif line:
            self._console.say(self.part.name, line)


class Supervisor:
    """Starts parts and stops them in reverse order.

    `watch` raises when one ends by itself.
    """

    def __init__(self, console: Console, *, records: ProcessRecords | None = None) -> None:
        self._console = console
        self._records = records
        self._children: list[Child] = []
        self._deaths: asyncio.Queue[LaunchError] = asyncio.Queue()

    async def start(self, part: Part) -> None:
        """Start a part that stays, and wait until it is ready."""
        began = time.monotonic()
        child = await self._spawn(part)
        ready = asyncio.create_task(child.ready())
        try:
            await asyncio.wait(
                {ready, child.ended}, timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if not ready.done():
                raise await _failure(child)
            await ready
        finally:
            ready.cancel()
        child.show_every_line()
        child.ended.add_done_callback(lambda _: self._deaths.put_nowait(_death(child)))
        self._console.say(part.name, f"listo en {time.monotonic() - began:.1f} s  {part.address}".rstrip())

    async def run(self, part: Part) -> None:
        """Run a part that does its work and ends."""
        child = await self._spawn(part)
        # Awaited directly, a signal to the launcher would cancel what `stop` waits for.
        await asyncio.wait({child.ended})
        if child.ended.result():
            raise await _failure(child)

    async def crash(self, name: str) -> None:
        """Kill the running part of this name. It can be started again."""
        for child in self._children:
            if child.part.name == name and not child.ended.done():
                await child.crash()

    def process_ids(self) -> dict[str, int]:
        """The running parts' processes, by name."""
        return {child.part.name: child.pid for child in self._children if not child.ended.done()}

    async def watch(self) -> None:
        """Raise as soon as a part that should stay has ended."""
        raise await self._deaths.get()

    async def stop(self) -> None:
        """Stop every part, the last one first."""
        while self._children:
            child = self._children.pop()
            running = not child.ended.done()
            await child.stop()
            if running:
                self._console.say(child.part.name, "detenido")
        if self._records is not None:
            self._records.clear()

    async def _spawn(self, part: Part) -> Child:
        try:
            process = await _execute(part)
        except OSError as error:
            raise LaunchError(
                f"No se pudo iniciar {part.name}: {error.strerror} ({part.command[0]})."
            ) from error
        if self._records is not None:
            self._records.add(process.pid, part.command)
        child = Child(part, process, self._console)
        self._children.append(child)
        return child


@asynccontextmanager
async def supervisor_of(console: Console) -> AsyncIterator[Supervisor]:
    """A supervisor for a block of code, for instance a test's."""
    supervisor = Supervisor(console)
    try:
        yield supervisor
    finally:
        await supervisor.stop()


async def supervise(
    start: Callable[[Supervisor], Awaitable[None]], console: Console, *, records: ProcessRecords | None = None
) -> int:
    """Start everything, say `listo`, stay until a signal or a death, stop everything.

    The exit code.
    """
    supervisor = Supervisor(console, records=records)
    serving = asyncio.ensure_future(_serve(start, supervisor, console))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    code = 0
    try:
        await serving
    except* asyncio.CancelledError:
        console.announce("Deteniendo…")
    except* LaunchError as errors:
        code = 1
        for line in dict.fromkeys(str(error) for error in _leaves(errors)):
            console.announce(line)
    finally:
        await supervisor.stop()
    return code


async def _serve(
    start: Callable[[Supervisor], Awaitable[None]], supervisor: Supervisor, console: Console
) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.watch())
        await start(supervisor)
        console.announce("listo")


def _leaves(group: BaseExceptionGroup[LaunchError]) -> list[LaunchError]:
    leaves: list[LaunchError] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves


async def _failure(child: Child) -> LaunchError:
    """Show what a part printed, and say why it is not ready."""
    await asyncio.wait({child.relaying}, timeout=LAST_WORDS_SECONDS)
    child.show_held_lines()
    if child.ended.done():
        return _death(child)
    return LaunchError(f"{child.part.name} no estuvo listo en {READY_SECONDS:.0f} s; se detiene todo.")


def _death(child: Child) -> LaunchError:
    return LaunchError(f"{child.part.name} terminó con código {child.ended.result()}; se detiene todo.")


async def _execute(part: Part) -> asyncio.subprocess.Process:
    account = part.account
    return await asyncio.create_subprocess_exec(
        *part.command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=LONGEST_LINE,
        env=part.environment,
        cwd=part.directory,
        # Ctrl-C reaches a terminal's whole process group; the order of the stop is the supervisor's.
        start_new_session=True,
        preexec_fn=_follow_parent(os.getpid(), part.orphan_signal),
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )


def _follow_parent(parent: int, number: signal.Signals) -> Callable[[], None] | None:
    """Have the kernel signal the child when its parent dies.

    A change of user clears the request: `subprocess` calls this after it, right before the program runs.
    """
    if _LIBC is None:
        return None
    prctl = _LIBC.prctl

    def arm() -> None:
        prctl(PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent:
            os._exit(1)

    return arm
