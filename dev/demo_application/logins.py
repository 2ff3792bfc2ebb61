"""Who is logged in at the demonstration, and how the registry ends it.

OpenID Connect Back-Channel Logout 1.0, section 2.6.
"""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_ALGORITHMS = ["ES256", "RS256"]
_CLOCK_SKEW_SECONDS = 120


class LogoutTokenError(Exception):
    """A logout token that does not prove what it asks for."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """One person in one browser.

    Attributes:
        claims: What userinfo said.
        id_token: As it came, for the logout.
        sid: The session at the registry.
    """

    claims: Mapping[str, Any]
    id_token: str
    sid: str


@dataclass
class Logins:
    """The logins of this process, by a random name that the browser keeps."""

    _by_name: dict[str, Login] = field(default_factory=dict)
    _seen_tokens: dict[str, float] = field(default_factory=dict)

    def open(self, login: Login) -> str:
        name = secrets.token_urlsafe(32)
        self._by_name[name] = login
        return name

    def of(self, name: str | None) -> Login | None:
        return self._by_name.get(name or "")

    def end(self, name: str | None) -> Login | None:
        return self._by_name.pop(name or "", None)

    def end_session(self, logout_token: str, *, keys: KeySet, issuer: str, client_id: str) -> None:
        """End the logins of the session that a logout token names.

        Raises:
            LogoutTokenError: the token is not one of this registry for this application.
        """
        claims = _verified(logout_token, keys=keys, issuer=issuer, client_id=client_id)
        self._refuse_repeated(str(claims["jti"]))
        for name in [name for name, login in self._by_name.items() if login.sid == claims["sid"]]:
            del self._by_name[name]

    def _refuse_repeated(self, token_id: str) -> None:
        now = time.monotonic()
        self._seen_tokens = {seen: until for seen, until in self._seen_tokens.items() if until > now}
        if token_id in self._seen_tokens:
            raise LogoutTokenError("repeated")
        self._seen_tokens[token_id] = now + 2 * _CLOCK_SKEW_SECONDS


def _verified(token: str, *, keys: KeySet, issuer: str, client_id: str) -> dict[str, Any]:
    rules = jwt.JWTClaimsRegistry(
        leeway=_CLOCK_SKEW_SECONDS,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        iat={"essential": True},
        exp={"essential": True},
        jti={"essential": True},
        sid={"essential": True},
    )
    try:
        claims = jwt.decode(token, keys, algorithms=_ALGORITHMS).claims
        rules.validate(claims)
    except (JoseError, ValueError) as error:
        raise LogoutTokenError(type(error).__name__) from error
    if _EVENT not in (claims.get("events") or {}) or "nonce" in claims:
        raise LogoutTokenError("not a logout token")
    return claims
