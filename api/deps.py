"""What request handlers reach: the process's services, and each route's declared protection."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

import structlog
from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.exceptions import HTTPException

from api.clients import Network, client_of
from api.errors import (
    CodecReaderUnknownError,
    ExpiredFormError,
    ForeignFormError,
    StaffLoginRequiredError,
    TooManyRequestsError,
    UnauthorizedError,
)
from api.metrics import ApiMetrics
from api.registrations import Registrations
from api.security import Cookies, FormTokens, FormTokenState, comes_from_elsewhere, is_api_key
from api.templating import Pages
from api.temporal_gauges import TemporalGauges
from mipres.captcha.challenges import CaptchaChallenges
from mipres.database.credentials import Hasher, PostgresCredentials
from mipres.database.limits import Limits
from mipres.database.password_links import PostgresPasswordLinks
from mipres.database.sessions import PostgresSessions
from mipres.domain.limits import API_CALLS, WRONG_KEYS, Limit
from mipres.domain.passwords import PasswordPolicy
from mipres.support.actions import Support
from mipres.support.staff import PostgresStaff, StaffMember, StaffSessionKind
from mipres.temporal.codec import EncryptionCodec

log = structlog.get_logger()

# Counting takes a millisecond; a page must not wait for a database that does not answer.
_COUNTING_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything with a lifetime, built once by api.main.

    Attributes:
        metrics_key: What opens /metrics.
        metrics_open: Whether /metrics needs no key, as in development.
        captcha: None where MIPRES_CAPTCHA is off.
    """

    registrations: Registrations
    engine: AsyncEngine
    accounts: PostgresPasswordLinks
    credentials: PostgresCredentials
    sessions: PostgresSessions
    hasher: Hasher
    limits: Limits
    trusted_proxies: tuple[Network, ...]
    captcha: CaptchaChallenges | None
    pages: Pages
    cookies: Cookies
    form_tokens: FormTokens
    api_keys: tuple[str, ...]
    metrics: ApiMetrics
    backlog: TemporalGauges
    metrics_key: str | None
    metrics_open: bool
    public_url: str
    mail_from: str
    password_policy: PasswordPolicy
    answers_by_mail_only: bool
    password_link_hours: int
    support: Support
    staff: PostgresStaff
    codec: EncryptionCodec
    temporal_namespace: str
    temporal_ui_origin: str


def services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


ServicesDep = Annotated[Services, Depends(services)]


def client(request: Request, found: ServicesDep) -> str:
    """Whom the limits count."""
    return client_of(request, found.trusted_proxies)


ClientDep = Annotated[str, Depends(client)]


async def throttle(found: Services, limit: Limit, subject: str) -> None:
    """Count once more, and refuse what is too often.

    Fails open: where the database is away, what needs it fails by itself, and what does not need it goes on.

    Raises:
        TooManyRequestsError: the subject has to wait.
    """
    try:
        async with asyncio.timeout(_COUNTING_SECONDS):
            wait = await found.limits.take(limit, subject)
    except (OSError, SQLAlchemyError) as error:
        log.warning("limits_unavailable", limit=limit.name, error=type(error).__name__)
        return
    if wait:
        raise TooManyRequestsError(wait)


def limited(limit: Limit) -> Any:
    """A limit for each client; declared beside a route's protection, and counted before it."""

    async def count(found: ServicesDep, who: ClientDep) -> None:
        await throttle(found, limit, who)

    return Depends(count)


def public() -> None:
    """Protection of a route that anybody may read and that changes nothing."""


async def protected_form(request: Request, found: ServicesDep) -> None:
    """Protection of a route that takes a form: it must come from our own page, and not be stale."""
    if comes_from_elsewhere(request, public_url=found.public_url):
        raise ForeignFormError
    form = await request.form()
    match found.form_tokens.state(request, form.get("csrf_token")):
        case FormTokenState.EXPIRED:
            raise ExpiredFormError
        case FormTokenState.WRONG:
            raise ForeignFormError


# Only documents the scheme: the check is ours, because every refusal must read alike.
_DOCUMENTED_KEY = Security(HTTPBearer(auto_error=False))


async def api_key_required(
    request: Request, found: ServicesDep, who: ClientDep, _documented: Any = _DOCUMENTED_KEY
) -> None:
    """Protection of the JSON API."""
    authorization = request.headers.get("authorization")
    if not is_api_key(authorization, found.api_keys):
        await throttle(found, WRONG_KEYS, who)
        raise UnauthorizedError
    await throttle(found, API_CALLS, str(authorization).partition(" ")[2])


async def metrics_key_required(request: Request, found: ServicesDep, who: ClientDep) -> None:
    """Protection of what tells how the service is doing, which is nothing for the public."""
    if found.metrics_key is None:
        if found.metrics_open:
            return
        raise HTTPException(HTTPStatus.NOT_FOUND)
    if not is_api_key(request.headers.get("authorization"), (found.metrics_key,)):
        await throttle(found, WRONG_KEYS, who)
        raise UnauthorizedError


STAFF_COOKIE = "soporte"


async def staff_required(request: Request, found: ServicesDep) -> None:
    """Protection of a page of support. A citizen's session opens nothing here: cookie and table are others."""
    token = found.cookies.get(request, STAFF_COOKIE)
    member = await found.staff.member_of(token, StaffSessionKind.PAGES) if token else None
    if member is None:
        raise StaffLoginRequiredError
    request.state.staff = member


async def staff_form(request: Request, found: ServicesDep) -> None:
    """Protection of a form of support."""
    await protected_form(request, found)
    await staff_required(request, found)


def current_staff(request: Request) -> StaffMember:
    """Who of support is asking; only behind the protections above."""
    member: StaffMember = request.state.staff
    return member


StaffDep = Annotated[StaffMember, Depends(current_staff)]


async def codec_reader(request: Request, found: ServicesDep) -> None:
    """Protection of the codec server: support's session from Temporal's interface, or a key of support.

    The cookie is strict, so another site's page cannot send it; and Temporal's interface is the only page of
    this site that is answered, because the browser adds cookies to its requests without being asked.
    """
    origin, authorization = request.headers.get("origin"), request.headers.get("authorization", "")
    if origin is not None and origin != found.temporal_ui_origin:
        raise ForeignFormError
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() == "bearer":
        token, kind = key, StaffSessionKind.KEY
    else:
        token, kind = (
            (found.cookies.get(request, STAFF_COOKIE) if origin else None) or "",
            StaffSessionKind.PAGES,
        )
    member = await found.staff.member_of(token, kind) if token else None
    if member is None:
        raise CodecReaderUnknownError
    request.state.staff, request.state.staff_token = member, token


PROTECTIONS = (
    public,
    protected_form,
    api_key_required,
    metrics_key_required,
    staff_required,
    staff_form,
    codec_reader,
)
PUBLIC = Depends(public)
PROTECTED_FORM = Depends(protected_form)
API_KEY_REQUIRED = Depends(api_key_required)
METRICS_KEY_REQUIRED = Depends(metrics_key_required)
STAFF_REQUIRED = Depends(staff_required)
STAFF_FORM = Depends(staff_form)
CODEC_READER = Depends(codec_reader)
