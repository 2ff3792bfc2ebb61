"""A Temporal server as a new cluster is.

The namespace `default`, and no attribute of the product.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from dev.probes import LOOPBACK, free_port
from dev.temporal_server import find_temporal


@asynccontextmanager
async def bare_temporal_server(directory: Path) -> AsyncIterator[str]:
    """Run the server for a block of code, which may begin before the server answers.

    Its address.
    """
    port = free_port()
    with (directory / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(str(find_temporal()), "server", "start-dev", "--headless", "--ip", LOOPBACK),
            *("--port", str(port), "--log-level", "error"),
            stdout=log,
            stderr=log,
        )
        try:
            yield f"{LOOPBACK}:{port}"
        finally:
            process.terminate()
            await process.wait()
