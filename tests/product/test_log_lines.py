"""Every line of the product's own processes is JSON, and names what it is about."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from mipres.temporal.names import MailStep
from tests.product.conftest import Product

TRACE = re.compile("[0-9a-f]{32}")
OF_THE_LAUNCHER = re.compile(r"listo en [\d.]+ s.*|detenido")


def lines_of(product: Product, part: str) -> list[dict[str, Any]]:
    """What a part has written so far; a line that is no JSON fails the test."""
    relayed = (line.partition(" │ ") for line in product.stack.lines)
    return [
        json.loads(text)
        for name, _, text in relayed
        if name.strip() == part and not OF_THE_LAUNCHER.fullmatch(text)
    ]


def about(product: Product, part: str, radicado: str, **said: object) -> Iterator[dict[str, Any]]:
    named = {"radicado": radicado, **said}
    return (line for line in lines_of(product, part) if named.items() <= line.items())


@pytest.fixture
async def rejected(product: Product, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The radicado of a registration whose mail is rejected for good."""
    monkeypatch.setenv("MIPRES_DATA_DIR", str(product.stack.data_dir))
    refusal = {"mode": "script", "rcpt": "550 5.1.1 No such user", "data": "250 OK"}
    assert (await product.mail.put("/_control", json=refusal)).is_success
    try:
        answer = await product.register_professional(await product.new_professional())
        yield answer.json()["radicado"]
    finally:
        assert (await product.mail.put("/_control", json={"mode": "up"})).is_success


async def test_each_line_is_json_and_names_trace_and_radicado(product: Product, rejected: str) -> None:
    async def is_logged() -> bool:
        return any(about(product, "worker", rejected, activity_id=MailStep.LINK.value))

    await product.eventually(is_logged)
    line = next(about(product, "worker", rejected, activity_id=MailStep.LINK.value))
    assert (line["error"], line["attempt"], line["level"]) == ("ApplicationError", 1, "warning")
    assert TRACE.fullmatch(line["trace_id"])
    assert "exc_info" not in line
    # With a collector, the request and the steps that it caused are one trace.
    assert next(about(product, "api", rejected, event="request"))["trace_id"] == line["trace_id"]
    assert all(
        TRACE.fullmatch(one["trace_id"]) for one in lines_of(product, "api") if one["event"] == "request"
    )


async def test_what_a_stranger_writes_into_an_address_is_not_logged(product: Product) -> None:
    await product.api.get("/registro/estado/CC1020304050")
    assert "1020304050" not in "".join(product.stack.lines)
