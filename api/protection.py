"""Each route's declared protection, and the limits beside it."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from api.clients import client_of
from api.errors import (
    CodecReaderUnknownError,
    ExpiredFormError,
    ForeignFormError,
    FormOfAnotherVisitError,
    LoginOfAnotherVisitError,
    StaffChangedError,
    StaffFactorDemandedError,
    StaffLoginOfAnotherVisitError,
    StaffLoginRequiredError,
    UnauthorizedError,
)
from api.security import FormTokenState, api_key_in, is_cross_site
from api.services import ProtectionDep
from mipres.domain.audit import program
from mipres.domain.limits import API_CALLS, WRONG_KEYS, Limit
from mipres.support.staff import StaffMember, StaffSessionKind


async def _client(request: Request, services: ProtectionDep) -> str:
    return client_of(request, services.trusted_proxies)


ClientDep = Annotated[str, Depends(_client)]
"""The address that limits count by."""


def limited(limit: Limit, *, is_for_programs: bool = False) -> Any:
    """Limit each client; a route declares it beside its protection.

    Another site's page spends nothing of it: otherwise one such page would keep out all the people who share
    the address of a browser that shows it.

    Raises:
        ForeignFormError: a browser says that another site made it send the request.
    """

    async def count(request: Request, services: ProtectionDep, client: ClientDep) -> None:
        if not is_for_programs and is_cross_site(request, public_url=services.public_url):
            raise ForeignFormError
        await services.throttle.count(limit, client)

    return Depends(count)


async def public() -> None:
    """Protect a route that anybody may read and that changes nothing."""


async def protected_form(request: Request, services: ProtectionDep) -> None:
    """Protect a route that takes a form: it must be the product's own, and fresh."""
    if is_cross_site(request, public_url=services.public_url):
        raise ForeignFormError
    form = request.state.form = await request.form()
    match services.form_tokens.state(request, form.get("csrf_token")):
        case FormTokenState.EXPIRED:
            raise ExpiredFormError
        case FormTokenState.ANOTHER_VISIT:
            raise FormOfAnotherVisitError
        case FormTokenState.WRONG:
            raise ForeignFormError


async def login_form(request: Request, services: ProtectionDep) -> None:
    """Protect the form of the login, which is drawn again after another login."""
    try:
        await protected_form(request, services)
    except FormOfAnotherVisitError as foreign:
        raise LoginOfAnotherVisitError from foreign


async def staff_login_form(request: Request, services: ProtectionDep) -> None:
    """Protect the form of support's login, which is drawn again after another login."""
    try:
        await protected_form(request, services)
    except FormOfAnotherVisitError as foreign:
        raise StaffLoginOfAnotherVisitError from foreign


# It only documents the scheme: the product checks by itself, because every refusal must read alike.
_DOCUMENTED_KEY = Security(HTTPBearer(auto_error=False))


async def api_key_required(
    request: Request, services: ProtectionDep, client: ClientDep, _documented: Any = _DOCUMENTED_KEY
) -> None:
    """Protect the JSON API."""
    authorization = request.headers.get("authorization")
    key = api_key_in(authorization, services.api_keys)
    if key is None:
        await services.throttle.count(WRONG_KEYS, client)
        raise UnauthorizedError
    request.state.program = program(services.api_keys[key])
    await services.throttle.count(API_CALLS, str(authorization).partition(" ")[2])


async def metrics_key_required(request: Request, services: ProtectionDep, client: ClientDep) -> None:
    """Protect what says how the service is doing, which the public has no use for."""
    if services.metrics_key is None:
        if services.metrics_open:
            return
        raise HTTPException(HTTPStatus.NOT_FOUND)
    if api_key_in(request.headers.get("authorization"), (services.metrics_key,)) is None:
        await services.throttle.count(WRONG_KEYS, client)
        raise UnauthorizedError


STAFF_COOKIE = "soporte"


async def staff_required(request: Request, services: ProtectionDep) -> None:
    """Protect a page of support: a citizen's session has another cookie and table."""
    await staff_before_factor(request, services)
    if services.lacks_factor(request.state.staff):
        raise StaffFactorDemandedError


async def staff_before_factor(request: Request, services: ProtectionDep) -> None:
    """Protect the pages on which a member sets a second factor up."""
    member = await _member_of_pages(request, services)
    if member is None:
        raise StaffLoginRequiredError
    request.state.staff, request.state.staff_token = member, services.cookies.get(request, STAFF_COOKIE)


async def _member_of_pages(request: Request, services: ProtectionDep) -> StaffMember | None:
    token = services.cookies.get(request, STAFF_COOKIE)
    return await services.staff.member_of(token, StaffSessionKind.PAGES) if token else None


async def staff_form(request: Request, services: ProtectionDep) -> None:
    """Protect a form of support: it acts for the member who saw it, and for no other."""
    await staff_form_before_factor(request, services)
    if services.lacks_factor(request.state.staff):
        raise StaffFactorDemandedError


async def staff_form_before_factor(request: Request, services: ProtectionDep) -> None:
    """Protect a form on the way to a second factor."""
    try:
        await protected_form(request, services)
    except FormOfAnotherVisitError as foreign:
        if await _member_of_pages(request, services) is None:
            raise
        raise StaffChangedError from foreign
    await staff_before_factor(request, services)


async def current_staff(request: Request) -> StaffMember:
    """Find the member of support that asks; only behind the protections of support."""
    member: StaffMember = request.state.staff
    return member


StaffDep = Annotated[StaffMember, Depends(current_staff)]


async def codec_reader(request: Request, services: ProtectionDep) -> None:
    """Protect the codec server: a session or a key of support opens it.

    The cookie is strict, so another site's page cannot send it. Of this site only Temporal's interface gets an
    answer, because the browser adds the cookie to every request from this site.
    """
    origin, authorization = request.headers.get("origin"), request.headers.get("authorization", "")
    if origin is not None and origin != services.temporal_ui_origin:
        raise ForeignFormError
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() == "bearer":
        token, kind = key, StaffSessionKind.KEY
    else:
        cookie = services.cookies.get(request, STAFF_COOKIE) if origin else None
        token, kind = cookie or "", StaffSessionKind.PAGES
    member = await services.staff.member_of(token, kind) if token else None
    if member is None or services.lacks_factor(member):
        raise CodecReaderUnknownError
    request.state.staff, request.state.staff_token = member, token


async def client_call() -> None:
    """Protect what applications call.

    The handler asks for the protocol's own proof of the client or the token.
    """


async def sent_on() -> None:
    """Protect a form of another site that does nothing here but become a GET."""


PROTECTIONS = (
    public,
    client_call,
    sent_on,
    protected_form,
    login_form,
    staff_login_form,
    api_key_required,
    metrics_key_required,
    staff_required,
    staff_form,
    staff_before_factor,
    staff_form_before_factor,
    codec_reader,
)
PUBLIC = Depends(public)
LOOKS = ["GET", "HEAD", "OPTIONS"]
"""Methods of a page that a mail leads to.

Mail programs and scanners try HEAD or OPTIONS before they open a link.
"""
READS = ["GET", "HEAD"]
"""Methods of what only answers: HEAD works where GET does."""
PROTECTED_FORM = Depends(protected_form)
LOGIN_FORM = Depends(login_form)
STAFF_LOGIN_FORM = Depends(staff_login_form)
API_KEY_REQUIRED = Depends(api_key_required)
METRICS_KEY_REQUIRED = Depends(metrics_key_required)
STAFF_REQUIRED = Depends(staff_required)
STAFF_FORM = Depends(staff_form)
STAFF_BEFORE_FACTOR = Depends(staff_before_factor)
STAFF_FORM_BEFORE_FACTOR = Depends(staff_form_before_factor)
CODEC_READER = Depends(codec_reader)
CLIENT_CALL = Depends(client_call)
SENT_ON = Depends(sent_on)
