"""A small HTTP/1.1 client.

One kept connection, so that the driver costs little of what it measures.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from dev.probes import LOOPBACK

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a server answered.

    Attributes:
        headers: By lower-case name.
        cookies: Those that it set; empty ones are dropped.
    """

    status_code: int
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        decoded: dict[str, Any] = json.loads(self.body)
        return decoded

    @property
    def text(self) -> str:
        return self.body.decode()


class UnexpectedAnswerError(Exception):
    """A server answered what no measurement can go on with."""


@dataclass(kw_only=True, eq=False)
class Connection:
    """One visitor: a connection that opens again when the server closed it; cookies.

    Attributes:
        cookies: By name, without those that the server has dropped.
    """

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    @property
    def is_open(self) -> bool:
        """Whether a connection is kept that the server has not closed."""
        return self._streams is not None and not self._streams[0].at_eof()

    async def get(self, path: str, /, *, follow: bool = True, key: str | None = None) -> Answer:
        return await self._send("GET", path, _authorization(key), b"", follow=follow)

    async def post(
        self,
        path: str,
        /,
        *,
        data: Mapping[str, str] | None = None,
        json: object = None,
        key: str | None = None,
        follow: bool = True,
    ) -> Answer:
        """Send a form, or JSON with an API key."""
        if data is not None:
            return await self._send("POST", path, _FORM, urlencode(data).encode(), follow=follow)
        headers = {**_JSON, **_authorization(key)}
        return await self._send("POST", path, headers, _encoded(json), follow=follow)

    async def put(self, path: str, /, *, json: object) -> Answer:
        return await self._ask("PUT", path, _JSON, _encoded(json))

    async def delete(self, path: str, /) -> Answer:
        return await self._ask("DELETE", path, {}, b"")

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, *, follow: bool
    ) -> Answer:
        answer = await self._ask(method, path, headers, body)
        while follow and answer.status_code == HTTPStatus.SEE_OTHER:
            answer = await self._ask("GET", answer.headers["location"].removeprefix(self._origin), {}, b"")
        return answer

    @property
    def _origin(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    async def _ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        kept = self._streams is not None
        try:
            return await self._exchange(method, path, headers, body)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.close()
            if not kept:
                raise
        # The server closed a connection that had been idle for long.
        return await self._exchange(method, path, headers, body)

    async def _exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if self._streams is None:
            self._streams = await asyncio.open_connection(LOOPBACK, self.port)
        reader, writer = self._streams
        lines = [f"{method} {path} HTTP/1.1", f"Host: {LOOPBACK}:{self.port}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if self.cookies:
            lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        try:
            answer = await _read(reader)
        except BaseException:
            # The rest of an answer that nobody waited for would be read as the next one.
            self.close()
            raise
        known = {**self.cookies, **answer.cookies}
        self.cookies = {name: content for name, content in known.items() if content}
        if answer.headers.get("connection") == "close":
            self.close()
        return answer


def _authorization(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def _encoded(value: object) -> bytes:
    return json.dumps(value).encode()


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    cookies: dict[str, str] = {}
    for line in filter(None, head[1:]):
        name, _, value = line.partition(": ")
        if name.lower() == "set-cookie":
            cookie, _, content = value.partition(";")[0].partition("=")
            cookies[cookie] = "" if "Max-Age=0" in value else content
        else:
            headers[name.lower()] = value
    length = int(headers.get("content-length", "0"))
    return Answer(
        status_code=int(head[0].split(" ")[1]),
        headers=headers,
        cookies=cookies,
        body=await reader.readexactly(length),
    )


def expect(answer: Answer, *statuses: int) -> Answer:
    """Return the answer, or raise with the beginning of what came instead."""
    if answer.status_code not in statuses:
        raise UnexpectedAnswerError(f"{answer.status_code} {answer.text[:300]}")
    return answer
