"""Connections to PostgreSQL that are encrypted, by the options of the address."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import text

from dev.probes import LOOPBACK
from mipres.database.engine import create_engine


def write_certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate that is its own authority, for 127.0.0.1; its file and its key's."""
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    public, private = directory / "server.crt", directory / "server.key"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return public, private


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
async def encrypted(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[str, Path]]:
    """The test's database behind TLS, which its server lacks; address and authority."""
    public, private = write_certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(public, private)
    server = urlsplit(database_url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readexactly(8)
            writer.write(b"S")
            await writer.start_tls(context)
            behind, to_server = await asyncio.open_connection(server.hostname, server.port)
            await asyncio.gather(relay(reader, to_server), relay(behind, writer))

    listener = await asyncio.start_server(serve, LOOPBACK, 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield database_url.replace(f":{server.port}/", f":{port}/"), public


async def connects(url: str) -> None:
    engine = create_engine(url)
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    finally:
        await engine.dispose()


async def test_a_connection_is_verified_as_the_address_says(encrypted: tuple[str, Path]) -> None:
    url, authority = encrypted
    by_name = url.replace(f"@{LOOPBACK}:", "@localhost:")
    await connects(f"{url}?sslmode=require")
    await connects(f"{url}?sslmode=verify-full&sslrootcert={authority}")
    await connects(f"{by_name}?sslmode=verify-ca&sslrootcert={authority}")
    for refused in (
        f"{by_name}?sslmode=verify-full&sslrootcert={authority}",
        # The system's authorities do not know it, and need no file of their own.
        f"{url}?sslmode=verify-full",
        f"{url}?sslmode=verify-ca&sslrootcert=system",
    ):
        with pytest.raises(ssl.SSLCertVerificationError):
            await connects(refused)


async def test_options_of_the_address_reach_the_server(database_url: str) -> None:
    engine = create_engine(
        f"{database_url}?application_name=registro+uno&options=-c+search_path%3Dpg_catalog"
    )
    async with engine.connect() as connection:
        shown = [
            (await connection.execute(text(f"SHOW {name}"))).scalar_one()
            for name in ("application_name", "search_path", "lock_timeout")
        ]
    await engine.dispose()
    assert shown == ["registro uno", "pg_catalog", "10s"]
