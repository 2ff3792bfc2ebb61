"""One whole product for all tests of this folder.

Real servers, driven from outside.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from dev.citizen import MEDICINE, PASSWORD, Citizen, create_password, csrf_of, link_in, next_number
from dev.private_stack import PrivateStack, private_stack
from mipres.captcha.challenges import CaptchaChallenges
from mipres.clock import SystemClock
from mipres.keys import derive_key
from tests.patience import PATIENCE_SECONDS
from tests.product.collector import Collector, collecting
from tests.product.second_processes import Alternating, second_api, second_worker

__all__ = ["PASSWORD", "csrf_of"]
API_KEY = "desarrollo"
# A server ends a connection that rested for five seconds, and a request may meet that end.
BRIEFLY_KEPT = httpx2.Limits(keepalive_expiry=1.0)


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """One answer of `/metrics`."""

    text: str

    def names(self) -> set[str]:
        return {sample.name for sample in self._samples()}

    def total(self, name: str, **labels: str) -> float:
        """Sum of the samples of that name that carry these labels among theirs."""
        return sum(
            sample.value
            for sample in self._samples()
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def _samples(self) -> Iterator[Sample]:
        for family in text_string_to_metric_families(self.text):
            yield from family.samples


@dataclass(kw_only=True)
class Product:
    """The running product and its neighbours, as their users see them."""

    stack: PrivateStack
    api: httpx2.AsyncClient
    mail: httpx2.AsyncClient
    registries: httpx2.AsyncClient
    worker: httpx2.AsyncClient
    traces: Collector
    api_ports: tuple[int, ...]
    headers: dict[str, str] = field(default_factory=lambda: {"Authorization": f"Bearer {API_KEY}"})

    @property
    def url(self) -> str:
        return self.stack.url("API_PORT")

    @property
    def public_url(self) -> str:
        """The address that mails and answers name."""
        return self.stack.stack.settings.public_url

    def browser(self) -> httpx2.AsyncClient:
        """A visitor with cookies of their own."""
        return self.client()

    def client(self) -> httpx2.AsyncClient:
        """A client of the API processes, of each in turn."""
        return httpx2.AsyncClient(
            base_url=self.url,
            transport=Alternating(self.api_ports) if len(self.api_ports) > 1 else None,
            trust_env=False,
            follow_redirects=True,
            timeout=30,
            limits=BRIEFLY_KEPT,
        )

    async def new_person(self, **facts: Any) -> dict[str, Any]:
        """Add a person whom nobody has used yet to the registries.

        `facts` go beside the defaults.
        """
        known = Citizen(number=next_number()).record()
        person = known | {"given_names": "Pepa", "surnames": "Canaria Única", "rethus": None} | facts
        answer = await self.registries.post("/_control/people", json=[person])
        assert answer.is_success, answer.text
        return person

    async def new_professional(self, **facts: Any) -> dict[str, Any]:
        return await self.new_person(**({"rethus": {"professions": [MEDICINE], "sanctions": []}} | facts))

    async def set_registry(self, name: str, **behaviour: Any) -> None:
        answer = await self.registries.put(f"/_control/{name}", json=behaviour)
        assert answer.is_success, answer.text

    async def register(self, **body: Any) -> httpx2.Response:
        """POST /api/v1/registrations."""
        whole = {"data_terms_accepted": True} | body
        return await self.api.post("/api/v1/registrations", json=whole, headers=self.headers)

    async def register_professional(self, person: dict[str, Any]) -> httpx2.Response:
        return await self.register(
            user_type="professional", document=person["document"], professional_registration="76-1234"
        )

    async def view(self, radicado: str) -> dict[str, Any]:
        answer = await self.api.get(f"/api/v1/registrations/{radicado}", headers=self.headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def reaches(self, radicado: str, stage: str) -> dict[str, Any]:
        found: dict[str, Any] = {}

        async def arrived() -> bool:
            nonlocal found
            found = await self.view(radicado)
            return bool(found["stage"] == stage)

        await self.eventually(arrived)
        return found

    async def mails_to(self, address: str) -> list[dict[str, Any]]:
        """Everything that an address got, oldest first."""
        listed = (await self.mail.get("/api/v1/messages")).json()["messages"]
        ids = [item["ID"] for item in reversed(listed) if item["To"][0]["Address"] == address]
        return [(await self.mail.get(f"/api/v1/message/{identifier}")).json() for identifier in ids]

    async def link_for(self, person: dict[str, Any], *, count: int = 1) -> str:
        """Path of the newest link mailed to a person, once there are `count` of them."""
        links: list[str] = []

        async def mailed() -> bool:
            texts = [mail["Text"] for mail in await self.mails_to(person["email"])]
            links[:] = [link for text in texts if (link := link_in(text))]
            return len(links) >= count

        await self.eventually(mailed)
        return links[-1]

    async def complete(self, person: dict[str, Any], *, password: str = PASSWORD) -> str:
        """Register a professional through the API and set the password; the radicado."""
        answer = await self.register_professional(person)
        assert answer.status_code == 201, answer.text
        async with self.browser() as visitor:
            done = await create_password(visitor, await self.link_for(person), password)
            assert done.status_code == 200, done.text
        radicado: str = answer.json()["radicado"]
        await self.reaches(radicado, "completed")
        return radicado

    def captcha_code(self, page: str) -> str:
        """The answer to a page's captcha, which only the holder of the secret knows."""
        found = re.search(r'name="captcha_id" value="([^"]+)"', page)
        assert found, "the page shows no captcha"
        return self.code_of(found.group(1))

    def code_of(self, challenge: str) -> str:
        key = derive_key(self.stack.secret("SECRET_KEY"), "captcha")
        # Only `code_of` is used, which needs no database.
        challenges = CaptchaChallenges(None, key=key, clock=SystemClock())  # type: ignore[arg-type]
        code = challenges.code_of(challenge)
        assert code is not None
        return code

    async def metrics(self, process: str) -> Metrics:
        """What `/metrics` of the `api` or of the `worker` tells now, by name and labels."""
        answer = await (self.api if process == "api" else self.worker).get("/metrics")
        assert answer.status_code == 200, answer.text
        return Metrics(text=answer.text)

    async def eventually(self, holds: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await holds():
                await asyncio.sleep(0.03)


@asynccontextmanager
async def api_processes(stack: PrivateStack) -> AsyncIterator[tuple[int, ...]]:
    """Ports of the API processes.

    One, or with DOUBLED=1 two, and then two workers behind them.
    """
    async with AsyncExitStack() as others:
        ports = [stack.ports["API_PORT"]]
        if os.environ.get("DOUBLED"):
            api = await others.enter_async_context(second_api(stack.data_dir))
            ports.append(int(api.url.rpartition(":")[2]))
            await others.enter_async_context(second_worker(stack.data_dir))
        yield tuple(ports)


@asynccontextmanager
async def running_product(*, submit_wait_seconds: float = 8) -> AsyncIterator[Product]:
    """A product of its own, with its neighbours."""
    async with AsyncExitStack() as open_things:
        collector = open_things.enter_context(collecting())
        stack = await open_things.enter_async_context(
            private_stack(otlp_endpoint=collector.url, submit_wait_seconds=submit_wait_seconds)
        )
        api_ports = await open_things.enter_async_context(api_processes(stack))

        async def client(port: str) -> httpx2.AsyncClient:
            opened = httpx2.AsyncClient(
                base_url=stack.url(port), trust_env=False, timeout=30, limits=BRIEFLY_KEPT
            )
            return await open_things.enter_async_context(opened)

        found = Product(
            stack=stack,
            api=await client("API_PORT"),
            mail=await client("MAIL_UI_PORT"),
            registries=await client("REGISTRY_PORT"),
            worker=await client("METRICS_PORT"),
            traces=collector,
            api_ports=api_ports,
        )
        if len(api_ports) > 1:
            found.api = await open_things.enter_async_context(found.client())
        yield found


@pytest.fixture(scope="session")
async def product() -> AsyncIterator[Product]:
    async with running_product() as found:
        yield found
