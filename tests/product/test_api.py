"""The JSON API from outside.

Every answer's shape, and whatever a program may send instead of a registration.
"""

import asyncio
import json
import re
from collections import Counter
from typing import Any

import httpx2
import pytest

from mipres.domain.documents import Document, DocumentType
from mipres.domain.radicado import is_radicado
from mipres.domain.submissions import Submission, UserType
from mipres.temporal.names import registration_workflow_id
from tests.product.conftest import Product
from tests.product.storage import radicado_for, rows, runs_of, with_the_keys
from tests.product.visits import login_of, set_password

REGISTRATIONS = "/api/v1/registrations"
PROBLEM = {"type", "title", "status", "detail", "code"}
REGISTERED = {"status", "radicado", "login", "user_type", "email_hint", "message", "status_url"}
NOBODY = "RM-000000000000"


def is_problem(answer: httpx2.Response, status: int, code: str, *more: str) -> dict[str, Any]:
    """Check that an answer is problem details; its body."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), (
        answer.text
    )
    body: dict[str, Any] = answer.json()
    assert set(body) == PROBLEM | set(more)
    assert (body["type"], body["status"], body["code"]) == ("about:blank", status, code)
    return body


# ---- POST /registrations


async def test_201_tells_login_and_where_to_look(product: Product) -> None:
    person = await product.new_professional()
    answer = await product.register_professional(person)
    assert (answer.status_code, answer.headers["content-type"]) == (201, "application/json")
    body = answer.json()
    assert set(body) == REGISTERED
    assert is_radicado(body["radicado"])
    assert body | {"radicado": "", "status_url": ""} == {
        "status": "registered",
        "radicado": "",
        "login": login_of(person),
        "user_type": "professional",
        "email_hint": "p•••@e•••.test",
        "message": "REGISTRO SATISFACTORIO. Al correo electrónico registrado en www.miseguridadsocial.gov.co, "
        "se le enviará el enlace que le permitirá crear la contraseña de ingreso al aplicativo MIPRES No UPC y/o "
        "al Módulo Administración de Usuarios, según corresponda",
        "status_url": "",
    }
    assert body["status_url"] == f"{product.public_url}/registro/estado/{body['radicado']}"
    assert (await product.api.get(body["status_url"])).status_code == 200


async def test_200_has_the_same_keys_and_changes_no_password(product: Product) -> None:
    person = await product.new_professional()
    radicado = await product.complete(person)
    answer = await product.register_professional(person)
    assert answer.status_code == 200
    assert set(answer.json()) == REGISTERED
    assert (answer.json()["status"], answer.json()["radicado"]) == ("updated", radicado)
    stored = await rows(product, "SELECT password_hash FROM accounts WHERE login = $1", login_of(person))
    assert stored[0][0].startswith("$argon2id$")


async def test_202_when_a_registry_is_down_and_the_rest_follows_by_itself(product: Product) -> None:
    person = await product.new_professional()
    await product.set_registry("rethus", mode="error")
    try:
        answer = await product.register_professional(person)
        assert answer.status_code == 202
        body = answer.json()
        assert body == {
            "status": "in_progress",
            "radicado": body["radicado"],
            "status_url": f"{product.public_url}/registro/estado/{body['radicado']}",
        }
        waiting = await product.reaches(body["radicado"], "waiting_registry")
        assert (waiting["waiting_on"], waiting["outcome"]) == (["rethus"], None)
        again = await product.register_professional(person)
        assert (again.status_code, again.json()) == (202, body)
        refused = await product.api.post(
            f"{REGISTRATIONS}/{body['radicado']}/resend-link", headers=product.headers
        )
        is_problem(refused, 409, "wrong_stage")
    finally:
        await product.set_registry("rethus", mode="up")
    found = await product.reaches(body["radicado"], "awaiting_password")
    assert (found["waiting_on"], found["outcome"]) == ([], "registered")


async def test_422_names_every_wrong_field(product: Product) -> None:
    answer = await product.register(
        user_type="delegate",
        entity={"kind": "EPS", "nit": "12"},
        document={"type": "CC", "number": "0"},
        data_terms_accepted=False,
    )
    body = is_problem(answer, 422, "validation_error", "errors")
    assert body["errors"] == {
        "entity.regime": "Seleccione el régimen de la EPS",
        "entity.nit": "El NIT de una entidad debe tener 9 dígitos; el de una persona natural es su cédula, "
        "de 6 a 10 dígitos. Escríbalo sin el dígito de verificación",
        "document.number": "El número no corresponde a cédula de ciudadanía: "
        "debe tener de 3 a 10 dígitos, sin ceros al comienzo",
        "data_terms_accepted": "Marque la casilla del compromiso de confidencialidad para continuar",
    }


async def test_422_names_a_field_that_the_type_does_not_have(product: Product) -> None:
    answer = await product.register(
        user_type="other",
        entity={"kind": "IPS", "nit": "900123456"},
        document={"type": "CC", "number": "1020304080"},
    )
    body = is_problem(answer, 422, "validation_error", "errors")
    assert body["errors"] == {"entity": "Quite la entidad: solo la lleva un delegado administrativo"}


async def test_422_offers_the_nit_without_its_check_digit(product: Product) -> None:
    answer = await product.register(
        user_type="delegate",
        entity={"kind": "IPS", "nit": "900.123.456-8"},
        document={"type": "CC", "number": "1020304080"},
    )
    body = is_problem(answer, 422, "validation_error", "errors")
    assert body["errors"] == {
        "entity.nit": "El NIT incluye el dígito de verificación (8); escríbalo sin él: 900123456"
    }


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer wrong", "Bearer desarrollo2", "Basic desarrollo", "desarrollo", "Bearer ñ"],
)
async def test_401_without_a_key(product: Product, authorization: str | None) -> None:
    headers = {} if authorization is None else {b"Authorization": authorization.encode()}
    body = {"user_type": "other", "document": {"type": "CC", "number": "123"}, "data_terms_accepted": True}
    for answer in (
        await product.api.post(REGISTRATIONS, json=body, headers=headers),
        await product.api.get(f"{REGISTRATIONS}/{NOBODY}", headers=headers),
        await product.api.post(f"{REGISTRATIONS}/{NOBODY}/resend-link", headers=headers),
    ):
        is_problem(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"


def valid_body(number: str = "70999001") -> dict[str, Any]:
    return {
        "user_type": "professional",
        "document": {"type": "CC", "number": number},
        "professional_registration": "76-1234",
        "data_terms_accepted": True,
    }


def changed(**changes: Any) -> bytes:
    return json.dumps(valid_body() | changes).encode()


def document(**changes: Any) -> bytes:
    return changed(document=valid_body()["document"] | changes)


NESTED = b"[" * 8000 + b"]" * 8000


def is_read(body: bytes) -> bool:
    """Whether this Python reads so deep; how deep, differs from release to release."""
    try:
        json.loads(body)
    except RecursionError:
        return False
    return True


WRONG_BODIES = {
    "nothing": (b"", 422),
    "no JSON": (b"{", 400),
    "a form": (b"user_type=other", 400),
    "invalid UTF-8": (b'{"user_type": "\xff\xfe"}', 400),
    "a NUL byte": (b"\0", 400),
    "deep nesting": (b"[" * 8000, 400),
    # A newer Python reads so much of it that it is an array like any other.
    "deep nesting that is closed": (NESTED, 422 if is_read(NESTED) else 400),
    "a number too long to read": (b'{"user_type": ' + b"9" * 5000 + b"}", 400),
    "an array": (b"[]", 422),
    "null": (b"null", 422),
    "a text": (b'"other"', 422),
    "a number": (b"1e999", 422),
    "an empty object": (b"{}", 422),
    "unknown user type": (changed(user_type="admin"), 422),
    "user type of the web form": (changed(user_type="profesional"), 422),
    "null user type": (changed(user_type=None), 422),
    "array as user type": (changed(user_type=["other"]), 422),
    "lone surrogate as user type": (changed(user_type="\ud800"), 422),
    "missing document": (json.dumps({"user_type": "other", "data_terms_accepted": True}).encode(), 422),
    "null document": (changed(document=None), 422),
    "text as document": (changed(document="CC 123"), 422),
    "number as document number": (document(number=70999001), 422),
    "array as document number": (document(number=["70999001"]), 422),
    "object as document number": (document(number={"$ne": ""}), 422),
    "over-long document number": (document(number="7" * 5000), 422),
    "long document number": (document(number="7" * 60), 422),
    "digits of another script": (document(number="٧٠٩٩٩٠٠١"), 422),
    "control characters": (document(number="7099\u00009001"), 422),
    "lone surrogate": (document(number="\ud83d"), 422),
    "unknown document type": (document(type="XX"), 422),
    "document type as number": (document(type=1), 422),
    "unknown field": (changed(email="me@example.com"), 422),
    "unknown field in the document": (document(name="x"), 422),
    "unknown field with an odd name": (changed(**{"\ud800": 1}), 422),
    "number as registration": (changed(professional_registration=761234), 422),
    "missing registration": (changed(professional_registration=None), 422),
    "markup as registration": (changed(professional_registration="<script>"), 422),
    "terms as text": (changed(data_terms_accepted="sí"), 422),
    "terms not accepted": (changed(data_terms_accepted=False), 422),
    "null terms": (changed(data_terms_accepted=None), 422),
    "array as entity": (changed(user_type="delegate", entity=[]), 422),
    "entity missing": (changed(user_type="delegate"), 422),
    "unknown kind of entity": (changed(user_type="delegate", entity={"kind": "PROVEEDOR"}), 422),
    "municipality of another department": (
        changed(
            user_type="delegate", entity={"kind": "PROVIDER", "department": "05", "municipality": "11001"}
        ),
        422,
    ),
    "municipality with a surrogate": (
        changed(
            user_type="delegate", entity={"kind": "PROVIDER", "department": "\ud800", "municipality": "1"}
        ),
        422,
    ),
    "more than 16 KiB": (document(number="7" * 20_000), 413),
}


FOR_PEOPLE = ("navegador", "página", "Página", "formulario", "inicio")
"""What a program has not, and cannot go back to."""


@pytest.mark.parametrize("name", WRONG_BODIES)
async def test_a_wrong_body_is_answered_and_starts_nothing(product: Product, name: str) -> None:
    content, status = WRONG_BODIES[name]
    headers = product.headers | {"Content-Type": "application/json"}
    answer = await product.api.post(REGISTRATIONS, content=content, headers=headers)
    codes = {400: "bad_request", 413: "content_too_large", 422: "validation_error"}
    body = is_problem(answer, status, codes[status], *(["errors"] if status == 422 else []))
    assert not any(word in body["detail"] for word in FOR_PEOPLE)
    assert all(body.get("errors", {"": "x"}).values())
    assert not await anything_started(product, "70999001")


async def test_a_right_body_would_have_started_something(product: Product) -> None:
    answer = await product.register(**valid_body("70999002"))
    is_problem(answer, 422, "not_in_miseguridadsocial")
    assert await anything_started(product, "70999002")


async def anything_started(product: Product, number: str) -> bool:
    document = Document(type=DocumentType.CC, number=number)
    answers = [
        await product.api.get(
            f"{REGISTRATIONS}/{radicado_for(product, Submission(user_type=user_type, document=document))}",
            headers=product.headers,
        )
        for user_type in UserType
    ]
    assert {answer.status_code for answer in answers} <= {200, 404}
    return any(answer.status_code == 200 for answer in answers)


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml"]
)
async def test_a_body_of_another_type_is_not_read_as_json(product: Product, content_type: str) -> None:
    headers = product.headers | {"Content-Type": content_type}
    answer = await product.api.post(REGISTRATIONS, content=changed(), headers=headers)
    errors = is_problem(answer, 422, "validation_error", "errors")["errors"]
    assert errors == {"body": "Envíe un objeto JSON, con el encabezado Content-Type: application/json"}


async def test_a_body_that_hides_its_length_is_limited_too(product: Product) -> None:
    async def chunks() -> Any:
        for _ in range(64):
            yield b" " * 1024

    headers = product.headers | {"Content-Type": "application/json"}
    is_problem(
        await product.api.post(REGISTRATIONS, content=chunks(), headers=headers), 413, "content_too_large"
    )


# ---- Many at once


@pytest.mark.parametrize("count", [20, 100])
async def test_identical_submissions_join_one_registration(product: Product, count: int) -> None:
    person = await product.new_professional()
    answers = await asyncio.gather(*(product.register_professional(person) for _ in range(count)))
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) <= {201, 202}
    assert statuses[201] > 0
    [radicado] = {answer.json()["radicado"] for answer in answers}
    await product.link_for(person)
    assert (await product.view(radicado))["stage"] == "awaiting_password"

    statement = "SELECT count(*) FROM accounts WHERE login = $1"
    assert (await rows(product, statement, login_of(person)))[0][0] == 1
    assert len(await product.mails_to(person["email"])) == 1
    assert len(await runs_of(product, f"registration/{radicado}")) == 1


# ---- Looking at a registration, and another link


async def test_a_view_tells_each_stage_and_nothing_personal(product: Product) -> None:
    person = await product.new_professional()
    radicado = (await product.register_professional(person)).json()["radicado"]
    waiting = await product.view(radicado)
    assert set(waiting) == {
        "radicado",
        "stage",
        "waiting_on",
        "user_type",
        "submitted_at",
        "updated_at",
        "outcome",
        "access",
    }
    assert (waiting["stage"], waiting["outcome"]) == ("awaiting_password", "registered")
    assert (waiting["waiting_on"], waiting["user_type"]) == ([], "professional")
    for moment in ("submitted_at", "updated_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", waiting[moment])
    for secret in (person["document"]["number"], person["given_names"], person["email"]):
        assert secret not in json.dumps(waiting, ensure_ascii=False)


async def test_a_completed_and_a_refused_registration_can_be_looked_at(product: Product) -> None:
    completed = await product.complete(await product.new_professional())
    found = await product.view(completed)
    assert (found["stage"], found["outcome"]) == ("completed", "registered")
    assert found["access"] == "in_force"

    person = await product.new_person()
    refusal = await product.register_professional(person)
    is_problem(refusal, 422, "not_in_rethus")
    number = person["document"]["number"]
    radicado = radicado_for(
        product,
        Submission(user_type=UserType.PROFESSIONAL, document=Document(type=DocumentType.CC, number=number)),
    )
    found = await product.reaches(radicado, "refused")
    assert (found["outcome"], found["waiting_on"]) == ("not_in_rethus", [])
    for over in (completed, radicado):
        answer = await product.api.post(f"{REGISTRATIONS}/{over}/resend-link", headers=product.headers)
        is_problem(answer, 409, "wrong_stage")


async def test_a_terminated_registration_says_what_is_still_true(product: Product) -> None:
    person = await product.new_professional()
    radicado = (await product.register_professional(person)).json()["radicado"]
    link, client = await product.link_for(person), await with_the_keys(product)
    await client.get_workflow_handle(registration_workflow_id(radicado)).terminate("the test ends it")
    view = await product.view(radicado)
    assert (view["stage"], view["user_type"]) == ("awaiting_password", "professional")
    async with product.browser() as visitor:
        assert (await set_password(visitor, link)).status_code == 200
    assert (await product.view(radicado))["stage"] == "completed"


@pytest.mark.parametrize(
    "radicado",
    [NOBODY, "RM-1", "rm-000000000000", "RM-OOOOOOOOOOOO", "RC-000000000000", "%00", "ñ", "a" * 2000],
)
async def test_404_for_an_unknown_radicado(product: Product, radicado: str) -> None:
    looked = await product.api.get(f"{REGISTRATIONS}/{radicado}", headers=product.headers)
    assert is_problem(looked, 404, "not_found")["title"] == "Radicado no encontrado"
    resent = await product.api.post(f"{REGISTRATIONS}/{radicado}/resend-link", headers=product.headers)
    is_problem(resent, 404, "not_found")


async def test_429_right_after_registering(product: Product) -> None:
    person = await product.new_professional()
    radicado = (await product.register_professional(person)).json()["radicado"]
    await product.link_for(person)
    answer = await product.api.post(f"{REGISTRATIONS}/{radicado}/resend-link", headers=product.headers)
    is_problem(answer, 429, "too_many_requests")
    assert 100 < int(answer.headers["retry-after"]) <= 180
    assert len(await product.mails_to(person["email"])) == 1


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", REGISTRATIONS), ("GET", REGISTRATIONS), ("GET", "/api/v1/nada")]
)
async def test_other_methods_and_paths_are_problems_too(product: Product, method: str, path: str) -> None:
    answer = await product.api.request(method, path, headers=product.headers)
    code = {404: "not_found", 405: "method_not_allowed"}[answer.status_code]
    body = is_problem(answer, answer.status_code, code)
    assert not any(word in body["title"] + body["detail"] for word in FOR_PEOPLE)


# ---- Documentation


async def test_the_documentation_is_served_and_names_every_status(product: Product) -> None:
    documented = (await product.api.get("/api/openapi.json")).json()["paths"]
    # FastAPI adds a 422 of its own to whatever has a parameter, even one that takes any text.
    statuses = {
        (method, path.removeprefix(REGISTRATIONS)): set(operation["responses"])
        - ({"422"} if "parameters" in operation else set())
        for path, operations in documented.items()
        for method, operation in operations.items()
    }
    assert statuses == {
        ("post", ""): {"200", "201", "202", "400", "401", "413", "422", "429", "503"},
        ("get", "/{radicado}"): {"200", "401", "404", "429", "503"},
        ("post", "/{radicado}/resend-link"): {"202", "401", "404", "409", "429", "503"},
    }
    for operations in documented.values():
        for operation in operations.values():
            assert operation["security"] == [{"HTTPBearer": []}]


async def test_the_documentation_page_needs_no_other_host(product: Product) -> None:
    """The content security policy lets a page load nothing from elsewhere.

    Such a page would stay empty.
    """
    page = await product.api.get("/api/docs")
    assert page.status_code == 200
    assert REGISTRATIONS in page.text
    assert re.findall(r'(?:src|href)="https?://[^"]*"', page.text) == []
    assert "<script>" not in page.text
