"""The launcher's supervisor with small parts in place of the real ones."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from dev.probes import free_port, taken
from dev.process_records import ProcessRecords
from tests.dev.programs import gone
from tests.patience import PATIENCE_SECONDS

LAUNCHER = """
import asyncio, sys
from pathlib import Path
from dev.process_records import ProcessRecords
from dev.process import Console, Part, supervise

STAY = "import time; print('ready', flush=True); time.sleep(600)"
ENDS = "import sys; print('ready', flush=True); sys.stdin.read(); sys.exit(7)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + STAY
WORK = "print('begun', flush=True);" + STAY
SILENT_DEATH = "print('why it died'); raise SystemExit(3)"
PARENT = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);" + STAY
PROGRAMS = {name.lower(): value for name, value in globals().items() if name.isupper()}

def part(word):
    return Part(name=word, command=(sys.executable, "-c", PROGRAMS[word.split("-")[0]]), ready_line="ready",
                stop_seconds=0.3, discreet=word != "work")

async def start(supervisor):
    for word in sys.argv[2:]:
        await (supervisor.run if word == "work" else supervisor.start)(part(word))

sys.exit(asyncio.run(supervise(start, Console(), records=ProcessRecords(path=Path(sys.argv[1])))))
"""


class Launcher:
    """A launcher in a process of its own, and what it said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def until(self, line: str) -> None:
        assert self.process.stdout is not None
        while line not in self.lines:
            said = await self.process.stdout.readline()
            assert said, f"ended without {line!r}: {self.lines}"
            self.lines.append(said.decode().rstrip())

    async def end(self) -> int:
        assert self.process.stdout is not None
        self.lines += (await self.process.stdout.read()).decode().splitlines()
        return await self.process.wait()

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@asynccontextmanager
async def launched(records: Path, *words: str) -> AsyncIterator[Launcher]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LAUNCHER, str(records), *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield Launcher(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_signal_stops_in_reverse_order_and_exits_0(number: signal.Signals, tmp_path: Path) -> None:
    async with launched(tmp_path / "pids", "stay-1", "stay-2", "stay-3") as launcher:
        await launcher.until("listo")
        family = launcher.family()
        launcher.process.send_signal(number)
        assert await launcher.end() == 0
    stopped = [line.split()[0] for line in launcher.lines if line.endswith("detenido")]
    assert stopped == ["stay-3", "stay-2", "stay-1"]
    assert len(family) == 3
    assert gone(family)


async def test_signal_during_work_that_ends_stops_everything_too(tmp_path: Path) -> None:
    async with launched(tmp_path / "pids", "stay", "work") as launcher:
        await launcher.until("work        │ begun")
        family = launcher.family()
        launcher.process.terminate()
        assert await launcher.end() == 0
    assert launcher.lines[-3:] == ["Deteniendo…", "work        │ detenido", "stay        │ detenido"]
    assert gone(family)


async def test_part_that_ignores_the_signal_is_ended_by_force(tmp_path: Path) -> None:
    async with launched(tmp_path / "pids", "stubborn") as launcher:
        await launcher.until("listo")
        family = launcher.family()
        launcher.process.terminate()
        assert await launcher.end() == 0
    assert gone(family)


async def test_what_a_part_started_itself_goes_with_it(tmp_path: Path) -> None:
    async with launched(tmp_path / "pids", "parent") as launcher:
        await launcher.until("listo")
        family = launcher.family()
        launcher.process.terminate()
        assert await launcher.end() == 0
    assert len(family) == 2
    assert gone(family)


async def test_death_of_a_part_is_told_and_stops_the_rest(tmp_path: Path) -> None:
    async with launched(tmp_path / "pids", "stay", "ends") as launcher:
        assert await launcher.end() == 1
    assert "ends terminó con código 7; se detiene todo." in launcher.lines
    assert "stay        │ detenido" in launcher.lines


async def test_part_that_dies_before_it_is_ready_says_why(tmp_path: Path) -> None:
    async with launched(tmp_path / "pids", "stay", "silent_death") as launcher:
        assert await launcher.end() == 1
    assert any(line.endswith("│ why it died") for line in launcher.lines)
    assert "silent_death terminó con código 3; se detiene todo." in launcher.lines
    assert "listo" not in launcher.lines


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next start ends what was left")
async def test_killed_launcher_leaves_no_process(tmp_path: Path) -> None:
    async with launched(tmp_path / "pids", "stay-1", "stubborn") as launcher:
        await launcher.until("listo")
        family = launcher.family()
        launcher.process.kill()
        await launcher.process.wait()
    assert len(family) == 2
    assert gone(family)


async def test_next_launcher_ends_the_recorded_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dev.process_records.PATIENCE_SECONDS", 0.1)
    command = (sys.executable, "-c", "import time; print(flush=True); time.sleep(600)")
    left = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert left.stdout is not None
    # A process that only just begins has no command line yet.
    await left.stdout.readline()
    records = ProcessRecords(path=tmp_path / "pids")
    records.add(left.pid, command)
    # An id that another program has by now: this test itself must survive.
    records.add(os.getpid(), command)
    records.end_leftovers()
    assert await left.wait() == -signal.SIGKILL
    assert not records.path.exists()


def test_taken_ports_are_named_even_when_two_settings_agree() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        busy = server.getsockname()[1]
        free = free_port()
        assert taken({"a": busy, "b": free, "c": free}) == ["a", "c"]
