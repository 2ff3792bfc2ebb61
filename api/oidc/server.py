"""Authlib's server over the product's clients, codes and tokens.

Authlib calls back without `await`, inside `AsyncSession.run_sync`: `Bound` holds the session of that call. What it
leaves to others is here: PKCE with S256 only, one authentication a request, a code and a refresh token used once.
"""

import base64
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_plus

from authlib.oauth2.rfc6749 import (
    AccessDeniedError,
    AuthorizationServer,
    ClientMixin,
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Payload,
    OAuth2Request,
)
from authlib.oauth2.rfc6749 import grants as rfc6749
from authlib.oauth2.rfc7636 import CodeChallenge, create_s256_code_challenge
from authlib.oidc.core import OpenIDToken
from sqlalchemy.orm import Session

from api.oidc.assertions import PRIVATE_KEY_JWT, ClientAssertion
from api.oidc.paths import OF_CLIENTS
from mipres.database import grants
from mipres.database.grants import Asked, Login, TokenKind
from mipres.database.tables import OidcGrantRow
from mipres.domain.audit import AuditEvent
from mipres.domain.clients import SCOPES, Client, PersonFacts, claims_of, may_enter, profiles_for
from mipres.domain.eligibility import today_in_bogota
from mipres.domain.second_factor import SecondFactorRule, is_multi_factor
from mipres.oidc_keys import SigningKeys, signed

_BY_SECRET = ("client_secret_basic", "client_secret_post")
AUTHENTICATIONS = (*_BY_SECRET, PRIVATE_KEY_JWT)
ID_TOKEN_SECONDS = 300
MULTI_FACTOR, PASSWORD_ONLY = "urn:mipres:2fa", "urn:mipres:pwd"
"""Values of `acr`: how strongly the person has proved who they are."""
_CHALLENGE_CHARACTERS = 43

Answer = tuple[int, Any, Sequence[tuple[str, str]]]


class RegisteredClient(ClientMixin):  # type: ignore[misc]
    """A client as Authlib asks about it."""

    def __init__(self, client: Client, *, now: datetime) -> None:
        self.own, self._now = client, now

    def get_client_id(self) -> str:
        return self.own.client_id

    def get_default_redirect_uri(self) -> None:
        """No address is the default one, so each request has to name its own."""

    def get_allowed_scope(self, scope: str | None) -> str:
        return " ".join(item for item in (scope or "").split() if item in SCOPES)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.own.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        return self.own.has_secret(client_secret, now=self._now)

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return method in AUTHENTICATIONS

    def check_response_type(self, response_type: str) -> bool:
        return bool(response_type == "code")

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in {"authorization_code", "refresh_token"}


class _Payload(OAuth2Payload):  # type: ignore[misc]
    def __init__(self, values: Mapping[str, Sequence[str]]) -> None:
        self._lists = defaultdict(list, {name: list(found) for name, found in values.items()})

    @property
    def data(self) -> dict[str, str]:
        return {name: found[-1] for name, found in self._lists.items()}

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        return self._lists


class Received(OAuth2Request):  # type: ignore[misc]
    """One request, as Authlib reads it.

    Args:
        values: The parameters of its query or its form, each as often as it was sent.
    """

    def __init__(
        self, method: str, uri: str, values: Mapping[str, Sequence[str]], headers: Mapping[str, str]
    ) -> None:
        # Behind a proxy the inner address is plain http; the settings decide about the outer one.
        super().__init__(method, uri.replace("http://", "https://", 1), headers=headers)
        self.payload = _Payload(values)

    @property
    def args(self) -> dict[str, str]:
        data: dict[str, str] = self.payload.data
        return data

    @property
    def form(self) -> dict[str, str]:
        data: dict[str, str] = self.payload.data
        return data


@dataclass(kw_only=True)
class Bound:
    """What one call works with.

    Attributes:
        db: The session of the call's transaction.
        login: Who is logged in, at the authorization.
        events: What the trail records at the end of the transaction.
    """

    db: Session
    now: datetime
    login: Login | None = None
    events: list[AuditEvent] = field(default_factory=list)


class _Grant:
    """A code or refresh token that was claimed, as Authlib reads it."""

    def __init__(self, row: OidcGrantRow, scope: str) -> None:
        self.row = row
        self.scope = scope
        self.code_challenge = row.code_challenge

    def get_redirect_uri(self) -> str:
        return self.row.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def check_client(self, client: RegisteredClient) -> bool:
        return self.row.client_id == client.own.client_id


class _Code(rfc6749.AuthorizationCodeGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = list(AUTHENTICATIONS)  # noqa: RUF012 - Authlib's own form.

    def save_authorization_code(self, code: str, request: Received) -> None:
        bound: Bound = self.server.bound
        data = request.payload.data
        asked = Asked(
            client_id=request.client.own.client_id,
            redirect_uri=data["redirect_uri"],
            scope=request.client.get_allowed_scope(request.scope),
            nonce=data.get("nonce"),
            code_challenge=data["code_challenge"],
        )
        grants.open_grant(bound.db, request.user, asked, code=code, now=bound.now)

    def create_authorization_response(self, _redirect_uri: str, grant_user: Login | None) -> Answer:
        """Give the code alone; all answers get their address in one place."""
        if grant_user is None:
            # The session has ended since it was looked at.
            raise AccessDeniedError
        self.request.user, code = grant_user, grants.new_value()
        self.save_authorization_code(code, self.request)
        return HTTPStatus.OK, {"code": code}, ()

    def query_authorization_code(self, code: str, client: RegisteredClient) -> _Grant | None:
        """Claim it: Authlib asks once, and uses it up only after it has issued tokens."""
        bound: Bound = self.server.bound
        own_id = client.own.client_id
        row = grants.claim_code(bound.db, code, own_id, now=bound.now, events=bound.events)
        return _Grant(row, row.scope) if row else None

    def delete_authorization_code(self, _authorization_code: _Grant) -> None:
        """Nothing is left to do: the claim has used it up."""

    def authenticate_user(self, authorization_code: _Grant) -> PersonFacts | None:
        person: PersonFacts | None = self.server.person_of(authorization_code.row, self.request.client.own)
        return person


class _Refresh(rfc6749.RefreshTokenGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = list(AUTHENTICATIONS)  # noqa: RUF012 - Authlib's own form.
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> _Grant | None:
        """Claim it; a request for more than it may have leaves it as it was."""
        bound: Bound = self.server.bound
        client_id = self.request.client.own.client_id
        wanted = set((self.request.payload.scope or "").split())
        with bound.db.begin_nested():
            found = grants.claim_refresh_token(
                bound.db, refresh_token, client_id, now=bound.now, events=bound.events
            )
            if found and not wanted <= set(found[0].scope.split()):
                raise InvalidScopeError
        return _Grant(found[1], found[0].scope) if found else None

    def authenticate_user(self, refresh_token: _Grant) -> PersonFacts:
        person: PersonFacts | None = self.server.person_of(refresh_token.row, self.request.client.own)
        if person is None:
            # Authlib would blame the request; an application then never asks the person to log in again.
            raise InvalidGrantError
        return person

    def revoke_old_credential(self, _refresh_token: _Grant) -> None:
        """Nothing is left to do: the claim has used it up."""


class _S256(CodeChallenge):  # type: ignore[misc]
    """PKCE (RFC 7636) is required of every client, and `plain` is none."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]  # noqa: RUF012 - Authlib's own form.
    CODE_CHALLENGE_METHODS = {  # noqa: RUF012 - Authlib's own form.
        "S256": lambda verifier, challenge: create_s256_code_challenge(verifier) == challenge
    }

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        data = grant.request.payload.data
        if data.get("code_challenge_method") != "S256":
            raise InvalidRequestError(
                "code_challenge_method must be S256", redirect_uri=redirect_uri, state=data.get("state")
            )
        if len(data.get("code_challenge", "")) != _CHALLENGE_CHARACTERS:
            raise InvalidRequestError(
                "code_challenge is missing or malformed", redirect_uri=redirect_uri, state=data.get("state")
            )
        super().validate_code_challenge(grant, redirect_uri)

    def get_authorization_code_challenge_method(self, _authorization_code: _Grant) -> str:
        return "S256"


class _IdToken(OpenIDToken):  # type: ignore[misc]
    """The id_token: Authlib decides when, the product says what."""

    def __init__(self, server: "Provider") -> None:
        self._server = server

    def encode_id_token(self, token: Mapping[str, Any], request: Received) -> str:
        credential: _Grant = request.authorization_code or request.refresh_token
        # A nonce is of the answer to its request, and not of what is refreshed later (Core 12.2).
        nonce = credential.row.nonce if request.authorization_code else None
        return self._server.id_token(
            credential.row, request.client.own, request.user, scope=token["scope"], nonce=nonce
        )


class Provider(AuthorizationServer):  # type: ignore[misc]
    """One call's server: made for it, because it holds the call's transaction."""

    def __init__(
        self,
        clients: Mapping[str, Client],
        keys: SigningKeys,
        *,
        issuer: str,
        factor_rule: SecondFactorRule,
        bound: Bound,
    ) -> None:
        super().__init__(scopes_supported=list(SCOPES))
        self._factor_rule = factor_rule
        self._clients, self._keys, self._issuer = clients, keys, issuer
        self.bound = bound
        self.register_token_generator("default", self._new_token)
        audiences = frozenset({issuer, *(f"{issuer}{path}" for path in OF_CLIENTS)})
        self.register_client_auth_method("client_secret_basic", _by_basic)
        by_key = ClientAssertion(bound.db, audiences, now=bound.now, events=bound.events)
        self.register_client_auth_method(PRIVATE_KEY_JWT, by_key)
        id_token = _IdToken(self)
        self.register_grant(_Code, [_S256(required=True), id_token])
        self.register_grant(_Refresh, [id_token])

    # ---- What Authlib asks of a framework

    def query_client(self, client_id: str) -> RegisteredClient | None:
        client = self._clients.get(client_id)
        return RegisteredClient(client, now=self.bound.now) if client else None

    def create_oauth2_request(self, request: Received) -> Received:
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> Answer:
        return status, body, headers

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """No part of the product listens to Authlib's signals."""

    def authenticate_client(
        self, request: Received, methods: Sequence[str], endpoint: str = "token"
    ) -> RegisteredClient:
        """Refuse two authentications at once (RFC 6749, section 2.3)."""
        given = sum(name in request.form for name in ("client_secret", "client_assertion"))
        has_basic = request.headers.get("authorization", "").lower().startswith("basic ")
        if given + has_basic > 1:
            raise InvalidRequestError("more than one client authentication")
        client: RegisteredClient = super().authenticate_client(request, methods, endpoint)
        named = request.form.get("client_id")
        if named is not None and named != client.own.client_id:
            raise InvalidClientError(status_code=401)
        return client

    def validate_requested_scope(self, scope: str | None) -> None:
        """Require `openid`; scopes that are not known count for nothing."""
        if "openid" not in (scope or "").split():
            raise InvalidScopeError("scope must contain openid")

    def save_token(self, token: Mapping[str, Any], request: Received) -> None:
        credential: _Grant = request.authorization_code or request.refresh_token
        # An access token may have less for once; the refresh token keeps all (RFC 6749, section 6).
        for name, kind, scope in (
            ("access_token", TokenKind.ACCESS, token["scope"]),
            ("refresh_token", TokenKind.REFRESH, credential.scope),
        ):
            if value := token.get(name):
                grants.store_token(
                    self.bound.db, credential.row.id, kind, value, scope=scope, now=self.bound.now
                )

    # ---- What the product decides

    def person_of(self, row: OidcGrantRow, client: Client) -> PersonFacts | None:
        """The person, while the access that the client is for is in force.

        None too for a login with less than is required by now, or that the person was never asked about.
        """
        if client.external and not grants.is_allowed(self.bound.db, row):
            return None
        person = grants.person_of(self.bound.db, row.account_id, now=self.bound.now)
        today = today_in_bogota(self.bound.now)
        if person is None or not may_enter(person, client.audience, today=today):
            return None
        is_enough = is_multi_factor(row.amr) or not self.requires_factor(person, client)
        return person if is_enough else None

    def requires_factor(self, person: PersonFacts, client: Client) -> bool:
        """Whether the application, or what it may learn, needs a second factor."""
        learnt = profiles_for(person, client.audience, today=today_in_bogota(self.bound.now))
        return client.require_second_factor or self._factor_rule.demands(
            profile.access.user_type for profile in learnt
        )

    def id_token(
        self, row: OidcGrantRow, client: Client, person: PersonFacts, *, scope: str, nonce: str | None
    ) -> str:
        now, today = int(self.bound.now.timestamp()), today_in_bogota(self.bound.now)
        claims = {
            "iss": self._issuer,
            "aud": client.client_id,
            "iat": now,
            "exp": now + ID_TOKEN_SECONDS,
            "auth_time": int(row.auth_time.timestamp()),
            "sid": str(row.session_id),
            "amr": list(row.amr),
            "acr": acr_of(row.amr),
            **claims_of(person, frozenset(scope.split()), client.audience, today=today),
        }
        if nonce:
            claims["nonce"] = nonce
        return signed(self._keys, claims)

    def _new_token(
        self, client: RegisteredClient, grant_type: str, scope: str | None = None, **_others: object
    ) -> dict[str, Any]:
        allowed = client.get_allowed_scope(scope)
        token = {
            "token_type": "Bearer",
            "access_token": grants.new_value(),
            "expires_in": int(grants.ACCESS_LIFETIME.total_seconds()),
            "scope": allowed,
        }
        if grant_type == _Refresh.GRANT_TYPE or "offline_access" in allowed.split():
            token["refresh_token"] = grants.new_value()
        return token


def acr_of(amr: Sequence[str]) -> str:
    return MULTI_FACTOR if is_multi_factor(amr) else PASSWORD_ONLY


def _by_basic(query_client: Callable[[str], RegisteredClient | None], request: Received) -> Any:
    """`client_secret_basic`: each part is form-encoded (RFC 6749, section 2.3.1).

    Programs that leave the encoding out are understood, too; Authlib ends with an error of its own over odd bytes.
    """
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except ValueError:
        return None
    client = query_client(unquote_plus(name))
    is_own = client and any(client.check_client_secret(each) for each in (unquote_plus(secret), secret))
    return client if is_own else None
