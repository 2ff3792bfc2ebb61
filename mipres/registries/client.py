"""One HTTP client for every registry: strict about answers, because a wrong one must not refuse anybody."""

import json
import re
from collections.abc import Mapping
from datetime import date
from http import HTTPStatus
from typing import Annotated, TypeVar

import httpx2
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from mipres.domain.errors import RegistryUnavailableError

MAX_BODY_BYTES = 64 * 1024
TIMEOUT = httpx2.Timeout(10.0, connect=3.0)
LIMITS = httpx2.Limits(max_connections=50)
# Our own schedule tries every five minutes; a registry may not slow it further than that.
_TOO_LONG_TO_WAIT = 300.0


class RegistryModel(BaseModel):
    """Base of the registries' answers. Unknown fields are ignored: registries may add some."""

    # Pydantic would print the person's data into the error otherwise.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, str_strip_whitespace=True)


def _written_out(value: object) -> object:
    if not isinstance(value, str) or not re.match(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        raise ValueError("a day is written as year-month-day")
    return value


# Pydantic alone would read a number as seconds since 1970, and a sanction would be over.
Day = Annotated[date, BeforeValidator(_written_out)]
_M = TypeVar("_M", bound=RegistryModel)


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
            transport=transport,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def find(self, path: str, answer: type[_M], params: Mapping[str, str] | None = None) -> _M | None:
        """GET `path`; None for 404.

        Raises:
            RegistryUnavailableError: anything else than a well-formed 200 or a 404. The message
                never repeats the address, which carries the document.
        """
        try:
            async with self._http.stream("GET", path, params=dict(params or {})) as response:
                if response.status_code == HTTPStatus.NOT_FOUND:
                    return None
                if response.status_code != HTTPStatus.OK:
                    raise self._bad_status(response)
                body = await self._bounded(response)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise RegistryUnavailableError(self.name, type(error).__name__) from None
        return self._parsed(answer, body)

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

    def _parsed(self, answer: type[_M], body: bytes) -> _M:
        try:
            return answer.model_validate(json.loads(body))
        except ValidationError:
            raise RegistryUnavailableError(self.name, "the answer has the wrong shape") from None
        except (ValueError, RecursionError):
            raise RegistryUnavailableError(self.name, "the answer is not JSON") from None


def _retry_after(value: str | None) -> float | None:
    """Seconds that the registry asks for; dates and absurd values are left to our own schedule."""
    if value is None or not value.isascii() or not value.isdigit():
        return None
    return min(float(value), _TOO_LONG_TO_WAIT)
