"""Canaries: a person's data and secrets are in PostgreSQL where they belong, and nowhere else."""

import base64

from temporalio.client import Client

from tests.product.conftest import PASSWORD, Product
from tests.product.storage import stored_text, without_the_keys


async def test_nothing_of_a_person_is_readable_outside_the_database(product: Product) -> None:
    complete = await product.new_professional(given_names="Zulema Canaria", surnames="Ñáñez Piñeros")
    waiting = await product.new_professional(given_names="Zulema Canaria", surnames="Ñáñez Piñeros")
    await product.complete(complete)
    token = (await product.link_for(complete)).rpartition("/")[2]
    await _wait_for_a_registry(product, waiting)
    canaries = [
        complete["document"]["number"],
        waiting["document"]["number"],
        complete["email"],
        "Zulema Canaria",
        "Piñeros",
        token,
        PASSWORD,
    ]
    places = {
        "what Temporal holds": await _everything_in_temporal(await without_the_keys(product)),
        "what the product prints": "\n".join(product.stack.lines).encode(),
        "Temporal's database": b"".join(
            path.read_bytes() for path in product.stack.data_dir.glob("temporal.db*")
        ),
    }
    for place, held in places.items():
        assert held
        found = [canary for canary in canaries if any(form in held for form in _forms(canary))]
        assert found == [], place
    stored = await stored_text(product)
    assert complete["document"]["number"] in stored
    assert token not in stored
    assert PASSWORD not in stored


async def _wait_for_a_registry(product: Product, person: dict[str, object]) -> None:
    await product.set_registry("rethus", mode="error")
    try:
        answer = await product.register_professional(person)
        assert answer.status_code == 202
        await product.reaches(answer.json()["radicado"], "waiting_registry")
    finally:
        await product.set_registry("rethus", mode="up")
    await product.reaches(answer.json()["radicado"], "awaiting_password")


async def _everything_in_temporal(client: Client) -> bytes:
    """Histories, descriptions, search attributes and memos of every workflow, as the server gives them out."""
    held = bytearray()
    async for execution in client.list_workflows():
        held += execution.raw_info.SerializeToString()
        handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
        held += (await handle.describe()).raw_description.SerializeToString()
        async for event in handle.fetch_history_events():
            held += event.SerializeToString()
    assert held.count(b"registration/RM-") > 0
    return bytes(held)


def _forms(canary: str) -> list[bytes]:
    """A text as it is, as JSON writes it, and its base64 at each of the three offsets."""
    raw = canary.encode()
    escaped = canary.encode("ascii", "backslashreplace")
    shifted = [base64.b64encode(b"x" * shift + raw)[4 * bool(shift) : -4] for shift in range(3)]
    return [raw, escaped, *(form for form in shifted if form)]
