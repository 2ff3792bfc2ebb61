"""A PostgreSQL that stands still as a whole: it neither answers nor refuses."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from tests.product.conftest import Product

QUICK_SECONDS = 5.0


@contextmanager
def frozen(server: int) -> Iterator[None]:
    """Stop a server and its processes, and let them go on after the block."""
    processes = [server, *(child.pid for child in psutil.Process(server).children())]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


async def test_health_answers_quickly_while_the_whole_database_stands_still(product: Product) -> None:
    with frozen(product.stack.supervisor.process_ids()["postgres"]):
        for path, status in (("/health/ready", 200), ("/health/dependencies", 503), ("/metrics", 200)):
            began = time.monotonic()
            answer = await product.api.get(path)
            assert answer.status_code == status, (path, answer.text)
            assert time.monotonic() - began < QUICK_SECONDS, path

    async def is_back() -> bool:
        return (await product.api.get("/health/dependencies")).status_code == 200

    await product.eventually(is_back)
