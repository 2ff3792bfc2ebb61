"""What the product holds of a person is handed over, then erased for good."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from mipres.cli.running import MISUSED
from tests.product.conftest import PASSWORD, Product
from tests.product.storage import stored_text, with_the_keys
from tests.product.test_support_commands import REASON, Command, command
from tests.product.visits import ask_recovery, log_in

__all__ = ["command"]
ENTITY = {"nit": "900123456", "name": "Clínica del Ejemplo", "kind": "IPS"}
MARK = "Inolvidable"


@pytest.fixture
def began() -> datetime:
    """Before this moment, no workflow of this test's person was started."""
    return datetime.now(UTC)


@pytest.fixture
async def person(product: Product, began: datetime) -> dict[str, Any]:
    """A person with an account, a recovery, a lock, a refusal and a step that waits."""
    person = await product.new_professional(surnames=MARK, email="inolvidable@ejemplo.test")
    await product.complete(person)
    refused = await product.register(
        user_type="delegate", document=person["document"], entity={"kind": "IPS", "nit": ENTITY["nit"]}
    )
    assert refused.status_code == 422
    async with product.browser() as visitor:
        await ask_recovery(product, visitor, person["document"])
        await product.link_for(person, count=2)
        for _ in range(10):
            await log_in(visitor, person, "Otra-Clave-2027")
    await product.set_registry("sso", mode="down")
    try:
        waiting = await product.register(user_type="social_service", document=person["document"])
        assert waiting.status_code == 202
    finally:
        await product.set_registry("sso", mode="up")
    return person


async def known_to_temporal(product: Product, text: str, since: datetime) -> list[str]:
    """Workflows in whose histories a text stands, read with the keys."""
    client = await with_the_keys(product)
    codec = client.data_converter.payload_codec
    assert codec
    found = []
    async for run in client.list_workflows(f"StartTime >= '{since.isoformat()}'"):
        handle = client.get_workflow_handle(run.id, run_id=run.run_id)
        async for event in handle.fetch_history_events(page_size=1):
            payloads = event.workflow_execution_started_event_attributes.input.payloads
            if any(text.encode() in payload.data for payload in await codec.decode(payloads)):
                found.append(run.id.partition("/")[0])
            break
    return sorted(found)


async def test_everything_is_handed_over_and_then_nothing_is_left(
    product: Product, began: datetime, person: dict[str, Any], command: Command
) -> None:
    number = person["document"]["number"]

    async def settled() -> bool:
        known = await known_to_temporal(product, number, began)
        return known == ["lock-notice", "recovery", *["registration"] * 3]

    await product.eventually(settled)
    told = await command("person", "export", "CC", number, "--reason", REASON)
    assert told.exit_code == 0, told.output
    held = json.loads(told.stdout)
    assert held["cuenta"][0]["surnames"] == MARK
    assert len(held["registros"]) == 5
    assert {entry["evento"] for entry in held["auditoria"]} >= {"Cuenta creada", "Ingreso bloqueado"}
    assert held["declaraciones"]
    assert PASSWORD not in told.stdout
    assert "argon2" not in told.stdout

    erased = await command("person", "erase", "CC", number, "--reason", REASON)
    assert erased.exit_code == 0, erased.output
    assert "1 cuenta y 5 historias" in erased.stdout
    assert await known_to_temporal(product, number, began) == []
    stored = await stored_text(product)
    for text in (number, MARK, person["email"]):
        assert text not in stored
    trail = await command("audit", f"CC{number}")
    assert "Datos de la persona entregados" in trail.stdout
    assert "Datos de la persona suprimidos" in trail.stdout

    again = await command("person", "erase", "CC", number, "--reason", REASON)
    assert "0 cuentas y 0 historias" in again.stdout
    assert (await product.register_professional(person)).status_code == 201


async def test_a_person_who_is_erased_during_the_checks_stays_erased(
    product: Product, began: datetime, command: Command
) -> None:
    persons = [await product.new_professional(surnames=MARK) for _ in range(5)]
    await product.set_registry("miseguridadsocial", mode="held")
    answering = [asyncio.create_task(product.register_professional(person)) for person in persons]

    async def asked() -> bool:
        told = (await product.registries.get("/_control/calls")).json()["miseguridadsocial"]
        return all(" ".join(person["document"].values()) in told for person in persons)

    try:
        await product.eventually(asked)
        for person in persons:
            erased = await command("person", "erase", "CC", person["document"]["number"], "--reason", REASON)
            assert erased.exit_code == 0, erased.output
    finally:
        await product.set_registry("miseguridadsocial", mode="up")
    answers = await asyncio.gather(*answering)
    # Where the erasures took longer than a page waits, its answer was that it goes on.
    outcomes = {(answer.status_code, answer.json().get("code")) for answer in answers}
    assert outcomes <= {(422, "data_erased"), (202, None)}
    # What their registrations still did would have been done by the time that a new one is complete.
    later = await product.register_professional(persons[0])
    assert later.status_code == 201, later.text
    await product.link_for(persons[0])
    stored = await stored_text(product)
    assert persons[0]["document"]["number"] in stored
    for person in persons[1:]:
        assert person["document"]["number"] not in stored
        assert await known_to_temporal(product, person["document"]["number"], began) == []


async def test_nobody_is_erased_without_a_reason(command: Command) -> None:
    for words in (("erase",), ("export",)):
        assert (await command("person", *words, "CC", "70999955")).exit_code == MISUSED
        refused = await command("person", *words, "CC", "70999955", "--reason", "corto")
        assert refused.exit_code == MISUSED
