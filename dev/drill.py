"""`make drill`: back up, lose everything, restore, and go on.

Two products, one after the other, on this machine. The first is backed up as docs/deployment.md says and
deleted. The second starts from the copies and the keys alone. What was noted outside decides whether it is
the first one again.
"""

import asyncio
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dev.chaos.product import Product, open_product
from dev.chaos.registrant import Registrant, newcomers
from dev.citizen import create_password, log_in
from dev.data_directory import DataDirectory
from dev.postgres import DATABASE, start_postgres
from dev.postgres_binaries import find_postgres_bin
from dev.probes import free_port
from dev.process import ROOT, SILENT, supervisor_of
from dev.temporal_backup import copy_database
from mipres.arguments import take_none

BACKUP = ROOT / "deploy" / "backup"
_HEAD = re.compile(r"Cabeza: (\S+)")
_INSIDE = "/inicio/mipres"


class DrillError(Exception):
    """A step of the drill failed; the text is the line to show."""


@dataclass(kw_only=True)
class Drill:
    """What is kept between the two products, and what the steps took.

    Attributes:
        copies: The directory of the backup.
        keys: The secrets, kept apart from it.
        head: The trail's head, noted outside before the backup.
        link: The open link in the mailbox of somebody who waits.
    """

    copies: Path
    keys: Path
    head: str = ""
    link: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Take the time of a step, and print it."""
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began
        print(f"{name:<58} {self.seconds[name]:6.1f} s", flush=True)

    async def lose(self) -> list[Registrant]:
        """Live, note the head, back up, go on, and lose everything; the people."""
        async with open_product() as product:
            user, waiting, late = people = await newcomers(product, 3)
            await user.finish()
            await waiting.submit()
            self.link = await waiting.wait_for_link()
            self.head = await _trail_head(product)
            with self.step("backup: Temporal, then the product's database"):
                await self._back_up(product)
            await late.finish()
        return people

    async def _back_up(self, product: Product) -> None:
        data = product.stack.data_dir
        copy_database(data / "temporal.db", self.copies / "temporal.db")
        await _run_script("backup.sh", product.stack.database_url, self.copies)
        shutil.copy(data / "secrets.env", self.keys)

    async def come_back(self, people: list[Registrant]) -> None:
        """Start from the copies, and see that everything is there."""
        began = time.monotonic()
        async with open_product(prepare=self._restore) as product:
            self.seconds["start"] = time.monotonic() - began - self.seconds["restore"]
            user, waiting, late = (Registrant(product=product, citizen=person.citizen) for person in people)
            print(f"{'start of all parts':<58} {self.seconds['start']:6.1f} s", flush=True)
            with self.step("login of somebody with a password"):
                await _enters(user)
            print(f"{'→ from nothing to the login (RTO of the drill)':<58} {time.monotonic() - began:6.1f} s")
            with self.step(f"audit --verify --head {self.head[:12]}…"):
                await _trail_head(product, head=self.head)
            with self.step("the open link of somebody who waited, to the end"):
                waiting.radicado = people[1].radicado
                await _uses(waiting, self.link)
            with self.step("somebody who came after the backup registers again"):
                await product.tell_registries([late.citizen.record()])
                await late.finish()

    async def _restore(self, data: DataDirectory) -> None:
        began = time.monotonic()
        shutil.copy(self.keys / "secrets.env", data.secrets_file)
        shutil.copy(self.copies / "temporal.db", data.path / "temporal.db")
        password = data.secrets()["MIPRES_POSTGRES_PASSWORD"]
        async with supervisor_of(SILENT) as supervisor:
            url = await start_postgres(supervisor, data.cluster, port=free_port(), password=password)
            await _run_script("restore.sh", url, self.copies)
        self.seconds["restore"] = time.monotonic() - began
        print(f"{'restore into an empty server':<58} {self.seconds['restore']:6.1f} s", flush=True)


async def _enters(person: Registrant) -> None:
    async with person.browser() as browser:
        page = await log_in(browser, person.citizen.login)
    if page.url.path != _INSIDE:
        raise DrillError(f"{person.citizen.login} could not log in: {page.status_code}")


async def _uses(person: Registrant, link: str) -> None:
    async with person.browser() as browser:
        answer = await create_password(browser, link)
    if not answer.is_success:
        raise DrillError(f"the link of {person.radicado} does not work any more: {answer.status_code}")
    await person.be_completed()


async def _trail_head(product: Product, *, head: str | None = None) -> str:
    """Verify the trail, against a head if there is one; its head now."""
    noted = () if head is None else ("--head", head)
    command = (sys.executable, "-m", "mipres.cli", "audit", "--verify", *noted)
    said = await _run(command, product.stack.environment({}))
    found = _HEAD.search(said)
    if found is None:
        raise DrillError(said)
    return found[1]


async def _run_script(script: str, url: str, directory: Path) -> None:
    """Run a script of deploy/backup for the product's database."""
    server = urlsplit(url)
    address = {
        "PATH": f"{find_postgres_bin()}:{os.environ['PATH']}",
        "PGHOST": str(server.hostname),
        "PGPORT": str(server.port),
        "PGUSER": str(server.username),
        "PGPASSWORD": unquote(str(server.password)),
    }
    await _run(("sh", str(BACKUP / script), str(directory), DATABASE), {**os.environ, **address})


async def _run(command: tuple[str, ...], environment: Mapping[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    if process.returncode:
        raise DrillError(said)
    return said


async def _drill() -> None:
    with tempfile.TemporaryDirectory(prefix="registro-mipres-drill-") as directory:
        drill = Drill(copies=_made(directory, "copies"), keys=_made(directory, "keys"))
        await drill.come_back(await drill.lose())


def _made(directory: str, name: str) -> Path:
    made = Path(directory, name)
    made.mkdir()
    return made


def main() -> int:
    """Play the drill; the exit code is 0 when the second product is the first one again."""
    take_none("python -m dev.drill", __doc__)
    try:
        asyncio.run(_drill())
    except DrillError as error:
        print(error, file=sys.stderr)
        return 1
    print("Restored: login, trail, open links. What came after the backup is lost and registers again.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
