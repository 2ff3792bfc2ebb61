"""What a client can send before the application sees a request."""

import asyncio
import secrets

from dev.attacks.target import Target, need
from dev.probes import LOOPBACK

_ENDLESS_BYTES = 1024 * 1024
_CHUNK = b"x" * 65536
_ANSWER_SECONDS = 5.0
_HOST = b"Host: mipres.test\r\n"


async def endless_headers(target: Target) -> bool:
    """Send a header that does not end; the server has to end it."""
    reader, writer = await asyncio.open_connection(LOOPBACK, target.api_port)
    writer.write(b"GET / HTTP/1.1\r\n" + _HOST + b"X-Long: ")
    try:
        for _ in range(_ENDLESS_BYTES // len(_CHUNK)):
            writer.write(_CHUNK)
            await writer.drain()
        # A server that bounds it answers or closes; one that does not waits for the rest.
        await asyncio.wait_for(reader.read(), _ANSWER_SECONDS)
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    finally:
        writer.close()
    return True


async def websocket_in_the_log(target: Target) -> bool:
    """Ask for a WebSocket at an address that must not be logged."""
    secret = secrets.token_hex(16)
    upgrade = (
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    )
    status = await _status(target, f"/contrasena/{secret}?{secret}", _HOST + upgrade)
    need(status != b"", "the server gave no answer")
    return status != b"101" and not any(secret in line for line in target.stack.lines)


async def two_hosts(target: Target) -> bool:
    """Name two hosts, or none."""
    need(await _status(target, "/health/live", _HOST) == b"200", "one host is not answered")
    return {await _status(target, "/health/live", hosts) for hosts in (b"", _HOST * 2)} == {b"400"}


async def _status(target: Target, path: str, headers: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(LOOPBACK, target.api_port)
    writer.write(b"GET " + path.encode() + b" HTTP/1.1\r\n" + headers + b"Connection: close\r\n\r\n")
    try:
        answer = await asyncio.wait_for(reader.read(), _ANSWER_SECONDS)
    finally:
        writer.close()
    return answer.split(b" ", 2)[1] if b" " in answer else b""
