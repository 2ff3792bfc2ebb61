"""One HTTP client for every registry, and the one judgement of its answers.

An answer is *found*, *not found* (only with the registry's own mark) or a technical failure that names
registry, field and kind of fault. A wrong answer refuses nobody, and lets nobody in.
"""

import asyncio
import json
from collections.abc import Mapping
from email.message import Message
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, TypeVar

import httpx2
from pydantic import ValidationError

from mipres.domain.documents import Document, is_same_document
from mipres.domain.errors import RegistryUnavailableError
from mipres.domain.server_faults import class_of
from mipres.registries.fields import TWO_VALUES, RegistryModel, Text

MAX_BODY_BYTES = 64 * 1024
CALL_SECONDS: Final = 10.0
"""How long a whole call may take.

Each byte of an answer that drips comes in time for the library's own limits."""
TIMEOUT = httpx2.Timeout(CALL_SECONDS, connect=3.0)
# Servers close a connection that rests: gunicorn after two seconds, Node.js and uvicorn after five. A call that meets such an
# end would count as an outage, so a connection that has rested for long is not used again.
LIMITS = httpx2.Limits(max_connections=50, keepalive_expiry=1.0)
# Our own schedule tries every five minutes; a registry may not slow it further than that.
_TOO_LONG_TO_WAIT = 300.0
_NOT_FOUND_MARK = "not_found"
_LONGEST_CAUSE = 200
# Whole numbers up to here are exact as floats.
_LARGEST_EXACT: Final = 2**53

_M = TypeVar("_M", bound=RegistryModel)


class PersonalAnswer(RegistryModel):
    """An answer about one person, whom it may name."""

    type: Text = ""
    number: Text = ""

    def is_about(self, document: Document) -> bool:
        """Whether it names nobody else."""
        written_type, written_number = self.type or document.type, self.number or document.number
        return is_same_document(document, type_code=written_type, number=written_number)


class RegistryClient:
    """GETs of one registry.

    Args:
        name: The registry's name, as in the task queue `registry-<name>`.
        base_url: Address without a trailing slash.
        token: Bearer token, if the registry wants one.
        transport: Replaced in tests.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        token: str | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = name
        self._http = httpx2.AsyncClient(
            base_url=base_url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=TIMEOUT,
            limits=LIMITS,
            follow_redirects=False,
            # One person's cookie must not go out with the next person's call.
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=())),
            transport=transport,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def find(
        self, path: str, answer: type[_M], document: Document, params: Mapping[str, str] | None = None
    ) -> _M | None:
        """GET `path`; None for the registry's own "not found" about this document.

        Raises:
            RegistryUnavailableError: any other answer than that and a well-formed 200. The message
                never repeats the address, which carries the document.
        """
        try:
            async with (
                asyncio.timeout(CALL_SECONDS),
                self._http.stream("GET", path, params=dict(params or {})) as response,
            ):
                if response.status_code not in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
                    raise self._bad_status(response)
                body = await self._bounded(response)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            raise self.failure(class_of(error)) from None
        content_type = response.headers.get("Content-Type", "")
        if response.status_code == HTTPStatus.OK:
            return self.read(answer, self._json(body, content_type))
        self._check_not_found(body, content_type, document)
        return None

    def failure(self, cause: str) -> RegistryUnavailableError:
        """The technical failure of this registry.

        The cause names the kind of fault, never a value.
        """
        return RegistryUnavailableError(self.name, cause[:_LONGEST_CAUSE])

    def check_person(self, answer: PersonalAnswer, document: Document, *, path: str = "") -> None:
        """Raise the technical failure of an answer about somebody else.

        A mail must never reach them.
        """
        if not answer.is_about(document):
            raise self.failure(f"{path}number: another person's")

    async def _bounded(self, response: httpx2.Response) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise RegistryUnavailableError(self.name, "the answer is too large")
        return bytes(body)

    def _bad_status(self, response: httpx2.Response) -> RegistryUnavailableError:
        return RegistryUnavailableError(
            self.name,
            f"HTTP status {response.status_code}",
            retry_after_seconds=_retry_after(response.headers.get("Retry-After")),
        )

    def _check_not_found(self, body: bytes, content_type: str, document: Document) -> None:
        """Raise unless a 404 is the registry's own word about this person.

        A proxy or another program says 404 too. A `type` alone is what RFC 9457 calls the kind of problem.
        """
        try:
            content = self._json(body, content_type)
        except RegistryUnavailableError:
            content = None
        if not isinstance(content, dict) or content.get("code") != _NOT_FOUND_MARK:
            raise self.failure("HTTP status 404 without the code not_found")
        if content.get("number") is not None:
            self.check_person(self.read(PersonalAnswer, content), document)

    def _json(self, body: bytes, content_type: str) -> object:
        try:
            charset = None if _shows_utf8(body) else _declared_charset(content_type)
            # Without a declaration it is one of the encodings of Unicode, which the parser tells apart.
            return json.loads(
                body.decode(charset) if charset else body,
                parse_int=str,
                parse_float=_number_as_text,
                object_pairs_hook=_object,
            )
        except (ValueError, LookupError, RecursionError):
            raise self.failure("the answer is not JSON") from None

    def read(self, answer: type[_M], content: object, *, path: str = "") -> _M:
        """Read an answer, or the part of one at `path`.

        Raise the technical failure that names its first fault.
        """
        try:
            return answer.model_validate(content)
        except ValidationError as error:
            raise self.failure(_first_fault(error, path)) from None
        except RecursionError:
            raise self.failure(f"{path or 'the answer'}: nested too deeply") from None


def _number_as_text(number: str) -> str:
    """Write a number as it is meant.

    Spreadsheets and scripts make `1020304050.0` of 1020304050.
    """
    value = float(number)
    return str(int(value)) if value.is_integer() and abs(value) <= _LARGEST_EXACT else number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object whose names stand once each.

    The last of two lists of sanctions may be the empty one.
    """
    content: dict[str, Any] = {}
    for name, value in pairs:
        content[name] = TWO_VALUES if name in content and content[name] != value else value
    return content


def _shows_utf8(body: bytes) -> bool:
    """Whether it is UTF-8 whatever was declared, as some servers do of every answer.

    No word of another charset happens to be well-formed UTF-8 with more than ASCII in it.
    """
    try:
        return not body.isascii() and bool(body.decode())
    except UnicodeDecodeError:
        return False


def _declared_charset(content_type: str) -> str | None:
    header = Message()
    header["Content-Type"] = content_type
    charset = header.get_content_charset()
    # ASCII is the part of UTF-8 that its declarers mean when they declare it out of habit.
    return None if charset is None or charset.startswith("utf") or charset.endswith("ascii") else charset


def _first_fault(error: ValidationError, start: str) -> str:
    """Path of the field and kind of fault: `sanctions[0].end: not a day`."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    steps = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    path = (start + "".join(steps)).lstrip(".")
    kind = {
        "missing": "missing",
        "model_type": "not an object",
        "model_attributes_type": "not an object",
    }.get(first["type"], first["msg"])
    return f"{path or 'the answer'}: {kind}"


def _retry_after(value: str | None) -> float | None:
    """Seconds that the registry asks for.

    Dates and absurd values are left to our own schedule.
    """
    if value is None or not value.isascii() or not value.isdigit():
        return None
    return min(float(value), _TOO_LONG_TO_WAIT)
