import asyncio
import contextlib
import gzip
import json
import re
import ssl
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import httpx2
import pytest
from pytest_httpserver import HTTPServer

from dev.registry_simulator.app import Simulator, create_app
from dev.registry_simulator.modes import GARBAGE, Behaviour, Mode, Registry
from mipres.domain.documents import Document, parse_document
from mipres.domain.errors import RegistryUnavailableError
from mipres.domain.people import (
    EntityRecord,
    HealthProfessional,
    Person,
    Placement,
    Profession,
    Sanction,
)
from mipres.domain.submissions import Entity, EntityKind, Regime
from mipres.registries import client as client_module
from mipres.registries.client import MAX_BODY_BYTES, RegistryClient
from mipres.registries.miseguridadsocial import HttpSocialSecurityRegistry
from mipres.registries.rethus import HttpHealthTalentRegistry
from mipres.registries.sso import HttpSocialServiceRegistry
from tests.certificates import certificate_of, new_key, pem_of
from tests.patience import PATIENCE_SECONDS

DOCUMENT = parse_document("CC", "1020304050")
PERSON_PATH = "/base/personas/CC/1020304050"
RETHUS_PATH = "/base/profesionales/CC/1020304050"
SSO_PATH = "/base/plazas/CC/1020304050"
PERSON = {
    "type": "CC",
    "number": "1020304050",
    "given_names": "Ana María",
    "surnames": "Ruiz Gómez",
    "email": "ana.ruiz@ejemplo.test",
}
ANA = Person(given_names="Ana María", surnames="Ruiz Gómez", email="ana.ruiz@ejemplo.test")
SECRETS = ("1020304050", "Ana", "Ruiz", "ejemplo.test")
EPS = Entity(kind=EntityKind.EPS, regime=Regime.CONTRIBUTIVO, nit="900123456")
DELEGATION = {
    "nit": "900123456",
    "name": "EPS Ejemplo",
    "kind": "EPS",
    "regime": "CONTRIBUTIVO",
    "delegate": PERSON,
}
DELEGATION_PATH = "/base/entidades/900123456/delegados/CC/1020304050"

MakeClient = Callable[..., RegistryClient]


@pytest.fixture
async def make_client() -> AsyncIterator[MakeClient]:
    clients: list[RegistryClient] = []

    def make(base_url: str, *, token: str | None = None, app: Simulator | None = None) -> RegistryClient:
        # No test speaks TLS, and reading the certificates takes longer than most tests.
        plain = httpx2.AsyncHTTPTransport(verify=False, limits=client_module.LIMITS)
        transport = httpx2.ASGITransport(app=create_app(app)) if app else plain
        clients.append(RegistryClient("miseguridadsocial", base_url, token=token, transport=transport))
        return clients[-1]

    yield make
    for item in clients:
        await item.close()


@pytest.fixture
def registry(httpserver: HTTPServer, make_client: MakeClient) -> HttpSocialSecurityRegistry:
    return HttpSocialSecurityRegistry(make_client(httpserver.url_for("/base")))


@pytest.fixture
def rethus(httpserver: HTTPServer, make_client: MakeClient) -> HttpHealthTalentRegistry:
    return HttpHealthTalentRegistry(make_client(httpserver.url_for("/base")))


@pytest.fixture
def sso(httpserver: HTTPServer, make_client: MakeClient) -> HttpSocialServiceRegistry:
    return HttpSocialServiceRegistry(make_client(httpserver.url_for("/base")))


async def failure_of(call: Awaitable[object]) -> RegistryUnavailableError:
    """The technical failure, which shows nothing of the person anywhere."""
    with pytest.raises(RegistryUnavailableError) as caught:
        await call
    told = "".join(traceback.format_exception(caught.value, limit=0))
    assert not [secret for secret in SECRETS if secret in told]
    assert caught.value.registry == "miseguridadsocial"
    return caught.value


# --- what a registry answers when it works


async def test_a_person_is_found(httpserver: HTTPServer, registry: HttpSocialSecurityRegistry) -> None:
    httpserver.expect_oneshot_request(PERSON_PATH, method="GET", query_string="").respond_with_json(
        PERSON | {"a_new_field": {"of": "theirs"}, "surnames": " Ruiz Gómez "}
    )
    assert await registry.find_person(DOCUMENT) == ANA


async def test_404_is_not_registered(httpserver: HTTPServer, registry: HttpSocialSecurityRegistry) -> None:
    httpserver.expect_request(PERSON_PATH).respond_with_json({"code": "not_found"}, status=404)
    assert await registry.find_person(DOCUMENT) is None


async def test_a_provider_is_asked_for_with_the_place(
    httpserver: HTTPServer, registry: HttpSocialSecurityRegistry
) -> None:
    httpserver.expect_oneshot_request(
        "/base/proveedores/CC/1020304050", query_string={"departamento": "11", "municipio": "11001"}
    ).respond_with_json(PERSON)
    place = Entity(kind=EntityKind.PROVIDER, department="11", municipality="11001")
    assert await registry.find_provider(DOCUMENT, place) == ANA


@pytest.mark.parametrize(
    ("entity", "query"),
    [
        (EPS, {"kind": "EPS", "regime": "CONTRIBUTIVO"}),
        (Entity(kind=EntityKind.IPS, nit="900123456"), {"kind": "IPS"}),
    ],
)
async def test_a_delegate_is_asked_for_with_the_kind_and_of_an_eps_the_regime(
    httpserver: HTTPServer, registry: HttpSocialSecurityRegistry, entity: Entity, query: dict[str, str]
) -> None:
    answer = DELEGATION | {"kind": str(entity.kind), "regime": entity.regime}
    httpserver.expect_oneshot_request(DELEGATION_PATH, query_string=query).respond_with_json(answer)

    found = await registry.find_delegation(DOCUMENT, entity)

    assert found is not None
    assert found.person == ANA
    assert found.entity == EntityRecord(
        nit="900123456", name="EPS Ejemplo", kind=entity.kind, regime=entity.regime
    )


@pytest.mark.parametrize(
    "answer",
    [{"regime": "SUBSIDIADO"}, {"kind": "IPS"}, {"kind": "PROVEEDOR", "regime": 7}, {"nit": "900123457"}],
)
async def test_a_delegate_of_the_other_regime_or_kind_is_none_of_this_entity(
    httpserver: HTTPServer, registry: HttpSocialSecurityRegistry, answer: dict[str, object]
) -> None:
    httpserver.expect_request(DELEGATION_PATH).respond_with_json(DELEGATION | answer)
    assert await registry.find_delegation(DOCUMENT, EPS) is None


async def test_professions_and_sanctions_are_found(
    httpserver: HTTPServer, rethus: HttpHealthTalentRegistry
) -> None:
    doctor = {"code": "P07", "name": "Medicina", "registration": "76-1234"}
    sanctions = [
        {"authority": "Tribunal", "kind": "Suspensión", "start": "2026-01-31", "end": "2026-02-28T00:00:00"},
        {"authority": "Tribunal", "kind": "Censura", "start": "2026-03-01", "end": None},
    ]
    httpserver.expect_request(RETHUS_PATH).respond_with_json(
        {"professions": [doctor], "sanctions": sanctions}
    )
    assert await rethus.find_professional(DOCUMENT) == HealthProfessional(
        professions=(Profession(code="P07", name="Medicina", registration="76-1234"),),
        sanctions=(
            Sanction(authority="Tribunal", kind="Suspensión", start=date(2026, 1, 31), end=date(2026, 2, 28)),
            Sanction(authority="Tribunal", kind="Censura", start=date(2026, 3, 1), end=None),
        ),
    )


async def test_a_placement_is_found(httpserver: HTTPServer, sso: HttpSocialServiceRegistry) -> None:
    answer = {"profession": "Medicina", "site_code": "1", "site_name": "Hospital", "municipality": "05001"}
    httpserver.expect_request(SSO_PATH).respond_with_json(
        answer | {"start": "2026-06-01", "end": "2027-05-31"}
    )
    assert await sso.find_placement(DOCUMENT) == Placement(
        profession="Medicina",
        site_code="1",
        site_name="Hospital",
        municipality="05001",
        start=date(2026, 6, 1),
        end=date(2027, 5, 31),
    )


async def test_404_is_in_none_of_the_other_registries_either(
    httpserver: HTTPServer, rethus: HttpHealthTalentRegistry, sso: HttpSocialServiceRegistry
) -> None:
    httpserver.expect_request(RETHUS_PATH).respond_with_json({"code": "not_found"}, status=404)
    httpserver.expect_request(SSO_PATH).respond_with_json({"code": "not_found"}, status=404)
    assert await rethus.find_professional(DOCUMENT) is None
    assert await sso.find_placement(DOCUMENT) is None


@pytest.mark.parametrize(("token", "sent"), [("s3cret", "Bearer s3cret"), (None, None), ("", None)])
async def test_a_token_is_sent_where_there_is_one(
    httpserver: HTTPServer, make_client: MakeClient, token: str | None, sent: str | None
) -> None:
    httpserver.expect_request(PERSON_PATH).respond_with_json(PERSON)
    await HttpSocialSecurityRegistry(make_client(httpserver.url_for("/base"), token=token)).find_person(
        DOCUMENT
    )
    assert httpserver.log[0][0].headers.get("Authorization") == sent


# --- technical failures: never "not found"


@pytest.mark.parametrize("status", [201, 204, 301, 302, 304, 400, 401, 403, 410, 429, 500, 502, 503])
async def test_any_other_status_is_a_technical_failure(
    httpserver: HTTPServer, registry: HttpSocialSecurityRegistry, status: int
) -> None:
    body = b"" if status in {204, 304} else json.dumps(PERSON).encode()
    httpserver.expect_request(PERSON_PATH).respond_with_data(
        body, status=status, headers={"Location": httpserver.url_for("/elsewhere")}
    )
    httpserver.expect_request("/elsewhere").respond_with_json(PERSON)
    assert str(status) in (await failure_of(registry.find_person(DOCUMENT))).cause
    assert len(httpserver.log) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("300", 300),
        ("301", 300),
        ("999999999", 300),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
    ],
)
async def test_the_wait_that_a_registry_asks_for_is_kept(
    httpserver: HTTPServer, registry: HttpSocialSecurityRegistry, header: str, seconds: float | None
) -> None:
    httpserver.expect_request(PERSON_PATH).respond_with_data(status=503, headers={"Retry-After": header})
    assert (await failure_of(registry.find_person(DOCUMENT))).retry_after_seconds == seconds


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<!doctype html><title>Mantenimiento</title>", id="HTML"),
        pytest.param(json.dumps(PERSON).encode()[:-1], id="cut off"),
        pytest.param(b"\xff\xfe\x00 \x9d", id="bytes of no text"),
        pytest.param(b"[" * 60_000, id="deeply nested"),
        pytest.param(b'{"a":' * 12_000 + b"1" + b"}" * 4_000, id="deeply nested objects"),
        pytest.param(b"9" * 60_000, id="a number of 60,000 digits"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{}", id="an empty object"),
        pytest.param(b'"1020304050"', id="a text"),
        pytest.param(b'{"error": "no encontrado"}', id="an error told with 200"),
    ],
)
async def test_what_is_not_the_answer_is_a_technical_failure(
    httpserver: HTTPServer, registry: HttpSocialSecurityRegistry, body: bytes
) -> None:
    httpserver.expect_request(PERSON_PATH).respond_with_data(body, content_type="application/json")
    assert re.match("the answer|type: missing", (await failure_of(registry.find_person(DOCUMENT))).cause)


OTHER_DOCUMENTS = [
    {"number": "1020304051"},
    {"type": "CE"},
    {"number": "１０２０３０４０５０"},
    {"number": "x" * 50},
]


@pytest.mark.parametrize("other", OTHER_DOCUMENTS)
async def test_an_answer_about_another_document_is_a_technical_failure(
    httpserver: HTTPServer, registry: HttpSocialSecurityRegistry, other: dict[str, str]
) -> None:
    place = Entity(kind=EntityKind.PROVIDER, department="11", municipality="11001")
    httpserver.expect_request(PERSON_PATH).respond_with_json(PERSON | other)
    httpserver.expect_request("/base/proveedores/CC/1020304050").respond_with_json(PERSON | other)
    httpserver.expect_request(DELEGATION_PATH).respond_with_json(DELEGATION | {"delegate": PERSON | other})
    for call in (
        registry.find_person(DOCUMENT),
        registry.find_provider(DOCUMENT, place),
        registry.find_delegation(DOCUMENT, EPS),
    ):
        assert (await failure_of(call)).cause.endswith("number: another person's")


async def test_a_document_written_another_way_is_the_same(
    httpserver: HTTPServer, registry: HttpSocialSecurityRegistry
) -> None:
    written = {"type": "cc", "number": "1.020.304.050"}
    httpserver.expect_request(PERSON_PATH).respond_with_json(PERSON | written)
    httpserver.expect_request(DELEGATION_PATH).respond_with_json(DELEGATION | {"nit": "900.123.456"})
    assert await registry.find_person(DOCUMENT) == ANA
    assert await registry.find_delegation(DOCUMENT, EPS) is not None


@pytest.mark.parametrize(
    "day", [0, 1_800_000_000, "0", "1800000000", "1.5", "ayer", "2026-02-30", True, "31/01/2026"]
)
async def test_a_day_that_is_none_never_ends_a_sanction_or_a_placement(
    httpserver: HTTPServer, rethus: HttpHealthTalentRegistry, sso: HttpSocialServiceRegistry, day: object
) -> None:
    sanction = {"authority": "Tribunal", "kind": "Suspensión", "start": "2026-01-31", "end": day}
    placement = {"profession": "Medicina", "site_code": "1", "site_name": "H", "municipality": "05001"}
    httpserver.expect_request(RETHUS_PATH).respond_with_json({"professions": [], "sanctions": [sanction]})
    httpserver.expect_request(SSO_PATH).respond_with_json(placement | {"start": "2026-06-01", "end": day})
    found = await rethus.find_professional(DOCUMENT)
    assert found is not None
    assert found.unreadable_sanction == "sanctions[0].end: not a day"
    await failure_of(sso.find_placement(DOCUMENT))


@pytest.mark.parametrize("missing", ["professions", "sanctions"])
async def test_a_professional_without_a_list_is_a_technical_failure(
    httpserver: HTTPServer, rethus: HttpHealthTalentRegistry, missing: str
) -> None:
    answer: dict[str, list[str]] = {"professions": [], "sanctions": []}
    del answer[missing]
    httpserver.expect_request(RETHUS_PATH).respond_with_json(answer)
    await failure_of(rethus.find_professional(DOCUMENT))


@pytest.mark.parametrize("compressed", [False, True])
async def test_an_answer_that_is_too_large_is_a_technical_failure(
    httpserver: HTTPServer,
    registry: HttpSocialSecurityRegistry,
    compressed: bool,  # noqa: FBT001
) -> None:
    body = json.dumps(PERSON | {"padding": "x" * MAX_BODY_BYTES}).encode()
    httpserver.expect_request(PERSON_PATH).respond_with_data(
        gzip.compress(body) if compressed else body,
        headers={"Content-Encoding": "gzip"} if compressed else {},
    )
    assert (await failure_of(registry.find_person(DOCUMENT))).cause == "the answer is too large"


async def test_an_answer_of_the_largest_size_is_read(
    httpserver: HTTPServer, registry: HttpSocialSecurityRegistry
) -> None:
    room = MAX_BODY_BYTES - len(json.dumps(PERSON | {"padding": ""}))
    body = json.dumps(PERSON | {"padding": "x" * room})
    assert len(body) == MAX_BODY_BYTES
    httpserver.expect_request(PERSON_PATH).respond_with_data(body)
    assert await registry.find_person(DOCUMENT) == ANA


@asynccontextmanager
async def server_that_says(answer: bytes | None) -> AsyncIterator[str]:
    """A server that reads a request, says this and hangs up.

    With None it says nothing and waits.
    """
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer is None:
            await ended.wait()
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/base"
        ended.set()


@pytest.mark.parametrize(("rest", "connections"), [(0.5, 1), (1.5, 2)])
async def test_a_connection_that_its_registry_may_be_ending_is_not_used_again(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, rest: float, connections: int
) -> None:
    """The shortest time that usual servers keep one is two seconds."""
    opened = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                body = json.dumps(PERSON).encode()
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = make_client(f"http://127.0.0.1:{port}")
        registry = HttpSocialSecurityRegistry(client)
        assert await registry.find_person(DOCUMENT) is not None
        later = time.monotonic() + rest
        monkeypatch.setattr("httpcore2._async.http11.time", SimpleNamespace(monotonic=lambda: later))
        assert await registry.find_person(DOCUMENT) is not None
        await client.close()
    assert opened == connections


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="hangs up"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{", id="hangs up in the middle"),
        pytest.param(b"HTTP/1.1 404 No\r\nContent-Le", id="hangs up within the headers of a 404"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", id="speaks another protocol"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope", id="is not gzip"
        ),
    ],
)
async def test_a_server_that_breaks_off_is_a_technical_failure(
    make_client: MakeClient, answer: bytes
) -> None:
    async with server_that_says(answer) as url:
        await failure_of(HttpSocialSecurityRegistry(make_client(url)).find_person(DOCUMENT))


async def test_a_registry_that_does_not_answer_in_time_is_a_technical_failure(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "TIMEOUT", httpx2.Timeout(0.1))
    async with server_that_says(None) as url:
        failure = await failure_of(HttpSocialSecurityRegistry(make_client(url)).find_person(DOCUMENT))
    assert failure.cause == "ReadTimeout"


async def test_an_answer_that_drips_has_no_more_time_than_another(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)

    monkeypatch.setattr(client_module, "CALL_SECONDS", 0.2)
    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        client = make_client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        async with asyncio.timeout(PATIENCE_SECONDS):
            failure = await failure_of(HttpSocialSecurityRegistry(client).find_person(DOCUMENT))
        await client.close()
    assert failure.cause == "TimeoutError"


async def test_a_registry_that_is_not_there_is_a_technical_failure(make_client: MakeClient) -> None:
    async with server_that_says(b"") as url:
        pass
    failure = await failure_of(HttpSocialSecurityRegistry(make_client(url)).find_person(DOCUMENT))
    assert failure.cause == "ConnectError"


@asynccontextmanager
async def server_with_tls(folder: Path) -> AsyncIterator[int]:
    """A server whose certificate nobody trusts."""
    key, pem = new_key(), folder / "server.pem"
    pem.write_bytes(certificate_of(key, host="localhost") + pem_of(key))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pem)
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]


async def test_a_certificate_that_nobody_trusts_is_named(tmp_path: Path) -> None:
    async with server_with_tls(tmp_path) as port:
        client = RegistryClient("miseguridadsocial", f"https://localhost:{port}")
        failure = await failure_of(HttpSocialSecurityRegistry(client).find_person(DOCUMENT))
        await client.close()
    assert failure.cause == "SSLCertVerificationError"


async def test_a_server_without_tls_where_it_should_have_it_is_named() -> None:
    async with server_that_says(b"") as url:
        client = RegistryClient("miseguridadsocial", url.replace("http", "https"))
        failure = await failure_of(HttpSocialSecurityRegistry(client).find_person(DOCUMENT))
        await client.close()
    assert "SSL" in failure.cause


def test_a_citizen_waits_a_few_seconds_at_most() -> None:
    assert (client_module.TIMEOUT.connect, client_module.TIMEOUT.read) == (3.0, 10.0)
    assert client_module.CALL_SECONDS == 10.0


# --- the simulator that developers run speaks the same language


class SimulatedRegistries:
    def __init__(self, make_client: MakeClient, *, token: str | None = None) -> None:
        self.simulator = Simulator(token="s3cret" if token else None)
        clients = {
            name: make_client(f"http://simulator/{name}", token=token, app=self.simulator)
            for name in Registry
        }
        self.miseguridadsocial = HttpSocialSecurityRegistry(clients[Registry.MISEGURIDADSOCIAL])
        self.rethus = HttpHealthTalentRegistry(clients[Registry.RETHUS])
        self.sso = HttpSocialServiceRegistry(clients[Registry.SSO])

    def set_mode(self, mode: Mode) -> None:
        for name in Registry:
            self.simulator.store.set_mode(name, Behaviour(mode=mode))

    async def ask_all(self) -> list[object]:
        return [
            await self.miseguridadsocial.find_person(DOCUMENT),
            await self.rethus.find_professional(DOCUMENT),
            await self.sso.find_placement(parse_document("CC", "1020304070")),
        ]


def document(number: str) -> Document:
    return parse_document("CC", number)


async def test_the_simulators_people_are_found(make_client: MakeClient) -> None:
    found = await SimulatedRegistries(make_client).ask_all()
    assert found[0] == ANA
    assert [type(item) for item in found] == [Person, HealthProfessional, Placement]


async def test_the_simulator_does_not_know_others(make_client: MakeClient) -> None:
    registries = SimulatedRegistries(make_client)
    nobody = document("999")
    assert await registries.miseguridadsocial.find_person(nobody) is None
    assert await registries.rethus.find_professional(nobody) is None
    assert await registries.sso.find_placement(nobody) is None


@pytest.mark.parametrize(
    ("number", "entity", "is_found"),
    [
        ("1020304081", Entity(kind=EntityKind.EPS, regime=Regime.CONTRIBUTIVO, nit="800200300"), True),
        ("1020304081", Entity(kind=EntityKind.EPS, regime=Regime.SUBSIDIADO, nit="800200300"), False),
        ("1020304084", Entity(kind=EntityKind.IPS, nit="900123456"), True),
        ("1020304084", Entity(kind=EntityKind.PROVIDER, nit="901500600"), True),
        ("1020304084", Entity(kind=EntityKind.PROVIDER, nit="900123456"), False),
    ],
)
async def test_the_simulators_delegates_are_found_by_entity(
    make_client: MakeClient,
    number: str,
    entity: Entity,
    is_found: bool,  # noqa: FBT001
) -> None:
    registry = SimulatedRegistries(make_client).miseguridadsocial
    assert (await registry.find_delegation(document(number), entity) is not None) is is_found


@pytest.mark.parametrize(
    ("department", "municipality", "is_found"), [("11", "11001", True), ("05", "05001", False)]
)
async def test_the_simulators_providers_are_found_by_place(
    make_client: MakeClient,
    department: str,
    municipality: str,
    is_found: bool,  # noqa: FBT001
) -> None:
    place = Entity(kind=EntityKind.PROVIDER, department=department, municipality=municipality)
    registry = SimulatedRegistries(make_client).miseguridadsocial
    assert (await registry.find_provider(document("1020304092"), place) is not None) is is_found


@pytest.mark.parametrize(("mode", "times"), [(Mode.ERROR, 1), (Mode.DOWN, 1), (Mode.GARBAGE, len(GARBAGE))])
async def test_every_way_in_which_the_simulator_fails_is_a_technical_failure(
    make_client: MakeClient, mode: Mode, times: int
) -> None:
    registries = SimulatedRegistries(make_client)
    registries.set_mode(mode)
    for _ in range(times):
        await failure_of(registries.miseguridadsocial.find_person(DOCUMENT))
        await failure_of(registries.rethus.find_professional(DOCUMENT))
        await failure_of(registries.sso.find_placement(DOCUMENT))
    registries.set_mode(Mode.UP)
    assert None not in await registries.ask_all()


async def test_the_simulator_takes_the_right_token_only(make_client: MakeClient) -> None:
    assert None not in await SimulatedRegistries(make_client, token="s3cret").ask_all()
    failure = await failure_of(SimulatedRegistries(make_client, token="wrong").ask_all())
    assert failure.cause == "HTTP status 401"
