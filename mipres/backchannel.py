"""OpenID Connect Back-Channel Logout: what applications hear of sessions that have ended."""

import asyncio
import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from mipres.domain.clients import Client, EndedLogin, LogoutAnswer
from mipres.oidc_keys import SigningKeys, signed
from mipres.ports import Clock

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
TOKEN_LIFETIME = timedelta(minutes=2)
TIMEOUT_SECONDS = 5.0
_NOT_NOW = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


class HttpLogoutMessenger:
    """Implements ports.LogoutMessenger.

    Args:
        clients: By id; only their registered addresses are ever called.
        keys: Asked for at the first logout: without applications there may be none.
        issuer: How the product names itself in tokens.
        clock: Dates the tokens.
        timeout: Seconds for a whole call.
    """

    def __init__(
        self,
        clients: Mapping[str, Client],
        *,
        keys: Callable[[], SigningKeys],
        issuer: str,
        clock: Clock,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self._clients = clients
        self._keys, self._issuer, self._clock, self._timeout = keys, issuer, clock, timeout
        self._http = httpx2.AsyncClient(
            timeout=timeout,
            follow_redirects=False,
            # One person's cookie must not go out with the next person's call.
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=())),
        )

    @property
    def silent(self) -> Collection[str]:
        return [client.client_id for client in self._clients.values() if not client.backchannel_logout_uri]

    async def close(self) -> None:
        await self._http.aclose()

    async def tell(self, login: EndedLogin) -> LogoutAnswer:
        client = self._clients.get(login.client_id)
        if client is None or client.backchannel_logout_uri is None:
            # This process does not know it, so it must not decide that it has no address; another may.
            return LogoutAnswer.NONE
        form = {"logout_token": self._logout_token(login)}
        try:
            # The body is nobody's concern, so it is not read.
            async with (
                asyncio.timeout(self._timeout),
                self._http.stream("POST", client.backchannel_logout_uri, data=form) as response,
            ):
                return _judged(response)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError):
            return LogoutAnswer.NONE

    def _logout_token(self, login: EndedLogin) -> str:
        now = self._clock.now()
        claims = {
            "iss": self._issuer,
            "aud": login.client_id,
            "iat": int(now.timestamp()),
            "exp": int((now + TOKEN_LIFETIME).timestamp()),
            "jti": str(uuid.uuid4()),
            "sub": str(login.account_id),
            "sid": str(login.session_id),
            "events": {LOGOUT_EVENT: {}},
        }
        return signed(self._keys(), claims, typ="logout+jwt")


def _judged(response: httpx2.Response) -> LogoutAnswer:
    if response.is_success:
        return LogoutAnswer.ACCEPTED
    if response.is_client_error and response.status_code not in _NOT_NOW:
        return LogoutAnswer.REFUSED
    return LogoutAnswer.DEFERRED
