"""`make upgrade`: the steps of deploy/kubernetes/README.md, one after the other.

First start, new build beside the old one, drain, way back. What each step promises is looked at.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dev.citizen import Citizen
from dev.process import Supervisor
from mipres.arguments import take_none
from tests.deployment.bare_temporal import bare_temporal_server
from tests.deployment.cluster import Cluster, created_databases, open_cluster
from tests.deployment.composed import make_env, read_env
from tests.deployment.image import build_tree

OLD, NEW = "0.1.0", "0.2.0"
WIDTH = 86


@dataclass(kw_only=True)
class Upgrade:
    """The steps over one cluster."""

    cluster: Cluster
    say: Callable[[str], None]

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Take the time of a step that succeeds, and say it."""
        began = time.monotonic()
        yield
        self.say(f"{text:<{WIDTH}} {time.monotonic() - began:5.1f} s")

    async def play(self) -> None:
        """Play every step; an AssertionError says what a step did not do."""
        old_workers = await self._first_start()
        new_workers = await self._new_build(old_workers)
        await self._way_back(new_workers)

    async def _first_start(self) -> Supervisor:
        cluster = self.cluster
        with self.step(f"{OLD}: Jobs temporal-setup-0-1-0 and migrate-0-1-0 are complete"):
            await cluster.job("temporal-setup-0-1-0", OLD)
            await cluster.job("migrate-0-1-0", OLD)
        with self.step(f"{OLD}: Job current-0-1-0 fails, and names the queues, while there are no workers"):
            refusal = await cluster.failure_of("current-0-1-0", OLD, "--patience-seconds", "2")
            expected = (
                f"current-build: registro.{OLD} no es la versión actual: ningún worker de {OLD} atiende "
            )
            assert refusal is not None
            assert refusal.startswith(expected), refusal
        with self.step(f"{OLD}: workers are ready, Job current-0-1-0 is complete"):
            workers = await cluster.start_worker(OLD)
            await cluster.job("current-0-1-0", OLD)
            assert await cluster.lives("worker-0-1-0", OLD)
        with self.step(f"{OLD}: the API is ready"):
            await cluster.start_api(OLD)
        await self._somebody_registers("70000001", on=OLD)
        return workers

    async def _new_build(self, old_workers: Supervisor) -> Supervisor:
        cluster, between = self.cluster, Citizen(number="70000002")
        with self.step(f"{OLD}: ReTHUS is down, and a registration waits for it on {OLD}"):
            await cluster.rethus("down")
            radicado = (await cluster.submit(between)).json()["radicado"]
            await cluster.reaches(radicado, "waiting_registry")
            assert await cluster.build_of(radicado) == OLD
        with self.step(f"{NEW}: Job migrate-0-2-0 is complete"):
            await cluster.job("migrate-0-2-0", NEW)
        with self.step(f"{NEW}: workers are ready beside the old ones, Job current-0-2-0 is complete"):
            new_workers = await cluster.start_worker(NEW)
            await cluster.job("current-0-2-0", NEW)
        with self.step(f"{NEW}: the API is ready in place of the old one"):
            await cluster.start_api(NEW)
        with self.step(f"{OLD}: workers are drained"):
            await old_workers.stop()
        with self.step(f"{NEW}: ReTHUS is up, and the registration that waited goes on on {NEW}"):
            await cluster.rethus("up")
            await cluster.reaches(radicado, "awaiting_password")
            assert await cluster.build_of(radicado) == NEW
            await cluster.logs_in(between)
        await self._somebody_registers("70000003", on=NEW)
        return new_workers

    async def _way_back(self, new_workers: Supervisor) -> None:
        cluster = self.cluster
        with self.step(f"{OLD}: workers are ready again, Job current-0-1-0 is complete again"):
            old_workers = await cluster.start_worker(OLD)
            await cluster.job("current-0-1-0", OLD)
        with self.step(f"{OLD}: the API is ready in place of the new one"):
            await cluster.start_api(OLD)
        with self.step(f"{NEW}: workers are drained"):
            await new_workers.stop()
        await self._somebody_registers("70000004", on=OLD)
        await old_workers.stop()

    async def _somebody_registers(self, number: str, *, on: str) -> None:
        """Submit, create a password and log in; a worker of one build does the work."""
        citizen = Citizen(number=number)
        with self.step(f"{on}: CC{number} registers on {on}, creates a password and logs in"):
            radicado = await self.cluster.registers(citizen)
            assert await self.cluster.build_of(radicado) == on
            await self.cluster.logs_in(citizen)


@asynccontextmanager
async def own_cluster() -> AsyncIterator[Cluster]:
    """A cluster for the command alone."""
    with tempfile.TemporaryDirectory(prefix="registro-mipres-upgrade-") as name:
        directory = Path(name)
        generated = _prepared(directory)
        async with (
            bare_temporal_server(directory) as temporal,
            created_databases(directory / "postgres", generated) as databases,
            open_cluster(
                temporal=temporal,
                databases=databases,
                image_tree=build_tree(directory / "image"),
                generated=generated,
                directory=directory,
            ) as cluster,
        ):
            yield cluster


def _prepared(directory: Path) -> dict[str, str]:
    """Let PostgreSQL's account in, which is not root; the secrets."""
    directory.chmod(0o711)
    assert make_env(directory / ".env").returncode == 0
    return read_env(directory / ".env")


async def main() -> None:
    async with own_cluster() as cluster:
        await Upgrade(cluster=cluster, say=partial(print, flush=True)).play()


if __name__ == "__main__":
    take_none("python -m tests.deployment.upgrade", __doc__)
    try:
        asyncio.run(main())
    except AssertionError as failure:
        sys.exit(f"The step failed: {failure}")
