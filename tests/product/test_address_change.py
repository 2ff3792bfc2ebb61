"""An address that the registry changed: who hears of it, and who can stop it."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from tests.product.conftest import Product, csrf_of
from tests.product.storage import rows
from tests.product.visits import ask_recovery

OLD_LINK = re.compile(r"/no-fui-yo/([\w-]+)")


@pytest.fixture
async def moved(product: Product) -> tuple[dict[str, Any], str]:
    """A person whose address changed, and who registered again; the mailed token."""
    person = await product.new_professional()
    await product.complete(person)
    new = f"nuevo.{person['email']}"
    answer = await product.registries.post("/_control/people", json=[person | {"email": new}])
    assert answer.is_success, answer.text
    assert (await product.register_professional(person)).json()["status"] == "updated"

    async def both_told() -> bool:
        old, fresh = [await product.mails_to(address) for address in (person["email"], new)]
        return "NO FUI YO" in old[-1]["HTML"] and len(fresh) == 1

    await product.eventually(both_told)
    found = OLD_LINK.search((await product.mails_to(person["email"]))[-1]["Text"])
    assert found
    assert OLD_LINK.search((await product.mails_to(new))[-1]["Text"]) is None
    return person | {"new": new}, found.group(1)


async def opened(visitor: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await visitor.get(f"/no-fui-yo/{token}")


async def press(visitor: httpx2.AsyncClient, page: httpx2.Response, **changed: str) -> httpx2.Response:
    named = re.search(r'name="cambio" value="([^"]+)"', page.text)
    assert named
    sent = {"csrf_token": csrf_of(page), "cambio": named.group(1)} | changed
    return await visitor.post("/no-fui-yo", data=sent)


async def test_the_old_address_stops_the_change_with_one_button(
    product: Product, moved: tuple[dict[str, Any], str]
) -> None:
    person, token = moved
    async with product.browser() as visitor:
        for method in ("HEAD", "OPTIONS", "GET"):
            answer = await visitor.request(method, f"/no-fui-yo/{token}", follow_redirects=False)
            assert (answer.status_code, answer.headers["location"]) == (303, "/no-fui-yo")
            await visitor.request(method, "/no-fui-yo")
        page = await opened(visitor, token)
        assert page.url.path == "/no-fui-yo"
        assert token not in page.text
        assert "No fui yo: detener el cambio" in page.text
        assert person["new"] not in page.text
        foreign = await visitor.post("/no-fui-yo", data={"cambio": "x", "csrf_token": "x"})
        assert foreign.status_code == 403
        assert (await press(visitor, page, cambio="otro")).status_code == 422
        assert (await opened(visitor, token)).status_code == 200
        done = await press(visitor, page)
        assert "El cambio quedó detenido" in done.text
        assert "Soporte ya está avisado" in done.text
        assert "El cambio quedó detenido" in (await opened(visitor, token)).text
        count = len(await product.mails_to(person["email"]))
        await ask_recovery(product, visitor, person["document"])
        await product.link_for(person, count=2)
        assert len(await product.mails_to(person["email"])) == count + 1
    assert len(await product.mails_to(person["new"])) == 1


async def test_after_the_wait_the_link_says_so_and_the_new_address_recovers(
    product: Product, moved: tuple[dict[str, Any], str]
) -> None:
    person, token = moved
    statement = (
        "UPDATE address_changes SET takes_effect_at = $1 WHERE account_id ="
        " (SELECT id FROM accounts WHERE document_number = $2)"
    )
    await rows(product, statement, datetime.now(UTC) - timedelta(seconds=1), person["document"]["number"])
    async with product.browser() as visitor:
        page = await opened(visitor, token)
        assert (page.status_code, "El plazo terminó" in page.text) == (410, True)
        told = await ask_recovery(product, visitor, person["document"])
        assert "después de 24 horas" in told.text
        await product.link_for(person | {"email": person["new"]})
        assert (await visitor.get("/no-fui-yo/nada")).status_code == 404
