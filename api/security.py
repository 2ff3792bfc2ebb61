"""Cookies, the tokens of forms, and the keys of programs."""

import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from enum import StrEnum

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import Response

from mipres.domain.origins import origin_of

FORM_LIFETIME_SECONDS = 2 * 60 * 60
FORM_NOT_TAKEN = "formulario=anterior"
"""Query of a page of support that is shown again in place of taking its form."""
_VISIT_BYTES = 18
_NAME = re.compile(r"[\w-]+", re.ASCII)


class FormTokenState(StrEnum):
    """Whether a form's token can be trusted."""

    VALID = "valid"
    EXPIRED = "expired"
    ANOTHER_VISIT = "another_visit"
    WRONG = "wrong"


class Cookies:
    """Names and flags of the cookies. Over https they are `__Host-` and Secure."""

    def __init__(self, *, https: bool) -> None:
        self._https = https

    def name(self, short: str) -> str:
        return f"__Host-mipres_{short}" if self._https else f"mipres_{short}"

    def get(self, request: Request, short: str) -> str | None:
        return request.cookies.get(self.name(short))

    def names(self, request: Request, beginning: str) -> list[str]:
        """The short names of the cookies that begin so.

        The product gives no other names, and a name with other signs could not be dropped.
        """
        own, known = self.name(""), request.cookies
        return [
            name.removeprefix(own)
            for name in known
            if name.startswith(own + beginning) and _NAME.fullmatch(name)
        ]

    def visit(self, request: Request) -> str:
        """Name the visit by its cookie; a new one has one name for the whole request."""
        known = self.get(request, "visita") or getattr(request.state, "visit", None)
        request.state.visit = known or new_visit()
        return str(request.state.visit)

    def set(
        self, response: Response, short: str, value: str, *, max_age: int | None = None, strict: bool = False
    ) -> None:
        """Set a cookie; a link from another site does not carry a strict one.

        Addresses bring signs that no cookie can carry. No genuine value has them, and mail programs add some to links.
        """
        response.set_cookie(
            self.name(short),
            value.encode("ascii", "ignore").decode(),
            max_age=max_age,
            path="/",
            httponly=True,
            secure=self._https,
            samesite="strict" if strict else "lax",
        )

    def drop(self, response: Response, short: str) -> None:
        response.delete_cookie(self.name(short), path="/", httponly=True, secure=self._https, samesite="lax")


class FormTokens:
    """CSRF tokens: a dated signature over the visit's cookie."""

    def __init__(self, key: bytes, *, cookies: Cookies, older_keys: Sequence[bytes] = ()) -> None:
        # Of several keys the last one signs, and all verify.
        self._serializer = URLSafeTimedSerializer([*older_keys, key], salt="form")
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
        if isinstance(signed, str) and hmac.compare_digest(signed.encode(), visit.encode()):
            return state
        return FormTokenState.ANOTHER_VISIT if state is FormTokenState.VALID else FormTokenState.WRONG


def new_visit() -> str:
    return secrets.token_urlsafe(_VISIT_BYTES)


def is_cross_site(request: Request, *, public_url: str) -> bool:
    """Whether a browser says that a form was sent from another site.

    Programs other than browsers send neither header; for them the token alone decides.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = request.headers.get("origin")
    if origin is None:
        return False
    # Not parsed: what only a program writes there may be no address at all.
    return origin.partition("://")[2] not in {
        request.headers.get("host"),
        origin_of(public_url).partition("://")[2],
    }


def api_key_in(authorization: str | None, keys: Iterable[str]) -> str | None:
    """Which of the keys a header carries, in a time that reveals nothing."""
    scheme, _, given = (authorization or "").partition(" ")
    candidate = given.encode(errors="surrogatepass")
    matches = [key for key in keys if hmac.compare_digest(candidate, key.encode())]
    return matches[0] if matches and scheme.lower() == "bearer" else None
