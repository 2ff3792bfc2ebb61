"""What is looked at again and again: processes, PostgreSQL, and what people got."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import asyncpg
import psutil

from bench.soak.visit import Tally
from bench.statistics import median
from dev.private_stack import PrivateStack

Sample = dict[str, float]
"""Values by the name of what is looked at; what could not be looked at is absent."""

MEBIBYTE = 2**20
API_FILES = "api files"
_DATABASE = """
SELECT (SELECT count(*) FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()) AS connections,
       (SELECT sum(size) FROM pg_ls_waldir()) AS wal_folder,
       pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') AS wal_written,
       (SELECT sum(temp_files) FROM pg_stat_database) AS temporary_files,
       (SELECT count(*) FROM pg_class WHERE relpersistence = 't') AS temporary_tables
"""


def without_visitors(sample: Sample, connections: int) -> Sample:
    """Leave out the API's open files that come and go with its visitors."""
    if API_FILES not in sample:
        return sample
    return {**sample, API_FILES: sample[API_FILES] - connections, "visitors connected": connections}


class Observer:
    """Takes samples; rates are those since the sample before."""

    def __init__(self, stack: PrivateStack, tally: Tally) -> None:
        self._stack = stack
        self._tally = tally
        self._before: Mapping[str, float] = {}

    async def look(self, at: float) -> Sample:
        """Everything there is to see now."""
        found = {"at": round(at, 1), **self._processes(), **await self._database(), **self._people()}
        return without_visitors(found, sum(connection.is_open for connection in self._tally.here))

    def _processes(self) -> Sample:
        found: Sample = {}
        for name, pid in self._stack.supervisor.process_ids().items():
            members = list(_family(pid))
            # Memory that no other process shares: what a leak adds to, and no page of PostgreSQL's cache.
            found[f"{name} memory MiB"] = round(sum(_private(member) for member in members) / MEBIBYTE, 1)
            found[f"{name} files"] = sum(_number(member, "num_fds") for member in members)
            found[f"{name} threads"] = sum(_number(member, "num_threads") for member in members)
        return found

    async def _database(self) -> Sample:
        # While the server is being started again there is nothing to see.
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            async with self._stack.database() as connection:
                row: Mapping[str, Any] = await connection.fetchrow(_DATABASE)
            return {
                "connections": row["connections"],
                "WAL folder MiB": round(float(row["wal_folder"]) / MEBIBYTE, 1),
                "temporary files": float(row["temporary_files"] or 0),
                "temporary tables": row["temporary_tables"],
                **self._rate("WAL KiB a person", float(row["wal_written"]) / 1024, self._done),
            }
        return {}

    def _people(self) -> Sample:
        seen = {"people done": float(self._done)}
        if outcomes := self._tally.take_outcomes():
            seen["outcome p50 ms"] = round(median(outcomes) * 1000, 1)
        failures = self._rate("failed attempts %", self._tally.failures.total() * 100, self._tally.asked)
        return {**seen, **failures}

    @property
    def _done(self) -> int:
        return self._tally.done["people"]

    def _rate(self, name: str, amount: float, base: float) -> Sample:
        """Growth of an amount over the growth of its base, where the base has grown."""
        keys = (f"{name}: amount", f"{name}: base")
        now = dict(zip(keys, (amount, base), strict=True))
        before = [self._before.get(key) for key in keys]
        self._before = {**self._before, **now}
        if before[0] is None or before[1] is None or base <= before[1]:
            return {}
        return {name: round((amount - before[0]) / (base - before[1]), 2)}


def _family(pid: int) -> Iterator[psutil.Process]:
    with _passing():
        process = psutil.Process(pid)
        yield process
        yield from process.children(recursive=True)


def _private(process: psutil.Process) -> int:
    with _passing():
        return int(process.memory_full_info().uss)
    return 0


def _number(process: psutil.Process, method: str) -> int:
    with _passing():
        return int(getattr(process, method)())
    return 0


@contextmanager
def _passing() -> Iterator[None]:
    """A process may end while it is looked at."""
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        yield
