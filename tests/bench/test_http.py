"""The driver's client."""

import asyncio

import pytest

from bench.http import Connection

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"


async def test_what_is_left_of_an_answer_that_was_given_up_is_not_the_next_answer() -> None:
    is_half_sent, may_go_on = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.readline():
            await reader.readuntil(b"\r\n\r\n")
            path = request.split()[1]
            writer.write(ANSWER + path.ljust(10))
            if path == b"/slow":
                is_half_sent.set()
                await may_go_on.wait()
            writer.write(path.ljust(10))
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        client = Connection(port=server.sockets[0].getsockname()[1])
        given_up = asyncio.create_task(client.get("/slow"))
        await is_half_sent.wait()
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        may_go_on.set()
        assert (await client.get("/next")).text.split() == ["/next", "/next"]
        client.close()


async def test_a_cookie_that_the_server_drops_is_sent_no_more() -> None:
    sent: list[bytes] = []
    cookies = iter(
        [b"Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\n", b'Set-Cookie: a=""; Max-Age=0; Path=/\r\n']
    )

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            sent.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + next(cookies, b"") + b"\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        client = Connection(port=server.sockets[0].getsockname()[1])
        for _ in range(3):
            await client.get("/")
        client.close()
    found = [
        next((line for line in request.split(b"\r\n") if line.startswith(b"Cookie")), b"") for request in sent
    ]
    assert found == [b"", b"Cookie: a=1; b=2", b"Cookie: b=2"]
