"""`/oidc/…`: what applications and the browsers that they send here ask.

OpenID Connect Core 1.0, Discovery 1.0 and RP-Initiated Logout 1.0; RFC 6749, 7009, 7636, 7662, 9207 and 9700.
"""

import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from authlib.oauth2 import OAuth2Error
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from joserfc import jwt
from starlette.datastructures import FormData

from api.errors import SecondFactorDemandedError
from api.oidc import consent
from api.oidc.asked import ASKED_AT, DECLINED
from api.oidc.assertions import ASSERTION_ALGORITHMS
from api.oidc.paths import AUTHORIZE, DISCOVERY, INTROSPECT, JWKS, LOGOUT, REVOKE, TOKEN, USERINFO
from api.oidc.server import (
    AUTHENTICATIONS,
    MULTI_FACTOR,
    PASSWORD_ONLY,
    Answer,
    Bound,
    Provider,
    Received,
    acr_of,
)
from api.protection import CLIENT_CALL, PUBLIC, READS, SENT_ON, limited
from api.services import LoginDep, LoginServices, OidcDep, OidcServices
from api.signed_in import lacks_factor, leave, note_who_is_in, session_cookie, user_of
from mipres.database import grants
from mipres.database.grants import TokenKind
from mipres.database.sessions import LoggedInUser
from mipres.domain.applications import Application
from mipres.domain.audit import AuditEvent
from mipres.domain.clients import SCOPES, Client, claims_of
from mipres.domain.eligibility import today_in_bogota
from mipres.domain.limits import OIDC_CALLS
from mipres.domain.second_factor import SecondFactorRule, is_multi_factor
from mipres.oidc_keys import ALGORITHMS, PUBLISHED_SECONDS, UNREADABLE

router = APIRouter(include_in_schema=False)

_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_AGES, _NO_AGE = 10**9, -1
_WAY_BACK_SECONDS = 600
# An id_token as a hint names all profiles of its person.
_LONGEST = 8_000
# SHA-256 in base64url without padding (RFC 7636, section 4.2).
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_UNSUPPORTED = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}
_READ = frozenset(
    (
        *("client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce"),
        *("prompt", "max_age", "acr_values", "login_hint", "id_token_hint", ASKED_AT, DECLINED),
        *("code_challenge", "code_challenge_method", "code_verifier", "grant_type", "code", "refresh_token"),
        *("token", "client_secret", "client_assertion", "client_assertion_type"),
        *("post_logout_redirect_uri", *_UNSUPPORTED),
    )
)
"""Parameters that mean something here.

Any other is ignored (RFC 6749, sections 3.1 and 3.2).
"""
_ADDRESSED, _STATE = frozenset(("client_id", "redirect_uri")), frozenset(("state",))
_MALFORMED = {
    "error": "invalid_request",
    "error_description": "a parameter stands twice, is too long, or has characters that it may not have",
}
_FREE_TEXTS = frozenset(("state", "nonce", "login_hint", "client_secret", "token"))
_NEW_LOGIN = frozenset(("login", "select_account"))
_CLAIMS = (
    *("sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "sid", "amr", "acr"),
    *("preferred_username", "name", "email", "document", "profiles", "roles"),
)


class _UnreadableError(Exception):
    """A parameter stands twice, or has characters that none may have."""


class _RefusedError(Exception):
    """What the application is answered instead of a code (RFC 6749, section 4.1.2.1)."""

    def __init__(self, error: str, description: str) -> None:
        self.error, self.description = error, description
        super().__init__(error)


# ---- What everybody may read


@router.api_route(DISCOVERY, methods=READS, dependencies=[PUBLIC])
async def discovery(services: OidcDep) -> Response:
    issuer = services.issuer
    return JSONResponse(
        {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}{AUTHORIZE}",
            "token_endpoint": f"{issuer}{TOKEN}",
            "userinfo_endpoint": f"{issuer}{USERINFO}",
            "jwks_uri": f"{issuer}{JWKS}",
            "revocation_endpoint": f"{issuer}{REVOKE}",
            "introspection_endpoint": f"{issuer}{INTROSPECT}",
            "end_session_endpoint": f"{issuer}{LOGOUT}",
            "backchannel_logout_supported": True,
            "backchannel_logout_session_supported": True,
            "scopes_supported": list(SCOPES),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": sorted({*ALGORITHMS.values()}),
            "token_endpoint_auth_methods_supported": list(AUTHENTICATIONS),
            "token_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGORITHMS,
            "revocation_endpoint_auth_methods_supported": list(AUTHENTICATIONS),
            "revocation_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGORITHMS,
            "introspection_endpoint_auth_methods_supported": list(AUTHENTICATIONS),
            "introspection_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGORITHMS,
            "acr_values_supported": [PASSWORD_ONLY, MULTI_FACTOR],
            "prompt_values_supported": ["none", "login", "consent", "select_account"],
            "claims_supported": list(_CLAIMS),
            "claims_parameter_supported": False,
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
            "authorization_response_iss_parameter_supported": True,
            "ui_locales_supported": ["es-CO"],
        }
    )


@router.api_route(JWKS, methods=READS, dependencies=[PUBLIC])
async def jwks(services: OidcDep) -> Response:
    headers = {"Cache-Control": f"public, max-age={PUBLISHED_SECONDS}"}
    return JSONResponse(services.keys().published(), headers=headers)


# ---- The browser comes from an application


@router.post(AUTHORIZE, dependencies=[SENT_ON])
async def authorize_by_form(request: Request) -> Response:
    """Ask again by GET: a form from another site carries no session."""
    return await _sent_on(request, AUTHORIZE)


@router.api_route(AUTHORIZE, methods=READS, dependencies=[PUBLIC])
async def authorize(request: Request, services: OidcDep, login: LoginDep) -> Response:
    """Give the application a code for the person who is in, or have the person log in."""
    items = request.query_params.multi_items()
    values = _readable(items, _ADDRESSED)
    client = services.clients.get(values.get("client_id", ""))
    # Without both there is no address that can be trusted with an answer.
    if client is None or values.get("redirect_uri") not in client.redirect_uris:
        return await _refused_here(request, services, login)
    values |= _readable(items, _STATE)
    try:
        values = _once(items)
        for refusal in _refusals(values):
            raise refusal
        demand = _demand(services, client, values)
        user = await _who_may_go_on(request, services, login, demand, values)
        asks = user is not None and await _asks_consent(services, client, values, user)
    except _UnreadableError:
        return _to_client(services, values, _MALFORMED)
    except _RefusedError as refusal:
        answer = {"error": refusal.error, "error_description": refusal.description}
        return _to_client(services, values, answer)
    if user is None:
        return await _to_login(request, services, login, client, values)
    if asks:
        await note_who_is_in(login, request)
        return consent.ask(request, services, client, values, user)
    token = login.cookies.get(request, session_cookie(user.application)) or ""
    return await _with_code(request, services, values, token)


async def _asks_consent(
    services: OidcServices, client: Client, values: Mapping[str, str], user: LoggedInUser
) -> bool:
    """Whether the person has to decide first.

    Raises:
        _RefusedError: the person has said no, or may not be asked.
    """
    if not await consent.must_ask(services, client, values, user):
        return False
    if "none" in values.get("prompt", "").split():
        raise _RefusedError("consent_required", "the person has not allowed it")
    if DECLINED in values:
        raise _RefusedError("access_denied", "the person does not allow it")
    return True


@dataclass(frozen=True, kw_only=True)
class _Demand:
    """Who may have the code.

    Attributes:
        client: Whose doors the person may be in at.
        account: The only one that will do, where the application names one.
    """

    client: Client
    second_factor: bool
    account: str | None


def _demand(services: OidcServices, client: Client, values: Mapping[str, str]) -> _Demand:
    """What the application and its request demand of the person.

    Raises:
        _RefusedError: the hint was not signed here for this application.
    """
    levels, hint = values.get("acr_values", "").split(), None
    if "id_token_hint" in values:
        hint = _hint(services, values["id_token_hint"])
        if hint is None or hint["aud"] != client.client_id:
            raise _RefusedError("invalid_request", "id_token_hint is not an id_token of this client")
    # In order of preference: a password alone is enough where it stands in the list, too.
    strong_only = MULTI_FACTOR in levels and PASSWORD_ONLY not in levels
    return _Demand(
        client=client,
        second_factor=client.require_second_factor or strong_only,
        account=hint["sub"] if hint else None,
    )


async def _who_may_go_on(
    request: Request, services: OidcServices, login: LoginServices, demand: _Demand, values: Mapping[str, str]
) -> LoggedInUser | None:
    """The person who gets the code; None where one has to log in first.

    Raises:
        _RefusedError: the application gets an error instead.
        SecondFactorDemandedError: the person sets one up first.
    """
    prompts, since = frozenset(values.get("prompt", "").split()), services.asked.since(values)
    user = await _who(request, login, demand, since=since, is_active="none" not in prompts)
    if user is None or _must_log_in_again(user, values, prompts, since=since, now=services.clock.now()):
        if "none" in prompts:
            raise _RefusedError("login_required", "no person is in who may enter")
        if user is None and any(_is_after(other, since) for other in await _all_in(request, login, demand)):
            raise _RefusedError("login_required", "another person logged in than id_token_hint names")
        return None
    # After the moment: a login that is asked for again shows the factor, too.
    if await _owes_factor(services, login, demand, user):
        if "none" in prompts:
            raise _RefusedError("interaction_required", "the person needs a second factor")
        raise SecondFactorDemandedError(user.application, back=f"{AUTHORIZE}?{urlencode(values)}")
    return user


async def _who(
    request: Request, login: LoginServices, demand: _Demand, *, since: datetime | None, is_active: bool
) -> LoggedInUser | None:
    """The person who is in at one of the doors, with access today.

    Of two, the one who logged in for this very request: that may have been at the less usual door.
    """
    found = None
    for door in demand.client.audience.doors:
        user = await user_of(request, login, door, is_active=is_active, before_factor=True)
        if user is None or demand.account not in {None, str(user.account_id)}:
            continue
        if since is None or _is_after(user, since):
            return user
        found = found or user
    return found


async def _all_in(request: Request, login: LoginServices, demand: _Demand) -> list[LoggedInUser]:
    """Who is in at one of the doors, where the application names one person."""
    doors = demand.client.audience.doors if demand.account else ()
    found = [await user_of(request, login, door, is_active=False, before_factor=True) for door in doors]
    return [user for user in found if user is not None]


async def _owes_factor(
    services: OidcServices, login: LoginServices, demand: _Demand, user: LoggedInUser
) -> bool:
    """Whether a factor is demanded that was not shown.

    Also for what another door opens.
    """
    if is_multi_factor(user.amr):
        return False
    if lacks_factor(login, user):
        return True
    if demand.second_factor or services.factor_rule is SecondFactorRule.OPTIONAL:
        return demand.second_factor

    def is_required(provider: Provider) -> bool:
        person = grants.person_of(provider.bound.db, user.account_id, now=provider.bound.now)
        return person is not None and provider.requires_factor(person, demand.client)

    return bool(await _call(services, is_required))


def _is_after(user: LoggedInUser, since: datetime | None) -> bool:
    """Whether the person logged in for this very request."""
    return since is not None and user.authenticated_at >= since


def _must_log_in_again(
    user: LoggedInUser,
    values: Mapping[str, str],
    prompts: frozenset[str],
    *,
    since: datetime | None,
    now: datetime,
) -> bool:
    """Whether the login is too old for the request.

    For one that asks for another login, each is, unless it was for this very request.
    """
    oldest = _NO_AGE if _NEW_LOGIN & prompts else int(values.get("max_age", _AGES))
    if _is_after(user, since):
        # The browser keeps the address of the request: later it is no way around another login.
        oldest = max(oldest, _WAY_BACK_SECONDS)
    return (now - user.authenticated_at).total_seconds() > oldest


async def _to_login(
    request: Request, services: OidcServices, login: LoginServices, client: Client, values: Mapping[str, str]
) -> Response:
    """Show the login of that application; it leads back to this request."""
    back = f"{AUTHORIZE}?{services.asked.dated(values)}"
    doors = client.audience.doors
    links = {door: f"/ingreso/{door}?{urlencode({'volver': back})}" for door in doors}
    if len(doors) == 1:
        return RedirectResponse(links[doors[0]], status_code=HTTPStatus.SEE_OTHER, headers=_NO_STORE)
    await note_who_is_in(login, request)
    return services.pages.render(request, "oidc_door", client=client, links=links)


async def _with_code(
    request: Request, services: OidcServices, values: Mapping[str, str], token: str
) -> Response:
    received = _received(request, {name: [value] for name, value in values.items()})

    def grant(provider: Provider) -> Answer:
        provider.bound.login = grants.login_of(provider.bound.db, token, now=provider.bound.now)
        try:
            allowed = provider.get_consent_grant(received, end_user=provider.bound.login)
        except OAuth2Error as error:
            return error.status_code, {"error": error.error}, ()
        answer: Answer = provider.create_authorization_response(
            received, grant_user=provider.bound.login, grant=allowed
        )
        return answer

    _status, body, _headers = await _call(services, grant)
    return _to_client(services, values, body)


# ---- The application's own calls


@router.post(TOKEN, dependencies=[limited(OIDC_CALLS, is_for_programs=True), CLIENT_CALL])
async def token(request: Request, services: OidcDep) -> Response:
    """Exchange a code or a refresh token."""
    received = await _from_client(request)
    if received is None or "grant_type" not in received.form:
        return _invalid()
    return _as_json(await _call(services, lambda provider: provider.create_token_response(received)))


@router.api_route(USERINFO, methods=READS, dependencies=[PUBLIC])
async def userinfo(request: Request, services: OidcDep) -> Response:
    """The claims of the token's scopes, as they are at this moment."""
    return await _userinfo(request, services)


@router.post(USERINFO, dependencies=[limited(OIDC_CALLS, is_for_programs=True), CLIENT_CALL])
async def userinfo_by_form(request: Request, services: OidcDep) -> Response:
    return await _userinfo(request, services)


async def _userinfo(request: Request, services: OidcServices) -> Response:
    values = _bearer_tokens(request, await request.form() if request.method == "POST" else FormData())
    if not values:
        return _no_claims(HTTPStatus.UNAUTHORIZED, "")
    if len(values) > 1:
        return _no_claims(HTTPStatus.BAD_REQUEST, "invalid_request")

    def claims(provider: Provider) -> dict[str, Any] | None:
        bound = provider.bound
        found = grants.live_token(bound.db, values[0], now=bound.now)
        if found is None or found[0].kind != TokenKind.ACCESS:
            return None
        row, grant = found
        client = services.clients.get(grant.client_id)
        person = provider.person_of(grant, client) if client else None
        if client is None or person is None:
            return None
        today = today_in_bogota(bound.now)
        return claims_of(person, frozenset(row.scope.split()), client.audience, today=today)

    found = await _call(services, claims)
    if found is None:
        return _no_claims(HTTPStatus.UNAUTHORIZED, "invalid_token")
    if not found:
        return _no_claims(HTTPStatus.FORBIDDEN, "insufficient_scope")
    return JSONResponse(found, headers=_NO_STORE)


def _bearer_tokens(request: Request, form: FormData) -> list[str]:
    """The access tokens of a request (RFC 6750, sections 2.1 and 2.2)."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    in_header = [value.strip()] if scheme.lower() == "bearer" and value.strip() else []
    return [*in_header, *(text for name, text in _texts(form) if name == "access_token")]


def _no_claims(status: HTTPStatus, error: str) -> Response:
    """Say which token opens the claims (RFC 6750, section 3)."""
    challenge = f'Bearer realm="oidc", error="{error}"' if error else 'Bearer realm="oidc"'
    return Response(status_code=status, headers={**_NO_STORE, "WWW-Authenticate": challenge})


@router.post(REVOKE, dependencies=[limited(OIDC_CALLS, is_for_programs=True), CLIENT_CALL])
async def revoke(request: Request, services: OidcDep) -> Response:
    """End a token of the client's with its family (RFC 7009).

    What is unknown is no error.
    """

    def ending(provider: Provider, client: Client, value: str) -> dict[str, Any]:
        grants.end_family(provider.bound.db, value, client.client_id, now=provider.bound.now)
        return {}

    return await _for_token(request, services, ending)


@router.post(INTROSPECT, dependencies=[limited(OIDC_CALLS, is_for_programs=True), CLIENT_CALL])
async def introspect(request: Request, services: OidcDep) -> Response:
    """Whether a token of the client's opens anything now (RFC 7662)."""

    def looking(provider: Provider, client: Client, value: str) -> dict[str, Any]:
        bound = provider.bound
        found = grants.live_token(bound.db, value, now=bound.now)
        if found is None or found[1].client_id != client.client_id:
            return {"active": False}
        row, grant = found
        person = provider.person_of(grant, client)
        if person is None:
            return {"active": False}
        return {
            "active": True,
            "scope": row.scope,
            "client_id": client.client_id,
            "username": person.login,
            "sub": person.subject,
            "token_type": "Bearer" if row.kind == TokenKind.ACCESS else "refresh_token",
            "exp": int(row.expires_at.timestamp()),
            "iat": int(row.issued_at.timestamp()),
            "iss": services.issuer,
            "aud": client.client_id,
            "acr": acr_of(grant.amr),
        }

    return await _for_token(request, services, looking)


async def _for_token(
    request: Request,
    services: OidcServices,
    work: Callable[[Provider, Client, str], dict[str, Any]],
) -> Response:
    received = await _from_client(request)
    if received is None or "token" not in received.form:
        return _invalid()

    def call(provider: Provider) -> Answer:
        try:
            client = provider.authenticate_client(received, AUTHENTICATIONS).own
        except OAuth2Error as error:
            return error.status_code, dict(error.get_body()), ()
        return HTTPStatus.OK, work(provider, client, received.form["token"]), ()

    return _as_json(await _call(services, call))


# ---- Leaving


@router.post(LOGOUT, dependencies=[SENT_ON])
async def log_out_by_form(request: Request) -> Response:
    return await _sent_on(request, LOGOUT)


@router.api_route(LOGOUT, methods=READS, dependencies=[PUBLIC])
async def log_out(request: Request, services: OidcDep, login: LoginDep) -> Response:
    """End the session that the application names, or ask the person which it is."""
    try:
        values = _once(request.query_params.multi_items())
    except _UnreadableError:
        return await _refused_here(request, services, login)
    hint = _hint(services, values.get("id_token_hint"))
    client = services.clients.get(hint["aud"]) if hint else services.clients.get(values.get("client_id", ""))
    if hint and values.get("client_id", hint["aud"]) != hint["aud"]:
        return await _refused_here(request, services, login)
    target = _after_logout(client if hint else None, values)
    users = {
        door: await user_of(request, login, door, is_active=False, before_factor=True) for door in Application
    }
    open_doors = [door for door, user in users.items() if user is not None]
    named = [door for door, user in users.items() if user and hint and str(user.session_id) == hint["sid"]]
    if hint:
        # Before the person is asked about another session: the application that asks has ended its own.
        await _end_run_out(services, uuid.UUID(hint["sid"]))
    if open_doors and not named:
        await note_who_is_in(login, request)
        return services.pages.render(request, "oidc_logout", client=client)
    response = _redirect(target or "/")
    await leave(request, login, response, named)
    return response


async def _end_run_out(services: OidcServices, session_id: uuid.UUID) -> None:
    """End what is left of a session that ran out while its person was in applications."""

    def ending(provider: Provider) -> None:
        grants.end_run_out(provider.bound.db, session_id, now=provider.bound.now)

    await _call(services, ending)


def _hint(services: OidcServices, value: str | None) -> dict[str, Any] | None:
    """The claims of an id_token that was signed here, also after its time."""
    if value is None:
        return None
    try:
        token = jwt.decode(value, services.keys().all, algorithms=sorted({*ALGORITHMS.values()}))
    except UNREADABLE:
        return None
    claims = token.claims
    # The same keys sign logout tokens, which are no hint.
    is_id_token = token.header.get("typ") == "JWT" and "sid" in claims
    is_ours = claims.get("iss") == services.issuer and claims.get("aud") in services.clients
    return dict(claims) if is_id_token and is_ours else None


def _after_logout(client: Client | None, values: Mapping[str, str]) -> str | None:
    """Where the application wants the browser.

    Only a registered address, and only with its proof.
    """
    address = values.get("post_logout_redirect_uri")
    if client is None or address not in client.post_logout_redirect_uris:
        return None
    state = {"state": values["state"]} if "state" in values else {}
    return _with(address, state)


# ---- Shared


def _once(items: Sequence[tuple[str, str]], names: frozenset[str] = _READ) -> dict[str, str]:
    """The parameters that mean something here, once each.

    An empty one counts as left out (RFC 6749, section 3.1).

    Raises:
        _UnreadableError: one stands twice, or cannot be read; Authlib would end with an error of its own.
    """
    known = [(name, text) for name, text in items if name in names and text]
    values = dict(known)
    if len(values) < len(known) or not all(_is_readable(name, text) for name, text in known):
        raise _UnreadableError
    return values


def _readable(items: Sequence[tuple[str, str]], names: frozenset[str]) -> dict[str, str]:
    """These parameters, or none of them where one cannot be read."""
    try:
        return _once(items, names)
    except _UnreadableError:
        return {}


def _is_readable(name: str, text: str) -> bool:
    """Whether Authlib may repeat it in an error; free texts it never repeats."""
    is_plain = text.isascii() and not set(text) & {'"', "\\"}
    return len(text) <= _LONGEST and text.isprintable() and (is_plain or name in _FREE_TEXTS)


def _refusals(values: Mapping[str, str]) -> Iterator[_RefusedError]:
    """What keeps the request from being answered, no matter who is in."""
    for name, error in _UNSUPPORTED.items():
        if name in values:
            yield _RefusedError(error, f"{name} is not supported")
    if "response_type" not in values:
        yield _RefusedError("invalid_request", "response_type is missing")
    elif values["response_type"] != "code":
        yield _RefusedError("unsupported_response_type", "response_type must be code")
    if values.get("response_mode", "query") != "query":
        yield _RefusedError("invalid_request", "response_mode must be query")
    if "openid" not in values.get("scope", "").split():
        yield _RefusedError("invalid_scope", "scope must contain openid")
    prompts = values.get("prompt", "").split()
    if "none" in prompts and len(prompts) > 1:
        yield _RefusedError("invalid_request", "prompt none stands alone")
    if not re.fullmatch(r"[0-9]{1,15}", values.get("max_age", "0")):
        yield _RefusedError("invalid_request", "max_age must be a number of seconds")
    is_s256 = values.get("code_challenge_method") == "S256"
    if not is_s256 or not _CHALLENGE.fullmatch(values.get("code_challenge", "")):
        yield _RefusedError("invalid_request", "PKCE with code_challenge_method S256 is required")


async def _call(services: OidcServices, work: Callable[[Provider], Any]) -> Any:
    """Run work of Authlib's in one transaction.

    It commits also what Authlib answers with an error: the end of a family must not be undone by it.
    """
    events: list[AuditEvent] = []
    async with services.sessions.begin() as session:
        answer = await session.run_sync(
            lambda db: work(
                Provider(
                    services.clients,
                    services.keys(),
                    issuer=services.issuer,
                    factor_rule=services.factor_rule,
                    bound=Bound(db=db, now=services.clock.now(), events=events),
                )
            )
        )
        await services.audit.record_in(session, *events)
    return answer


def _received(request: Request, values: Mapping[str, Sequence[str]]) -> Received:
    # Authlib looks headers up by their usual spelling, too.
    headers = dict(request.headers)
    headers["Authorization"] = headers.get("authorization", "")
    return Received(request.method, str(request.url), values, headers)


async def _from_client(request: Request) -> Received | None:
    """The form of an application; None where it cannot be read."""
    form = await request.form()
    try:
        values = _once(_texts(form))
    except _UnreadableError:
        return None
    return _received(request, {name: [value] for name, value in values.items()})


def _texts(form: FormData) -> list[tuple[str, str]]:
    return [(name, value if isinstance(value, str) else "\0") for name, value in form.multi_items()]


async def _sent_on(request: Request, path: str) -> Response:
    known = [(name, text) for name, text in _texts(await request.form()) if name in _READ]
    return _redirect(f"{path}?{urlencode(known)}")


async def _refused_here(request: Request, services: OidcServices, login: LoginServices) -> Response:
    await note_who_is_in(login, request)
    is_logout = request.url.path == LOGOUT
    return services.pages.render(request, "oidc_error", status=HTTPStatus.BAD_REQUEST, is_logout=is_logout)


def _to_client(services: OidcServices, values: Mapping[str, str], answer: Mapping[str, str]) -> Response:
    state = {"state": values["state"]} if values.get("state") else {}
    return _redirect(_with(values["redirect_uri"], {**answer, **state, "iss": services.issuer}))


def _with(address: str, parameters: Mapping[str, str]) -> str:
    if not parameters:
        return address
    joint = "&" if "?" in address else "?"
    # It may end with one.
    return f"{address}{'' if address.endswith(('?', '&')) else joint}{urlencode(parameters)}"


def _redirect(address: str) -> Response:
    return RedirectResponse(
        address, status_code=HTTPStatus.SEE_OTHER, headers={**_NO_STORE, "Referrer-Policy": "no-referrer"}
    )


def _invalid() -> Response:
    return JSONResponse({"error": "invalid_request"}, status_code=HTTPStatus.BAD_REQUEST, headers=_NO_STORE)


def _as_json(answer: Answer) -> Response:
    status, body, _headers = answer
    headers = dict(_NO_STORE)
    if status == HTTPStatus.UNAUTHORIZED or (
        isinstance(body, dict) and body.get("error") == "invalid_client"
    ):
        status = HTTPStatus.UNAUTHORIZED
        headers["WWW-Authenticate"] = 'Basic realm="oidc"'
    return JSONResponse(
        dict(body) if not isinstance(body, dict) else body, status_code=status, headers=headers
    )
