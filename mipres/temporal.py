"""The only way to a Temporal client: pydantic data converter, encryption, encoded failures."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from temporalio.client import Client, TLSConfig
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes

from mipres.adapters.codec import EncryptionCodec


def data_converter(keys: Mapping[str, bytes], *, active: str) -> DataConverter:
    """Converter that leaves nothing readable in a history without the keys."""
    return dataclasses.replace(
        pydantic_data_converter,
        payload_codec=EncryptionCodec(keys, active=active),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TemporalConnection:
    """Where the server is and how to speak to it."""

    address: str
    namespace: str
    payload_keys: Mapping[str, bytes]
    active_payload_key: str
    api_key: str | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_ca: Path | None = None

    def tls(self) -> TLSConfig | bool:
        """Mutual TLS where a certificate is given, plain TLS with an API key or a CA, else none."""
        if self.tls_cert is None and self.tls_ca is None:
            return self.api_key is not None
        return TLSConfig(
            server_root_ca_cert=_read(self.tls_ca),
            client_cert=_read(self.tls_cert),
            client_private_key=_read(self.tls_key),
        )


async def connect(connection: TemporalConnection, *, identity: str, lazy: bool = False) -> Client:
    """Connect; `lazy` defers it to the first call, so a process can start before the server."""
    return await Client.connect(
        connection.address,
        namespace=connection.namespace,
        api_key=connection.api_key,
        tls=connection.tls(),
        data_converter=data_converter(connection.payload_keys, active=connection.active_payload_key),
        identity=identity,
        lazy=lazy,
    )


def _read(path: Path | None) -> bytes | None:
    return path.read_bytes() if path else None
