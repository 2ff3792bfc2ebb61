"""Device cookies: they tell the browser of an owner from a stranger's.

After OWASP, "Device cookies". The cookie is signed and opens nothing: failures of its browser are counted by
themselves, so that failures of strangers at the same login do not keep its owner out.
"""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import timedelta

from fastapi import Request, Response
from itsdangerous import BadSignature, URLSafeTimedSerializer

from api.security import Cookies

LIFETIME = timedelta(days=180)
"""Since the last success of the browser at the login."""
_COOKIE = "equipo"
_BETWEEN = "~"
# A computer of a hospital has several users; the size of a cookie is limited.
_MOST_LOGINS = 8
_NAME_BYTES = 12


class DeviceCookies:
    """Keeps in one cookie a signed name of the browser for each login it has proven.

    Neither a login nor anything else about a person can be read in it: the login is only part of the signature.
    """

    def __init__(self, key: bytes, *, cookies: Cookies, older_keys: Sequence[bytes] = ()) -> None:
        # Of several keys the last one signs, and all verify.
        self._keys = [*older_keys, key]
        self._cookies = cookies

    def known(self, request: Request, login: str) -> str | None:
        """Return the name of this browser at this login, if it has proven its password."""
        signer = self._signer(login)
        names = (_signed(signer, token) for token in self._tokens(request))
        return next((name for name in names if name), None)

    def remember(self, request: Request, response: Response, login: str) -> None:
        """Give the browser a new name after it has proven the password of this login."""
        signer = self._signer(login)
        others = [token for token in self._tokens(request) if not _signed(signer, token)]
        tokens = [signer.dumps(secrets.token_urlsafe(_NAME_BYTES)), *others][:_MOST_LOGINS]
        lifetime = int(LIFETIME.total_seconds())
        self._cookies.set(response, _COOKIE, _BETWEEN.join(tokens), max_age=lifetime)

    def _tokens(self, request: Request) -> list[str]:
        sent = self._cookies.get(request, _COOKIE) or ""
        return [token for token in sent.split(_BETWEEN)[:_MOST_LOGINS] if token]

    def _signer(self, login: str) -> URLSafeTimedSerializer:
        bound = hashlib.sha256(login.encode(errors="replace")).digest()
        return URLSafeTimedSerializer(self._keys, salt=b"device" + bound)


def _signed(signer: URLSafeTimedSerializer, token: str) -> str | None:
    try:
        name = signer.loads(token, max_age=int(LIFETIME.total_seconds()))
    except (BadSignature, UnicodeEncodeError):
        return None
    return name if isinstance(name, str) else None
