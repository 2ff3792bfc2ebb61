"""`/contrasena…`: from the mailed link to the created password. Looking never consumes a link."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.deps import PROTECTED_FORM, PUBLIC, Services, ServicesDep
from mipres.adapters.accounts import LinkState, PasswordOwner
from mipres.domain.errors import LinkNotUsableError
from mipres.domain.passwords import (
    MAX_PASSWORD_LENGTH,
    PASSWORDS_DIFFER,
    RULES,
    normalise_password,
    unmet_rules,
)

router = APIRouter(prefix="/contrasena", include_in_schema=False)

_COOKIE = "enlace"
_COOKIE_SECONDS = 60 * 60
_NO_SUCH_PAGE = {
    LinkState.EXPIRED: HTTPStatus.GONE,
    LinkState.USED: HTTPStatus.GONE,
    LinkState.SUPERSEDED: HTTPStatus.GONE,
    LinkState.UNKNOWN: HTTPStatus.NOT_FOUND,
}


@router.get("", dependencies=[PUBLIC])
async def show_form(request: Request, found: ServicesDep) -> Response:
    token = found.cookies.get(request, _COOKIE) or ""
    owner = await found.accounts.owner_of(token)
    if owner is None:
        state, _ = await found.accounts.link_state(token)
        return _unusable(request, found, state)
    return _form(request, found, owner)


@router.post("", dependencies=[PROTECTED_FORM])
async def set_password(request: Request, found: ServicesDep) -> Response:
    token, form = found.cookies.get(request, _COOKIE) or "", await request.form()
    owner = await found.accounts.owner_of(token)
    if owner is None:
        state, _ = await found.accounts.link_state(token)
        return _unusable(request, found, state)
    password = normalise_password(_secret(form.get("contrasena")))
    confirmation = normalise_password(_secret(form.get("confirmacion")))
    if errors := _errors(found, password, confirmation):
        return _form(request, found, owner, errors=errors)
    try:
        owner = await found.accounts.set_password(token, await found.hasher.hash(password))
    except LinkNotUsableError as error:
        return _unusable(request, found, LinkState(error.state))
    await found.registrations.announce_password(owner.radicados)
    response = found.pages.render(request, "password_set", owner=owner)
    found.cookies.drop(response, _COOKIE)
    return response


@router.get("/{token}", dependencies=[PUBLIC])
async def open_link(token: str, found: ServicesDep) -> Response:
    """Take the token out of the address at once; it goes on in a cookie that scripts cannot read."""
    response = RedirectResponse("/contrasena", status_code=HTTPStatus.SEE_OTHER)
    found.cookies.set(response, _COOKIE, token[:_LONGEST_TOKEN], max_age=_COOKIE_SECONDS)
    return response


_LONGEST_TOKEN = 128


def _secret(value: object) -> str:
    return value if isinstance(value, str) else ""


def _errors(found: Services, password: str, confirmation: str) -> dict[str, str]:
    errors: dict[str, str] = {}
    if not password:
        errors["contrasena"] = "Escriba la contraseña"
    elif unmet := unmet_rules(password, found.password_policy):
        errors["contrasena"] = "A la contraseña le falta: " + "; ".join(rule.text.lower() for rule in unmet)
    if not confirmation:
        errors["confirmacion"] = "Escriba otra vez la contraseña"
    elif password and password != confirmation:
        errors["confirmacion"] = PASSWORDS_DIFFER
    return errors


def _form(
    request: Request, found: Services, owner: PasswordOwner, *, errors: Mapping[str, str] | None = None
) -> Response:
    return found.pages.render(
        request,
        "password_form",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK,
        owner=owner,
        errors=errors or {},
        rules=RULES[found.password_policy],
        max_length=MAX_PASSWORD_LENGTH,
    )


def _unusable(request: Request, found: Services, state: LinkState) -> Response:
    response = found.pages.render(request, "link_unusable", status=_NO_SUCH_PAGE[state], state=state.value)
    found.cookies.drop(response, _COOKIE)
    return response
