"""The page on which a person allows an application outside the state its data."""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Request, Response

from api.forms import whole_text_of
from api.oidc.asked import DECLINED
from api.oidc.paths import AUTHORIZE
from api.pages.login import led_on
from api.protection import PROTECTED_FORM, limited
from api.services import LoginDep, OidcDep, OidcServices
from api.signed_in import user_named, users_of
from mipres.database.sessions import LoggedInUser
from mipres.domain.applications import Application
from mipres.domain.clients import SCOPE_WORDS, SCOPES, Client
from mipres.domain.limits import CONSENTS

router = APIRouter(include_in_schema=False)

CONSENT = "/cuenta/aplicaciones/autorizar"


async def must_ask(
    services: OidcServices, client: Client, values: Mapping[str, str], user: LoggedInUser
) -> bool:
    """Whether the person has to decide before the application gets a code."""
    if not client.external:
        return False
    given = await services.consents.given(user.account_id, client.client_id)
    wanted = scopes_in(values)
    if "consent" not in values.get("prompt", "").split():
        return not given.keys() >= set(wanted)
    asked_at = services.asked.since(values)
    return asked_at is None or any(_is_before(given.get(scope), asked_at) for scope in wanted)


def ask(
    request: Request, services: OidcServices, client: Client, values: Mapping[str, str], user: LoggedInUser
) -> Response:
    """Show what the application gets, with two buttons."""
    is_dated = services.asked.since(values) is not None
    return services.pages.render(
        request,
        "oidc_consent",
        client=client,
        user=user,
        words=[SCOPE_WORDS[scope] for scope in scopes_in(values)],
        asked=urlencode(values) if is_dated else services.asked.dated(values),
    )


@router.post(CONSENT, dependencies=[limited(CONSENTS), PROTECTED_FORM])
async def decide(request: Request, services: OidcDep, login: LoginDep) -> Response:
    """Write the decision down, and go on with the request, which checks itself."""
    form = await request.form()
    asked = whole_text_of(form, "solicitud")
    values = dict(parse_qsl(asked))
    client = services.clients.get(values.get("client_id", ""))
    user = user_named(await users_of(request, login), form.get("sesion"))
    scopes = scopes_in(values)
    # For another session the page is shown again: it names who is in now. What no page asked for refuses itself.
    if client is None or user is None or not scopes:
        return _on(asked, user)
    if form.get("decision") != "si":
        return _on(f"{asked}&{DECLINED}=1", user)
    await services.consents.give(user, client.client_id, scopes)
    return _on(asked, user)


def scopes_in(values: Mapping[str, str]) -> tuple[str, ...]:
    """What the request asks for, of what there is."""
    wanted = values.get("scope", "").split()
    return tuple(scope for scope in SCOPES if scope in wanted)


def _is_before(given_at: datetime | None, asked_at: datetime) -> bool:
    return given_at is None or given_at < asked_at


def _on(asked: str, user: LoggedInUser | None) -> Response:
    door = user.application if user else Application.MIPRES
    return led_on(door, f"{AUTHORIZE}?{asked}")
