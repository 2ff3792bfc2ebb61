"""Why Temporal gives no answer, and which setting an operator reads of."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio.service import RPCError, RPCStatusCode

from dev.probes import LOOPBACK, free_port
from mipres.temporal.answers import (
    AccessRefusedError,
    ConnectionCutError,
    NamespaceMissingError,
    RequestRefusedError,
    TemporalUnavailableError,
    TlsDisagreementError,
    UnknownHostError,
    UnreadableAnswerError,
    fault_for_operators,
    translated,
)
from mipres.temporal.connection import TemporalConnection, connect
from tests.certificates import certificate_of, new_key, pem_of

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's certificate and key, and an authority that knows neither."""
    directory, key = tmp_path_factory.mktemp("tls"), new_key()
    (directory / "crt").write_bytes(certificate_of(key, host="localhost"))
    (directory / "key").write_bytes(pem_of(key))
    (directory / "other").write_bytes(certificate_of(new_key(), host="localhost"))
    return directory


def in_clear(_directory: Path) -> None:
    return None


def encrypted(directory: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "crt", directory / "key")
    context.set_alpn_protocols(["h2"])
    return context


def for_known_clients(directory: Path) -> ssl.SSLContext:
    context = encrypted(directory)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(directory / "crt")
    return context


@asynccontextmanager
async def listener(context: ssl.SSLContext | None) -> AsyncIterator[int]:
    """Something that takes connections, knows no gRPC, and cuts them."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(cut, LOOPBACK, 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def failure_at(port: int, authority: Path | None) -> TemporalUnavailableError:
    connection = TemporalConnection(
        address=f"localhost:{port}",
        namespace="registro",
        payload_keys={"uno": bytes(32)},
        active_payload_key="uno",
        tls_ca=authority,
    )
    with pytest.raises(TemporalUnavailableError) as caught, translated():
        await connect(connection, identity="test")
    return caught.value


@pytest.mark.parametrize(
    ("server", "authority", "kind", "named"),
    [
        (in_clear, "crt", TlsDisagreementError, "MIPRES_TEMPORAL_TLS_CA"),
        (encrypted, "other", TlsDisagreementError, "MIPRES_TEMPORAL_TLS_CA"),
        (encrypted, None, ConnectionCutError, "corta la conexión"),
        (for_known_clients, "crt", ConnectionCutError, "MIPRES_TEMPORAL_TLS_…"),
        (in_clear, None, ConnectionCutError, "corta la conexión"),
    ],
)
async def test_a_server_with_which_no_connection_comes_about_is_named(
    directory: Path,
    server: Callable[[Path], ssl.SSLContext | None],
    authority: str | None,
    kind: type[TemporalUnavailableError],
    named: str,
) -> None:
    async with listener(server(directory)) as port:
        error = await failure_at(port, directory / authority if authority else None)
    assert type(error) is kind
    assert named in fault_for_operators(error, address=f"localhost:{port}", namespace="registro")


async def test_where_nothing_listens_nothing_answers() -> None:
    error = await failure_at(port := free_port(), None)
    assert type(error) is TemporalUnavailableError
    said = fault_for_operators(error, address=f"localhost:{port}", namespace="registro")
    assert said == f"Temporal no responde en localhost:{port}"


UNREACHED = "Failed client connect: Server connection error: "
CUT = "Failed client connect: `get_system_info` call error after connection: Status { code: "


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (f'{UNREACHED}ConnectError("dns error", Custom {{ kind: Uncategorized }})', UnknownHostError),
        (f'{CUT}Unauthenticated, message: "no key", source: None }}', AccessRefusedError),
        (f'{CUT}PermissionDenied, message: "not yours", source: None }}', AccessRefusedError),
        (f'{CUT}Unavailable, message: "starting", source: None }}', TemporalUnavailableError),
        (
            f"{CUT}Cancelled, source: Some(tonic::transport::Error(TimeoutExpired(()))) }}",
            TemporalUnavailableError,
        ),
        (f"{UNREACHED}received fatal alert: CertificateRequired", TlsDisagreementError),
    ],
)
def test_the_sdks_words_about_a_failure_to_connect_have_a_kind(
    said: str, kind: type[TemporalUnavailableError]
) -> None:
    with pytest.raises(TemporalUnavailableError) as caught, translated():
        raise RuntimeError(said)
    assert type(caught.value) is kind


@pytest.mark.parametrize("status", [RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.PERMISSION_DENIED])
def test_a_key_that_is_not_admitted_is_no_outage(status: RPCStatusCode) -> None:
    with pytest.raises(AccessRefusedError) as caught, translated():
        raise RPCError("Request unauthorized.", status, b"")
    said = fault_for_operators(caught.value, address="temporal:7233", namespace="registro")
    assert "MIPRES_TEMPORAL_API_KEY" in said


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (NamespaceMissingError(), "el namespace registro: revise MIPRES_TEMPORAL_NAMESPACE"),
        (UnreadableAnswerError(), "MIPRES_PAYLOAD_KEYS"),
        (UnknownHostError(), "temporal:7233: revise MIPRES_TEMPORAL_ADDRESS"),
    ],
)
def test_a_setting_that_is_wrong_is_named(error: TemporalUnavailableError, named: str) -> None:
    assert named in fault_for_operators(error, address="temporal:7233", namespace="registro")


@pytest.mark.parametrize(
    "status",
    [RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.RESOURCE_EXHAUSTED],
)
def test_a_server_that_answers_with_a_refusal_is_not_called_silent(status: RPCStatusCode) -> None:
    with pytest.raises(RequestRefusedError) as caught, translated():
        raise RPCError("not {here}", status, b"")
    said = fault_for_operators(caught.value, address="temporal:7233", namespace="registro")
    assert said == f"Temporal en temporal:7233 responde que no lo hace ({status.name}: not {{here}})"


def test_how_support_hears_of_an_outage_has_one_owner() -> None:
    """`except RPCError` forgets what a client that never connected raises."""
    sources = (ROOT / "mipres" / "support").glob("*.py")
    assert [path.name for path in sources if "RPCError" in path.read_text(encoding="utf-8")] == []
