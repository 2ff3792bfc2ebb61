"""A second API and worker beside the first, and one of each stops."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from temporalio.api.enums.v1 import EventType

from dev.citizen import hidden_of
from tests.product.conftest import PASSWORD, Product
from tests.product.second_processes import Second, second_api, second_worker
from tests.product.storage import runs_of, with_the_keys
from tests.product.visits import log_in, professional_form, set_password, solved

LOST_WORK = {EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT, EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED}


@pytest.fixture(scope="module")
async def other(product: Product) -> AsyncIterator[Second]:
    """A second API, and a second worker behind both."""
    async with second_api(product.stack.data_dir) as api, second_worker(product.stack.data_dir) as worker:
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
        sent = {**hidden_of(opened), "contrasena": PASSWORD, "confirmacion": PASSWORD}
        assert (await visitor.post("/contrasena", data=sent)).status_code == 200
        await product.reaches(radicado, "completed")
        inside = await log_in(visitor, person)
        assert inside.url.path == "/inicio/mipres"
        assert (await visitor.get(f"{other.url}/inicio/mipres")).url.path == "/inicio/mipres"


async def test_two_of_each_make_one_registration_of_many_submissions(product: Product, other: Second) -> None:
    person = await product.new_professional()
    body = body_of(person)
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
        async with second_api(product.stack.data_dir) as other, other.browser() as visitor:
            page = await visitor.get("/registro/profesional")
            form = {**solved(product, page), "acepta_datos": "SI", **professional_form(person)}
            # The answer has an address of its own, which the next API serves.
            submitting = asyncio.create_task(
                visitor.post("/registro/profesional", data=form, follow_redirects=False)
            )

            async def is_on_its_way() -> bool:
                calls: dict[str, Any] = (await product.registries.get("/_control/calls")).json()
                return f"CC {person['document']['number']}" in calls["rethus"]

            await product.eventually(is_on_its_way)
            await other.stop()
            answer = await submitting
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/registro/resultado/")
            with pytest.raises(httpx2.ConnectError):
                await visitor.get("/")
    finally:
        await product.set_registry("rethus", mode="up")


async def test_a_worker_that_is_told_to_stop_leaves_nothing_undone(product: Product) -> None:
    """Mails are held up in the middle of being sent, on both workers.

    Then one gets the signal to stop.
    """
    people = [await product.new_professional() for _ in range(6)]
    async with second_worker(product.stack.data_dir) as other:
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


async def test_one_of_two_of_each_is_killed_and_nobody_is_lost_or_written_to_twice(product: Product) -> None:
    """The other API and the other worker finish what the killed ones have begun."""
    people = [await product.new_professional() for _ in range(6)]
    await product.set_registry("rethus", mode="slow", latency_ms=1500)
    async with second_api(product.stack.data_dir) as api, second_worker(product.stack.data_dir) as worker:
        urls = [product.url, api.url] * 3
        submitting = [
            asyncio.create_task(
                product.api.post(f"{url}/api/v1/registrations", json=body_of(person), headers=product.headers)
            )
            for url, person in zip(urls, people, strict=True)
        ]

        async def all_are_checked() -> bool:
            calls: dict[str, Any] = (await product.registries.get("/_control/calls")).json()
            return all(f"CC {person['document']['number']}" in calls["rethus"] for person in people)

        try:
            await product.eventually(all_are_checked)
            await asyncio.gather(api.kill(), worker.kill())
        finally:
            await product.set_registry("rethus", mode="up")
        answers = await asyncio.gather(*submitting, return_exceptions=True)
    assert [isinstance(answer, httpx2.HTTPError) for answer in answers] == [False, True] * 3
    # A person without an answer sends the same once more.
    told = [(await product.register(**body_of(person))).json() for person in people]
    for person, answer in zip(people, told, strict=True):
        async with product.browser() as visitor:
            assert (await set_password(visitor, await product.link_for(person))).status_code == 200
        await product.reaches(answer["radicado"], "completed")
        assert len(await runs_of(product, f"registration/{answer['radicado']}")) == 1
        # The link and the confirmation, each once.
        assert len(await product.mails_to(person["email"])) == 2


def body_of(person: dict[str, Any]) -> dict[str, Any]:
    return {
        "user_type": "professional",
        "document": person["document"],
        "professional_registration": "76-1234",
        "data_terms_accepted": True,
    }
