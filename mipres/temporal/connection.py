"""The only way to a Temporal client.

Pydantic data converter, encryption, encoded failures.
"""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Self, TypeVar

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client, Interceptor, TLSConfig
from temporalio.common import SearchAttributeIndexedValueType as ValueType
from temporalio.common import SearchAttributeKey
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
    SerializationContext,
)
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from mipres.domain.errors import MipresError
from mipres.temporal.answers import TemporalUnavailableError, translated
from mipres.temporal.codec import OPERATOR_ENCODING, REFUSED_ENCODING, EncryptionCodec, Fault
from mipres.temporal.trust import MarkedPayloadConverter, RefusingPayloadConverter

# How the command line calls the types of search attributes.
_TYPES = {
    ValueType.KEYWORD: "Keyword",
    ValueType.KEYWORD_LIST: "KeywordList",
    ValueType.DATETIME: "Datetime",
    ValueType.INT: "Int",
}
# Temporal Cloud answers these to clients that may not read the list; there the workflows' own names must do.
_NOT_FOR_US = {RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED}

T = TypeVar("T")
_AGAIN_SECONDS = 2.0
# The SDK tries for half a minute to connect to a server that stands still.
SILENCE_SECONDS = 10.0
CONNECT_SECONDS = 5.0
# Registrations under way at the same moment have a few places each.
_PLACES = 512


class SearchAttributesMissingError(MipresError):
    """The namespace lacks search attributes. The text is the Spanish line to show."""


_JSON = PydanticJSONPlainPayloadConverter()
"""One for the whole process.

The SDK makes a payload converter for each workflow run, and each would learn every
type again: milliseconds of every registration, and most of the memory of one that waits."""


class _PayloadConverter(CompositePayloadConverter):
    marked: type[MarkedPayloadConverter]

    def __init__(self) -> None:
        super().__init__(*_parts(self.marked))


@cache
def _parts(marked: type[MarkedPayloadConverter]) -> Sequence[EncodingPayloadConverter]:
    """What all payload converters of a kind share.

    The SDK makes a dozen of them for each registration.
    """
    return (
        *(
            _JSON if isinstance(converter, JSONPlainPayloadConverter) else converter
            for converter in DefaultPayloadConverter.default_encoding_payload_converters
        ),
        *(marked(encoding) for encoding in (REFUSED_ENCODING, OPERATOR_ENCODING)),
    )


class WorkerPayloadConverter(_PayloadConverter):
    """Hands refused payloads to the interceptors of a worker; else pydantic's."""

    marked = MarkedPayloadConverter


class ClientPayloadConverter(_PayloadConverter):
    """The same for a client, which has nothing to decide: a refused payload raises."""

    marked = RefusingPayloadConverter


class _Converter(DataConverter):
    """Keeps the converters of the places that it was asked for last.

    The SDK asks ten times for each activity, and each time would build all of them again.
    """

    def with_context(self, context: SerializationContext) -> Self:
        placed: Self = _placed(self, context)
        return placed


@lru_cache(maxsize=_PLACES)
def _placed(converter: DataConverter, context: SerializationContext) -> Any:
    return DataConverter.with_context(converter, context)


def data_converter(
    keys: Mapping[str, bytes],
    *,
    active: str,
    converter: type[CompositePayloadConverter] = ClientPayloadConverter,
    on_refused: Callable[[Fault, str], None] | None = None,
) -> DataConverter:
    """Converter that leaves nothing readable without the keys, nor believes it."""
    return _Converter(
        payload_converter_class=converter,
        payload_codec=EncryptionCodec(keys, active=active, on_refused=on_refused),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TemporalConnection:
    """Where the server is and how to speak to it.

    Attributes:
        converter: `WorkerPayloadConverter` for a worker, whose interceptors decide about refused payloads.
        on_refused: Called with the fault and the scope of each payload that is refused.
    """

    address: str
    namespace: str
    payload_keys: Mapping[str, bytes]
    active_payload_key: str
    api_key: str | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_ca: Path | None = None
    converter: type[CompositePayloadConverter] = ClientPayloadConverter
    on_refused: Callable[[Fault, str], None] | None = None

    def tls(self) -> TLSConfig | bool:
        """Mutual TLS with a certificate, plain TLS with an API key or a CA, else none."""
        if self.tls_cert is None and self.tls_ca is None:
            return self.api_key is not None
        return TLSConfig(
            server_root_ca_cert=_read(self.tls_ca),
            client_cert=_read(self.tls_cert),
            client_private_key=_read(self.tls_key),
        )


async def connect(
    connection: TemporalConnection,
    *,
    identity: str,
    lazy: bool = False,
    interceptors: Sequence[Interceptor] = (),
    runtime: Runtime | None = None,
) -> Client:
    """Connect; `lazy` waits for the first call, so that a process can start first."""
    client = await Client.connect(
        connection.address,
        namespace=connection.namespace,
        api_key=connection.api_key,
        tls=connection.tls(),
        data_converter=data_converter(
            connection.payload_keys,
            active=connection.active_payload_key,
            converter=connection.converter,
            on_refused=connection.on_refused,
        ),
        identity=identity,
        lazy=lazy,
        interceptors=interceptors,
        runtime=runtime,
        connect_timeout=timedelta(seconds=CONNECT_SECONDS),
    )
    if lazy:
        _bound_the_first_connection(client)
    return client


def _bound_the_first_connection(client: Client) -> None:
    """Let no call wait long for it; it goes on meanwhile, for the calls after it.

    The SDK has no limit of its own but half a minute, and calls wait for one another.
    """
    service: Any = client.service_client
    connect_once = service._connected_client  # noqa: SLF001 - the SDK has no public place for it.
    connecting: asyncio.Task[Any] | None = None

    async def in_time() -> Any:
        nonlocal connecting
        if connecting is None or connecting.done():
            connecting = asyncio.create_task(connect_once())
            # Where all have given up, no call asks for its error.
            connecting.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        done, _ = await asyncio.wait({connecting}, timeout=CONNECT_SECONDS)
        if not done:
            raise TimeoutError
        connected = connecting.result()
        service._connected_client = connect_once  # noqa: SLF001
        return connected

    service._connected_client = in_time  # noqa: SLF001


async def until_it_answers(
    asking: Callable[[], Awaitable[T]], *, on_away: Callable[[TemporalUnavailableError], None]
) -> T:
    """Ask as soon as the server answers, however long that takes.

    Args:
        asking: Asks once; nothing is done twice where the answer to an attempt was lost.
        on_away: Called once, at the first attempt that fails or lasts.
    """
    said = asyncio.Event()

    def say(error: TemporalUnavailableError) -> None:
        if not said.is_set():
            said.set()
            on_away(error)

    nothing = TemporalUnavailableError("no answer in time")
    silence = asyncio.get_running_loop().call_later(SILENCE_SECONDS, say, nothing)
    try:
        while True:
            try:
                with translated():
                    return await asking()
            except TemporalUnavailableError as error:
                say(error)
            await asyncio.sleep(_AGAIN_SECONDS)
    finally:
        silence.cancel()


async def require_search_attributes(client: Client, keys: Sequence[SearchAttributeKey[Any]]) -> None:
    """Look at once for what would otherwise stop every registration in its first step.

    Raises:
        SearchAttributesMissingError: some are not registered, or with another type.
    """
    try:
        listed = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
    except RPCError as error:
        if error.status in _NOT_FOR_US:
            return
        raise
    missing = {
        key.name: _TYPES[key.indexed_value_type]
        for key in keys
        if int(listed.custom_attributes.get(key.name, 0)) != key.indexed_value_type.value
    }
    if missing:
        raise SearchAttributesMissingError(_remedy(client.namespace, missing))


def _remedy(namespace: str, missing: Mapping[str, str]) -> str:
    names = ", ".join(f"{name} ({kind})" for name, kind in missing.items())
    options = " ".join(f"--name {name} --type {kind}" for name, kind in missing.items())
    return (
        f"Faltan atributos de búsqueda en el espacio de nombres {namespace} de Temporal, o son de otro tipo: "
        f"{names}. Regístrelos con: temporal operator search-attribute create --namespace {namespace} {options}"
    )


def _read(path: Path | None) -> bytes | None:
    return path.read_bytes() if path else None
