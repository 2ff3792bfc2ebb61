"""A second API and a second worker beside the first, and what happens to people when one of them is told to stop."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from temporalio.api.enums.v1 import EventType

from dev.probes import free_port, http_ok
from tests.product.conftest import PASSWORD, Product, csrf_of
from tests.product.storage import runs_of, with_the_keys
from tests.product.visits import log_in, professional_form, set_password, solved

ROOT = Path(__file__).parents[2]
# A start and a stop take a few seconds; a machine that does other work besides may take its time.
STOP_SECONDS = 60
LOST_WORK = {EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT, EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED}


@dataclass(kw_only=True)
class Second:
    """Another process of the product beside those of the stack."""

    process: Process
    url: str = ""

    def browser(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.url, trust_env=False, follow_redirects=True, timeout=30)

    async def stop(self) -> int:
        """Ask it to stop, and its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_SECONDS):
            return await self.process.wait()


@asynccontextmanager
async def started(product: Product, *command: str) -> AsyncIterator[Process]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("MIPRES_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *command),
        cwd=ROOT,
        env={
            **own,
            "MIPRES_DATA_DIR": str(product.stack.data_dir),
            # On one machine each process needs a port of its own; the rest they have in common.
            "MIPRES_METRICS_PORT": str(free_port()),
        },
        stdin=DEVNULL,
        stdout=PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def second_api(product: Product) -> AsyncIterator[Second]:
    port = free_port()
    command = ("-m", "uvicorn", "api.main:app", "--host", "127.0.0.1", "--port", str(port))
    options = ("--no-access-log", "--log-level", "warning", "--timeout-graceful-shutdown", "10")
    async with started(product, *command, *options) as process:
        await product.eventually(http_ok(port, "/health/ready"))
        yield Second(process=process, url=f"http://127.0.0.1:{port}")


@asynccontextmanager
async def second_worker(product: Product) -> AsyncIterator[Second]:
    async with started(product, "worker.py") as process:
        assert process.stdout is not None
        async with asyncio.timeout(STOP_SECONDS):
            while b"worker listo" not in await process.stdout.readline():
                assert not process.stdout.at_eof()
        yield Second(process=process)


@pytest.fixture(scope="module")
async def other(product: Product) -> AsyncIterator[Second]:
    """A second API, and a second worker behind both."""
    async with second_api(product) as api, second_worker(product) as worker:
        yield api
        await worker.stop()


async def test_a_person_may_meet_another_process_at_every_click(product: Product, other: Second) -> None:
    person = await product.new_professional()
    async with product.browser() as visitor:
        page = await visitor.get("/registro/profesional")
        form = {**solved(product, page), "acepta_datos": "SI", **professional_form(person)}
        answer = await visitor.post(f"{other.url}/registro/profesional", data=form)
        assert "REGISTRO SATISFACTORIO" in answer.text
        radicado = re.findall(r"RM-[0-9A-Z]{12}", answer.text)[0]
        assert (await visitor.get(f"/registro/estado/{radicado}")).status_code == 200
        link = await product.link_for(person)
        opened = await visitor.get(f"{other.url}{link}")
        sent = {"csrf_token": csrf_of(opened), "contrasena": PASSWORD, "confirmacion": PASSWORD}
        assert (await visitor.post("/contrasena", data=sent)).status_code == 200
        await product.reaches(radicado, "completed")
        inside = await log_in(visitor, person)
        assert inside.url.path == "/inicio/mipres"
        assert (await visitor.get(f"{other.url}/inicio/mipres")).url.path == "/inicio/mipres"


async def test_two_of_each_make_one_registration_of_many_submissions(product: Product, other: Second) -> None:
    person = await product.new_professional()
    body = {
        "user_type": "professional",
        "document": person["document"],
        "professional_registration": "76-1234",
        "data_terms_accepted": True,
    }
    urls = [product.url, other.url] * 20
    answers = await asyncio.gather(
        *(product.api.post(f"{url}/api/v1/registrations", json=body, headers=product.headers) for url in urls)
    )
    assert {answer.status_code for answer in answers} <= {201, 202}
    [radicado] = {answer.json()["radicado"] for answer in answers}
    await product.link_for(person)
    assert len(await product.mails_to(person["email"])) == 1
    assert len(await runs_of(product, f"registration/{radicado}")) == 1


async def test_an_api_that_is_told_to_stop_answers_first(product: Product) -> None:
    person = await product.new_professional()
    await product.set_registry("rethus", mode="slow", latency_ms=1500)
    try:
        async with second_api(product) as other, other.browser() as visitor:
            page = await visitor.get("/registro/profesional")
            form = {**solved(product, page), "acepta_datos": "SI", **professional_form(person)}
            submitting = asyncio.create_task(visitor.post("/registro/profesional", data=form))

            async def is_on_its_way() -> bool:
                calls: dict[str, Any] = (await product.registries.get("/_control/calls")).json()
                return f"CC {person['document']['number']}" in calls["rethus"]

            await product.eventually(is_on_its_way)
            await other.stop()
            answer = await submitting
            assert (answer.status_code, "REGISTRO SATISFACTORIO" in answer.text) == (200, True)
            with pytest.raises(httpx2.ConnectError):
                await visitor.get("/")
    finally:
        await product.set_registry("rethus", mode="up")


async def test_a_worker_that_is_told_to_stop_leaves_nothing_undone(product: Product) -> None:
    """Mails are held up in the middle of being sent, on both workers; then one is told to stop."""
    people = [await product.new_professional() for _ in range(6)]
    async with second_worker(product) as other:
        await product.mail.put("/_control", json={"mode": "slow"})
        try:
            answers = await asyncio.gather(*(product.register_professional(person) for person in people))
            assert {answer.status_code for answer in answers} == {201}
            for person in people:
                await product.link_for(person)
            stopping = asyncio.create_task(other.stop())
            await asyncio.sleep(0)
        finally:
            await product.mail.put("/_control", json={"mode": "up"})
        assert await stopping == 0
    client = await with_the_keys(product)
    for person, answer in zip(people, answers, strict=True):
        radicado = answer.json()["radicado"]
        async with product.browser() as visitor:
            assert (await set_password(visitor, await product.link_for(person))).status_code == 200
        await product.reaches(radicado, "completed")
        history = await client.get_workflow_handle(f"registration/{radicado}").fetch_history()
        assert LOST_WORK.isdisjoint(event.event_type for event in history.events)
        assert len(await product.mails_to(person["email"])) == 2
