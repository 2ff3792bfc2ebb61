"""The run book's commands, one after another, as they stand in docs/operations.md."""

import asyncio
import os
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dev.temporal_server import find_temporal
from mipres.cli.app import app
from mipres.cli.running import NOT_POSSIBLE
from tests.patience import PATIENCE_SECONDS
from tests.product.conftest import Product
from workflows import steps
from workflows.saved_views import saved_views

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
CLI = "python -m mipres.cli "
# What the command line answers when it understood and the registration is not where the wish makes sense.
UNDERSTOOD = {0, NOT_POSSIBLE}


def commands() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


def of_temporal() -> list[str]:
    return [line for line in commands() if line.startswith("temporal ")]


def of_ours() -> list[str]:
    return [line for line in commands() if line.startswith(CLI)]


async def temporal(product: Product, line: str, radicado: str) -> None:
    """Run a command of Temporal's own program against the product's server."""
    _, *words = shlex.split(line.replace("RADICADO", radicado))
    address = f"127.0.0.1:{product.stack.ports['TEMPORAL_PORT']}"
    process = await asyncio.create_subprocess_exec(
        *(str(find_temporal()), *words),
        env={**os.environ, "TEMPORAL_ADDRESS": address},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(), timeout=PATIENCE_SECONDS)
    except TimeoutError:
        process.kill()
        pytest.fail(f"never ends: {line}")
    assert process.returncode == 0, (line, out.decode())


async def ours(line: str, radicado: str) -> Result:
    """Run a command, with retries spread over one second instead of minutes."""
    words = shlex.split(re.sub(r"--jitter \w+", "--jitter 1s", line).replace("RADICADO", radicado))
    return await asyncio.to_thread(CliRunner().invoke, app, words[len(shlex.split(CLI)) :])


@pytest.fixture
def beside_the_product(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MIPRES_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MIPRES_DATA_DIR", str(product.stack.data_dir))


@pytest.fixture
async def waiting(product: Product) -> str:
    """Radicado of a registration that waits for ReTHUS."""
    await product.set_registry("rethus", mode="down")
    answer = await product.register_professional(await product.new_professional())
    assert answer.status_code == 202, answer.text
    radicado: str = answer.json()["radicado"]
    await product.reaches(radicado, "waiting_registry")
    return radicado


@pytest.mark.usefixtures("beside_the_product")
async def test_every_command_of_the_run_book_works(product: Product, waiting: str) -> None:
    try:
        for line in of_temporal():
            await temporal(product, line, waiting)
        # What ends the registration comes last.
        for line in sorted(of_ours(), key=lambda line: " cancel " in line):
            answer = await ours(line, waiting)
            assert answer.exit_code in UNDERSTOOD, (line, answer.output)
            assert answer.exception is None or isinstance(answer.exception, SystemExit), line
        await product.reaches(waiting, "cancelled")
    finally:
        await product.set_registry("rethus", mode="up")


def test_the_page_names_no_other_kind_of_command() -> None:
    other = [line for line in commands() if line not in {*of_temporal(), *of_ours()}]
    assert other == ["docker compose --profile monitoring up --detach"]
    assert len(of_temporal()) > 15
    assert len(of_ours()) > 12


def test_the_page_shows_every_saved_view() -> None:
    rows = dict(re.findall(r"^\| ([^|`]+) \| `([^`]+)` \|$", PAGE, re.MULTILINE))
    day = re.compile(r'"\d{4}-\d\d-\d\dT05:00:00Z"')
    views = {one.title: day.sub("…", one.query) for one in saved_views(datetime.now(UTC))}
    assert {title: day.sub("…", query) for title, query in rows.items() if title in views} == views


def test_the_activity_ids_of_the_page_are_those_of_the_steps() -> None:
    named = [step.id for step in vars(steps).values() if isinstance(step, steps.Step)]
    listed = re.search(r"^Activity ids: (.*?)\.$", PAGE, re.MULTILINE | re.DOTALL)
    assert listed
    assert set(re.findall(r"`([\w-]+)`", listed[1])) <= set(named)
