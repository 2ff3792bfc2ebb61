"""`/cuenta`: what a person who is in sees and changes of the own account."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from api.answers import FormAnswer
from api.clients import network_of
from api.forms import secret_of, text_of
from api.pages.landing import ProfileCard, profile_card
from api.pages.login import Attempt, authenticate
from api.protection import LOOKS, PROTECTED_FORM, PUBLIC, ClientDep, limited
from api.services import LoginDep, LoginServices
from api.signed_in import session_cookie, user_named, user_of, users_of
from mipres.database.sessions import LoggedInUser, Profile
from mipres.domain import sentences
from mipres.domain.access import CLOSED_WORDS, AccessCause, AccessState
from mipres.domain.applications import TODO_SOBRE_MIPRES, Application
from mipres.domain.clients import SCOPE_WORDS
from mipres.domain.limits import CONSENTS, PASSWORDS, SESSION_ENDS
from mipres.domain.lockout import Origin
from mipres.domain.passwords import PASSWORDS_DIFFER, PasswordContext, shown_rules, told, unmet_rules
from mipres.mail.dates import long_date

router = APIRouter(prefix="/cuenta", include_in_schema=False)

_PASSWORD = "/cuenta/contrasena"  # noqa: S105 - an address.
_OTHERS = "otras"
_ANOTHER_LOGIN = (
    f"{sentences.SOMEBODY_ENTERED}. Esta página es de la sesión "
    "de {login}; si no es la suya, salga e ingrese de nuevo"
)
_WRONG = "No es la contraseña actual, o hubo demasiados intentos y el ingreso está bloqueado unos minutos"
_SAME = "La contraseña nueva debe ser distinta de la actual"
_CHANGED_MEANWHILE = "No se guardó nada: la contraseña o la sesión cambiaron mientras tanto. Ingrese otra vez"


@dataclass(frozen=True, kw_only=True)
class OwnProfile:
    """One profile on the page of the account.

    Attributes:
        until: Until when it stands as it does, in words.
        why: Why it opens nothing, in the words of the login; None while it is in force.
        card: Its roles, as the landing page shows them.
    """

    title: str
    place: str | None
    state: AccessState
    until: str
    why: str | None
    card: ProfileCard


@dataclass(frozen=True, kw_only=True)
class AllowedOnPage:
    """One application that the person has allowed, in words."""

    client_id: str
    name: str
    words: tuple[str, ...]
    since: datetime


@router.api_route("", methods=LOOKS, dependencies=[PUBLIC])
async def show_account(request: Request, services: LoginDep, aplicacion: str = "") -> Response:
    user = await _user(request, services, aplicacion)
    if user is None:
        return _login(request, services, aplicacion)
    account, shown = await services.own_accounts.of(user), services.answers.form_here(request)
    return services.pages.render(
        request,
        "account",
        status=shown.shown_status,
        user=user,
        account=account,
        profiles=[_own_profile(profile) for profile in account.profiles],
        todo_sobre_mipres=TODO_SOBRE_MIPRES,
        allowed=await _allowed(services, user),
        errors=shown.errors,
    )


@router.api_route("/contrasena", methods=LOOKS, dependencies=[PUBLIC])
async def show_password_form(request: Request, services: LoginDep, aplicacion: str = "") -> Response:
    user = await _user(request, services, aplicacion)
    if user is None:
        return _login(request, services, aplicacion, page=_PASSWORD)
    shown = services.answers.form_here(request)
    return services.pages.render(
        request,
        "account_password",
        status=shown.shown_status,
        user=user,
        errors=shown.errors,
        rules=[(rule.text, rule.pattern) for rule in shown_rules(services.policy)],
    )


def _proof(
    request: Request, services: LoginServices, user: LoggedInUser, present: str, client: str
) -> Attempt:
    """Count wrong passwords by the session, which strangers do not have."""
    session = services.cookies.get(request, session_cookie(user.application))
    origin = Origin(network=network_of(client), device=f"session {session}")
    return Attempt(login=user.login, password=present, client=client, origin=origin, is_human=True)


@router.post("/contrasena", dependencies=[limited(PASSWORDS), PROTECTED_FORM])
async def change_password(request: Request, services: LoginDep, client: ClientDep) -> Response:
    form = await request.form()
    users = await users_of(request, services)
    user = user_named(users, form.get("sesion"))
    if user is None and users:
        other = {"_sesion": _ANOTHER_LOGIN.format(login=users[0].login)}
        return _password_again(request, services, users[0], other)
    if user is None:
        return _login(request, services, page=_PASSWORD)
    if errors := _errors(services, user, form):
        return _password_again(request, services, user, errors)
    present = secret_of(form, "actual")
    verified = (
        await authenticate(services, _proof(request, services, user, present, client), user.application)
    ).account
    if verified is None:
        return _password_again(request, services, user, {"actual": _WRONG})
    token = await services.own_accounts.change_password(
        user,
        verified_hash=verified.verified_hash,
        password_hash=await services.hasher.hash(secret_of(form, "contrasena")),
    )
    if token is None:
        return _password_again(request, services, user, {"_sesion": _CHANGED_MEANWHILE})
    response = _to_account(user)
    services.cookies.set(response, session_cookie(user.application), token)
    return response


@router.post("/sesiones/cerrar", dependencies=[limited(SESSION_ENDS), PROTECTED_FORM])
async def end_sessions(request: Request, services: LoginDep) -> Response:
    """End one session, or all but the one whose page the form was on."""
    form = await request.form()
    users = await users_of(request, services)
    user = user_named(users, form.get("sesion"))
    if user is None:
        return _of_another_session(request, services, users)
    which = form.get("cual")
    if which == _OTHERS:
        await services.own_accounts.end_other_sessions(user)
    elif (session_id := _session_id(which)) is not None:
        await services.own_accounts.end_session(user, session_id)
    return _to_account(user)


@router.post("/aplicaciones/retirar", dependencies=[limited(CONSENTS), PROTECTED_FORM])
async def withdraw_consent(request: Request, services: LoginDep) -> Response:
    """Take back what an application may learn, and end what it has."""
    form = await request.form()
    users = await users_of(request, services)
    user = user_named(users, form.get("sesion"))
    if user is None:
        return _of_another_session(request, services, users)
    await services.consents.withdraw(user, text_of(form, "aplicacion"))
    return _to_account(user)


def _of_another_session(request: Request, services: LoginServices, users: Sequence[LoggedInUser]) -> Response:
    """Show the page of who is in now: the form was of somebody else's."""
    if not users:
        return _login(request, services)
    other = {"_sesion": _ANOTHER_LOGIN.format(login=users[0].login)}
    answer = FormAnswer(page="/cuenta", errors=other, status=HTTPStatus.CONFLICT)
    return services.answers.lead_back(request, answer, aplicacion=users[0].application)


async def _allowed(services: LoginServices, user: LoggedInUser) -> list[AllowedOnPage]:
    return [
        AllowedOnPage(
            client_id=found.client_id,
            name=client.client_name if (client := services.clients.get(found.client_id)) else found.client_id,
            words=tuple(words for scope, words in SCOPE_WORDS.items() if scope in found.scopes),
            since=found.since,
        )
        for found in await services.consents.of(user.account_id)
    ]


async def _user(request: Request, services: LoginServices, wanted: str) -> LoggedInUser | None:
    """Find the user of the named application's session, else of any."""
    application = _application(wanted)
    if application is not None:
        return await user_of(request, services, application)
    users = await users_of(request, services)
    return users[0] if users else None


def _application(name: str) -> Application | None:
    return Application(name) if name in set(Application) else None


def _login(request: Request, services: LoginServices, wanted: str = "", *, page: str = "/cuenta") -> Response:
    """Lead to the login of the session that is over, and from there back to the page."""
    had = [item for item in Application if services.cookies.get(request, session_cookie(item))]
    application = _application(wanted) or (had[0] if had else Application.MIPRES)
    back = quote(f"{page}?aplicacion={application}", safe="")
    return RedirectResponse(f"/ingreso/{application}?volver={back}", status_code=HTTPStatus.SEE_OTHER)


def _to_account(user: LoggedInUser) -> Response:
    return RedirectResponse(f"/cuenta?aplicacion={user.application}", status_code=HTTPStatus.SEE_OTHER)


def _session_id(text: object) -> uuid.UUID | None:
    try:
        return uuid.UUID(str(text))
    except ValueError:
        return None


def _errors(services: LoginServices, user: LoggedInUser, form: FormData) -> dict[str, str]:
    """Judge what can be judged without the password of the account."""
    present, password, again = (secret_of(form, name) for name in ("actual", "contrasena", "confirmacion"))
    errors = {} if present else {"actual": "Escriba la contraseña actual"}
    context = PasswordContext(login=user.login, full_name=user.full_name)
    if not password:
        errors["contrasena"] = "Escriba la contraseña nueva"
    elif unmet := unmet_rules(password, services.policy, context):
        errors["contrasena"] = told(unmet, password, context)
    elif password == present:
        errors["contrasena"] = _SAME
    if not again:
        errors["confirmacion"] = sentences.NEW_PASSWORD_AGAIN
    elif password and password != again:
        errors["confirmacion"] = PASSWORDS_DIFFER
    return errors


def _password_again(
    request: Request, services: LoginServices, user: LoggedInUser, errors: Mapping[str, str]
) -> Response:
    answer = FormAnswer(page=_PASSWORD, errors=errors)
    return services.answers.lead_back(request, answer, aplicacion=user.application)


def _own_profile(profile: Profile) -> OwnProfile:
    return OwnProfile(
        title=profile.user_type.label,
        place=profile.site_name or profile.entity_name,
        state=profile.state,
        until=_until(profile),
        why=CLOSED_WORDS[profile.cause].title if profile.cause else None,
        card=profile_card(profile),
    )


def _until(profile: Profile) -> str:
    """Tell until when the state of a profile lasts."""
    if profile.cause is AccessCause.SANCTIONED and profile.suspended_until:
        return f"hasta el {long_date(profile.suspended_until)}"
    if profile.state is AccessState.SUSPENDED:
        return "hasta nuevo aviso"
    if profile.ends_on and profile.cause in {None, AccessCause.PLACEMENT_OVER}:
        verb = "hasta" if profile.cause is None else "desde que terminó la plaza,"
        return f"{verb} el {long_date(profile.ends_on)}"
    return "sin fecha de terminación" if profile.state is AccessState.IN_FORCE else ""
