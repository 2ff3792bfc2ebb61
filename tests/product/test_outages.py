"""One registry that is away.

Who waits for it, who does not, and what everybody reads meanwhile.
"""

import asyncio
import re
from typing import Any

import pytest

from tests.product.conftest import Product
from tests.product.storage import rows
from tests.product.visits import login_of, professional_form, submit_form

# A first attempt has three seconds; the durable one after it has time enough for this.
TOO_SLOW_MS = 3_500
MODES: dict[str, dict[str, Any]] = {
    "down": {},
    "error": {},
    "garbage": {},
    "flaky": {"failure_rate": 1.0},
    "slow": {"latency_ms": TOO_SLOW_MS},
}


@pytest.mark.parametrize("mode", MODES)
async def test_a_registration_waits_for_its_registry_and_goes_on_by_itself(
    product: Product, mode: str
) -> None:
    person = await product.new_professional()
    await product.set_registry("rethus", mode=mode, **MODES[mode])
    try:
        answer = await product.register_professional(person)
        assert (answer.status_code, answer.json()["status"]) == (202, "in_progress")
        radicado = answer.json()["radicado"]
        waiting = await product.reaches(radicado, "waiting_registry")
        assert (waiting["waiting_on"], waiting["outcome"]) == (["rethus"], None)
        accounts = "SELECT 1 FROM accounts WHERE login = $1"
        assert await rows(product, accounts, login_of(person)) == []
    finally:
        await product.set_registry("rethus", mode="up")
    await product.link_for(person)
    found = await product.view(radicado)
    assert (found["stage"], found["waiting_on"], found["outcome"]) == ("awaiting_password", [], "registered")


async def test_whoever_needs_another_registry_notices_nothing(product: Product) -> None:
    entity = {"kind": "IPS", "nit": "900123456"}
    placement = {
        "profession": "MEDICINA",
        "site_code": "940010001",
        "site_name": "Hospital de Inírida",
        "municipality": "94001",
        "start": "2020-01-01",
        "end": "2100-01-01",
    }
    delegate = await product.new_person(delegate_of=[{**entity, "name": "IPS", "regime": None}])
    physician = await product.new_person(sso=placement)
    await product.set_registry("rethus", mode="down")
    try:
        answers = await asyncio.gather(
            product.register(user_type="delegate", entity=entity, document=delegate["document"]),
            product.register(user_type="social_service", document=physician["document"]),
        )
        assert [answer.status_code for answer in answers] == [201, 201], [answer.text for answer in answers]
    finally:
        await product.set_registry("rethus", mode="up")


async def test_mail_that_is_away_is_sent_when_it_is_back(product: Product) -> None:
    person = await product.new_professional()
    await product.mail.put("/_control", json={"mode": "down"})
    try:
        answer = await product.register_professional(person)
        assert answer.status_code == 201
        radicado = answer.json()["radicado"]

        async def waits_for_mail() -> bool:
            return bool((await product.view(radicado))["waiting_on"] == ["mail"])

        await product.eventually(waits_for_mail)
        page = await product.api.get(f"/registro/estado/{radicado}")
        assert "No hemos podido entregar el correo todavía" in page.text
    finally:
        await product.mail.put("/_control", json={"mode": "up"})
    await product.link_for(person)
    assert len(await product.mails_to(person["email"])) == 1


async def test_a_rejected_address_is_told_on_the_status_page(product: Product) -> None:
    person = await product.new_professional()
    await product.mail.put("/_control", json={"mode": "reject"})
    try:
        radicado = (await product.register_professional(person)).json()["radicado"]

        async def is_shown() -> bool:
            return bool((await product.view(radicado))["waiting_on"] == ["mail_address"])

        await product.eventually(is_shown)
    finally:
        await product.mail.put("/_control", json={"mode": "up"})
    page = await product.api.get(f"/registro/estado/{radicado}")
    assert "El servidor de correo rechaza la dirección" in page.text
    assert person["email"] not in page.text


async def test_who_is_refused_after_an_outage_reads_why_where_the_form_was_sent(product: Product) -> None:
    person = await product.new_person()
    await product.set_registry("rethus", mode="down")
    async with product.browser() as sender, product.browser() as other:
        try:
            answer = await submit_form(product, sender, "profesional", professional_form(person))
            assert answer.status_code == 202
        finally:
            await product.set_registry("rethus", mode="up")
        found = re.search(r"RM-[0-9A-Z]{12}", answer.text)
        assert found
        await product.reaches(found[0], "refused")
        status = f"/registro/estado/{found[0]}"
        here, elsewhere = await sender.get(status), await other.get(status)
    for told in ("Profesional no encontrado en RETHUS", "pida la inscripción o la corrección en ReTHUS"):
        assert told in here.text
        assert told not in elsewhere.text
    assert "Repita el registro para ver el motivo" in elsewhere.text
