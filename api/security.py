"""Cross-site protection of forms, response headers, and the keys of the JSON API."""

import asyncio
import hmac
import secrets
from collections.abc import Mapping, Sequence
from enum import StrEnum
from http import HTTPStatus
from urllib.parse import urlsplit

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FORM_LIFETIME_SECONDS = 2 * 60 * 60
_VISIT_BYTES = 18

BASE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
        "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "accelerometer=(), bluetooth=(), camera=(), display-capture=(), fullscreen=(), geolocation=(), gyroscope=(), "
        "hid=(), magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-get=(), "
        "screen-wake-lock=(), serial=(), usb=(), xr-spatial-tracking=()"
    ),
    "Cache-Control": "no-store",
}
_HSTS = "max-age=31536000; includeSubDomains"


class SecurityHeaders:
    """ASGI middleware: every answer carries the headers above unless the route set its own.

    Args:
        app: The application.
        https: Whether the public address is https; only then is HSTS sent.
    """

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._headers = BASE_HEADERS | ({"Strict-Transport-Security": _HSTS} if https else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class RequestLimits:
    """ASGI middleware: what a request may take of us. Bodies end in the application's own pages, which speak Spanish.

    Args:
        app: The application.
        most: Bytes that a body may have.
        larger: Paths, by how they begin, whose bodies may have more.
        most_headers: Bytes that all headers may have together; the server itself knows no such limit.
        patience_seconds: How long a body may take to arrive. A few bytes a minute would hold a place for ever.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        most: int,
        larger: Mapping[str, int] | None = None,
        most_headers: int,
        patience_seconds: float,
    ) -> None:
        self._app = app
        self._most = most
        self._larger = larger or {}
        self._most_headers = most_headers
        self._patience = patience_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if sum(len(name) + len(value) for name, value in scope["headers"]) > self._most_headers:
            # Nothing behind this reads such headers, not even to say so.
            refused = PlainTextResponse(
                "Solicitud no válida: el navegador envió demasiados datos de cabecera.",
                status_code=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            )
            await refused(scope, receive, send)
            return
        most = next(
            (most for start, most in self._larger.items() if scope["path"].startswith(start)), self._most
        )
        await self._app(scope, self._measured(receive, most), send)

    def _measured(self, receive: Receive, most: int) -> Receive:
        left, deadline, is_complete = most, asyncio.get_running_loop().time() + self._patience, False

        async def receive_some() -> Message:
            nonlocal left, is_complete
            try:
                # Once the body is here, the application only waits for the client to go away.
                async with asyncio.timeout_at(None if is_complete else deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(HTTPStatus.REQUEST_TIMEOUT) from None
            left -= len(message.get("body", b""))
            is_complete = not message.get("more_body", False)
            # What the client says of the length is not asked: it is counted as it comes.
            if left < 0:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return message

        return receive_some


class FormTokenState(StrEnum):
    """What a form's token is worth."""

    VALID = "valid"
    EXPIRED = "expired"
    WRONG = "wrong"


class Cookies:
    """Names and flags of the cookies. Over https they are `__Host-` and Secure."""

    def __init__(self, *, https: bool) -> None:
        self._https = https

    def name(self, short: str) -> str:
        return f"__Host-mipres_{short}" if self._https else f"mipres_{short}"

    def get(self, request: Request, short: str) -> str | None:
        return request.cookies.get(self.name(short))

    def set(
        self, response: Response, short: str, value: str, *, max_age: int | None = None, strict: bool = False
    ) -> None:
        """Give a cookie; a strict one does not come along from links of other sites."""
        response.set_cookie(
            self.name(short),
            value,
            max_age=max_age,
            path="/",
            httponly=True,
            secure=self._https,
            samesite="strict" if strict else "lax",
        )

    def drop(self, response: Response, short: str) -> None:
        response.delete_cookie(self.name(short), path="/", httponly=True, secure=self._https, samesite="lax")


class FormTokens:
    """CSRF tokens: a signature, with its time, over the visit's cookie. A login begins another visit."""

    def __init__(self, key: bytes, *, cookies: Cookies) -> None:
        self._serializer = URLSafeTimedSerializer(key, salt="form")
        self._cookies = cookies

    def issue(self, visit: str) -> str:
        return self._serializer.dumps(visit)

    def state(self, request: Request, token: object) -> FormTokenState:
        visit = self._cookies.get(request, "visita")
        if not visit or not isinstance(token, str):
            return FormTokenState.WRONG
        try:
            signed, state = self._serializer.loads(token, max_age=FORM_LIFETIME_SECONDS), FormTokenState.VALID
        except SignatureExpired as error:
            # The signature is genuine, so what it signed can be trusted.
            signed, state = self._serializer.load_payload(error.payload or b""), FormTokenState.EXPIRED
        except (BadSignature, UnicodeEncodeError):
            return FormTokenState.WRONG
        same = isinstance(signed, str) and hmac.compare_digest(signed.encode(), visit.encode())
        return state if same else FormTokenState.WRONG


def new_visit() -> str:
    return secrets.token_urlsafe(_VISIT_BYTES)


def comes_from_elsewhere(request: Request, *, public_url: str) -> bool:
    """Whether a browser says that a form was sent from another site.

    Programs that are no browsers send neither header; for them the token alone decides.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = request.headers.get("origin")
    if origin is None:
        return False
    return urlsplit(origin).netloc not in {request.headers.get("host"), urlsplit(public_url).netloc}


def origin_of(address: str) -> str:
    """The origin of an address as a browser tells it, without the path under which a page may live."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def is_api_key(authorization: str | None, keys: Sequence[str]) -> bool:
    """Whether an Authorization header carries one of the keys; the time tells nothing about them."""
    scheme, _, candidate = (authorization or "").partition(" ")
    matches = [hmac.compare_digest(candidate.encode(errors="surrogatepass"), key.encode()) for key in keys]
    return scheme.lower() == "bearer" and any(matches)
