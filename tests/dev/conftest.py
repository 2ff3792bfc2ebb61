import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.dev.programs import ROOT, Program, Start


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    started: list[Process] = []

    async def start_program(*arguments: str, **environment: str) -> Program:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *arguments, cwd=ROOT, env={**os.environ, **environment}, stdout=PIPE
        )
        started.append(process)
        assert process.stdout
        return Program(process=process, line=(await process.stdout.readline()).decode().strip())

    yield start_program
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=5) as client:
        yield client
