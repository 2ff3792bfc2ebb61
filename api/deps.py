"""What request handlers reach: the process's services, and each route's declared protection."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from api.errors import ExpiredFormError, ForeignFormError, UnauthorizedError
from api.registrations import Registrations
from api.security import Cookies, FormTokens, FormTokenState, comes_from_elsewhere, is_api_key
from api.templating import Pages
from mipres.adapters.accounts import PostgresAccounts
from mipres.adapters.challenges import CaptchaChallenges
from mipres.adapters.credentials import Hasher, PostgresCredentials
from mipres.adapters.sessions import PostgresSessions
from mipres.domain.passwords import PasswordPolicy


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything with a lifetime, built once by api.main.

    Attributes:
        captcha: None where MIPRES_CAPTCHA is off.
    """

    registrations: Registrations
    accounts: PostgresAccounts
    credentials: PostgresCredentials
    sessions: PostgresSessions
    hasher: Hasher
    captcha: CaptchaChallenges | None
    pages: Pages
    cookies: Cookies
    form_tokens: FormTokens
    api_keys: tuple[str, ...]
    public_url: str
    password_policy: PasswordPolicy
    password_link_hours: int


def services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


ServicesDep = Annotated[Services, Depends(services)]


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


def api_key_required(request: Request, found: ServicesDep, _documented: Any = _DOCUMENTED_KEY) -> None:
    """Protection of the JSON API."""
    if not is_api_key(request.headers.get("authorization"), found.api_keys):
        raise UnauthorizedError


PROTECTIONS = (public, protected_form, api_key_required)
PUBLIC = Depends(public)
PROTECTED_FORM = Depends(protected_form)
API_KEY_REQUIRED = Depends(api_key_required)
