"""`make drill`, really played: two products, one after the other."""

import asyncio
import os
import re
import sys

from tests.dev.programs import ROOT

MOST_SECONDS = 180


async def test_what_was_lost_comes_back_from_the_copies() -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("MIPRES_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dev.drill"),
        cwd=ROOT,
        env=own,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(MOST_SECONDS):
            output = (await process.communicate())[0].decode()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    assert process.returncode == 0, output
    steps = [line for line in output.splitlines() if re.search(r" \d+\.\d s$", line)]
    assert len(steps) == 8, output
    assert re.search(r"^audit --verify --head \d+:", output, re.MULTILINE), output
