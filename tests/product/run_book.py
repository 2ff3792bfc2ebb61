"""The run book's section of an alert, and its commands against a product."""

import asyncio
import re
import shlex
import sys
from functools import cache
from pathlib import Path

from typer.testing import CliRunner

from dev.temporal_server import find_temporal
from mipres.cli.app import app
from tests.patience import PATIENCE_SECONDS
from tests.product.conftest import Product

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
OURS = "python -m mipres.cli "


@cache
def section(alert: str) -> str:
    text = PAGE.read_text(encoding="utf-8")
    return text.partition(f"\n### {alert}\n")[2].partition("\n### ")[0]


def query(alert: str) -> str:
    """The search that the section of an alert names."""
    [found] = re.findall(r"`(WorkflowType=[^`]+)`", section(alert))
    return str(found)


async def play(product: Product, alert: str, line: str, **settings: str) -> str:
    """Run a command that the section of an alert names; what it says."""
    assert f"`{line}`" in section(alert), f"the section of {alert} does not name {line}"
    return await run(product, line, **settings)


async def run(product: Product, line: str, **settings: str) -> str:
    """Run a command as it is typed; what it says."""
    if line.startswith(OURS):
        done = await asyncio.to_thread(CliRunner().invoke, app, shlex.split(line.removeprefix(OURS)))
        assert done.exit_code == 0, (line, done.output)
        return done.output
    name, *words = shlex.split(line)
    address = f"127.0.0.1:{product.stack.ports['TEMPORAL_PORT']}"
    process = await asyncio.create_subprocess_exec(
        *(find_temporal() if name == "temporal" else sys.executable, *words),
        env=product.stack.environment({"TEMPORAL_ADDRESS": address, **settings}),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        out, _ = await process.communicate()
    assert process.returncode == 0, (line, out.decode())
    return out.decode()
