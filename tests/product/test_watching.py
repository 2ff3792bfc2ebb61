"""Waiting for a registry by choice, as a person and as a program ask for it."""

from typing import Any

import httpx2
import pytest

from tests.product.conftest import Product, csrf_of
from tests.product.visits import professional_form, submit_form

OFFER = "Avísenme y terminen mi registro cuando aparezca"


async def refused(
    product: Product, visitor: httpx2.AsyncClient, person: dict[str, Any]
) -> tuple[str, httpx2.Response]:
    page = await submit_form(product, visitor, "profesional", professional_form(person))
    radicado = page.text.partition("/registro/estado/")[2].partition("/")[0]
    return radicado, page


async def press(
    visitor: httpx2.AsyncClient, radicado: str, page: httpx2.Response, action: str
) -> httpx2.Response:
    address = f"/registro/estado/{radicado}/{action}"
    return await visitor.post(address, data={"csrf_token": csrf_of(page)})


async def test_one_button_waits_and_another_ends_it(product: Product) -> None:
    person = await product.new_person()
    async with product.browser() as visitor:
        radicado, page = await refused(product, visitor, person)
        assert OFFER in page.text
        status = await press(visitor, radicado, page, "esperar")
        assert status.url.path == f"/registro/estado/{radicado}"
        await product.reaches(radicado, "watching")
        status = await visitor.get(status.url.path)
        assert "ReTHUS todavía no lo incluye" in status.text
        assert (await press(visitor, radicado, status, "esperar")).status_code == 200
        ended = await press(visitor, radicado, status, "no-esperar")
        assert "Profesional no encontrado en RETHUS" in ended.text
        assert OFFER in ended.text
    assert (await product.view(radicado))["stage"] == "refused"


async def test_only_the_browser_that_sent_the_form_may_ask_to_wait(product: Product) -> None:
    person = await product.new_person()
    async with product.browser() as visitor, product.browser() as stranger:
        radicado, _ = await refused(product, visitor, person)
        page = await stranger.get(f"/registro/estado/{radicado}")
        assert OFFER not in page.text
        form = await stranger.get("/registro/estado")
        form = form if "csrf_token" in form.text else await stranger.get("/registro/otro")
        answer = await press(stranger, radicado, form, "esperar")
        assert "Solo el navegador que envió el formulario puede pedir que esperemos" in answer.text
    assert (await product.view(radicado))["stage"] == "refused"


async def test_a_program_waits_with_the_registration_itself(product: Product) -> None:
    person = await product.new_person()
    body = {
        "user_type": "professional",
        "document": person["document"],
        "professional_registration": "76-1234",
        "wait_for_registry": True,
    }
    answer = await product.register(**body)
    assert (answer.status_code, answer.json()["status"]) == (202, "in_progress")
    found = await product.reaches(answer.json()["radicado"], "watching")
    assert (found["waiting_on"], found["outcome"]) == ([], None)
    await product.registries.post(
        "/_control/people",
        json=[
            person
            | {
                "rethus": {
                    "professions": [{"code": "01", "name": "MEDICINA", "registration": "76-1234"}],
                    "sanctions": [],
                }
            }
        ],
    )
    # Registering again asks the registry at once, but not in the minutes after the last time.
    assert (await product.register(**body)).status_code == 202


@pytest.mark.parametrize("value", ["true", 1, None])
async def test_only_a_truth_value_asks_to_wait(product: Product, value: object) -> None:
    person = await product.new_person()
    answer = await product.register(user_type="other", document=person["document"], wait_for_registry=value)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")


async def test_what_waiting_cannot_change_offers_no_button(product: Product) -> None:
    person = await product.new_professional(
        rethus={"professions": [{"code": "01", "name": "MEDICINA", "registration": "99-1"}], "sanctions": []}
    )
    async with product.browser() as visitor:
        _, page = await refused(product, visitor, person)
        assert "Profesional no encontrado en RETHUS" in page.text
        assert OFFER not in page.text
