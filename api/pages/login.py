"""`/ingreso/…`, `/inicio/…` and `/salir`: one login for two applications."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from urllib.parse import parse_qsl, quote, urlsplit

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from api.answers import DoorAnswer, FormAnswer, Placement
from api.captcha import CAPTCHA_NEEDED
from api.clients import network_of
from api.errors import LoginOfAnotherVisitError, handles
from api.forms import by_field, secret_of, text_of, whole_text_of
from api.pages.landing import profile_card
from api.protection import LOGIN_FORM, LOOKS, PROTECTED_FORM, PUBLIC, READS, ClientDep, limited
from api.security import new_visit
from api.services import LoginDep, LoginServices
from api.signed_in import is_authorization, leave, own_pages, session_cookie, user_of
from api.throttle import guesser
from mipres.database.credentials import Authenticated, LoginResult
from mipres.database.passkeys import Purpose
from mipres.database.retention import KNOWN_BROWSERS
from mipres.database.sessions import SecondStepNeededError, Visitor
from mipres.domain.access import ACCOUNT_SUSPENDED_WORDS, CLOSED_WORDS, AccountState, joined_words
from mipres.domain.applications import TODO_SOBRE_MIPRES, Application, application_of
from mipres.domain.clients import start_of
from mipres.domain.devices import device_of
from mipres.domain.documents import MAX_DOCUMENT_INPUT, read_login
from mipres.domain.eligibility import has_ended
from mipres.domain.limits import ACCOUNT_LOGINS, ACCOUNT_LOGINS_A_DAY, LOGINS
from mipres.domain.lockout import Origin
from mipres.domain.second_factor import SECOND_STEP_FOR, Proof


class SessionEnd(StrEnum):
    """Why the login finds the session of its browser over."""

    NEW_PASSWORD = "new_password"  # noqa: S105 - a cause.
    OTHER = "other"


router = APIRouter(include_in_schema=False)

WRONG_PASSKEY = "No reconocimos la llave de acceso, o está bloqueada. Ingrese de otro modo"
SECOND_STEP = "segundo_paso"
"""The cookie of a login whose password was right."""
_BROWSER = "navegador"
_BROWSER_SECONDS = int(KNOWN_BROWSERS.total_seconds())
_ACCOUNT_LIMITS = (ACCOUNT_LOGINS, ACCOUNT_LOGINS_A_DAY)
# It depends on what was typed alone, so it reveals nothing of any account.
_NO_LOGIN = "Escriba el tipo y el número de su documento juntos, como CC1020304050"
_WRONG = "El usuario o la contraseña no son correctos, o la cuenta aún no tiene contraseña"
_CLOSED = (
    "Con este usuario hubo demasiados intentos fallidos y por seguridad ya no se comprueba ninguna contraseña. "
    "Para volver a ingresar, cree otra en «¿Olvidó su contraseña?»"
)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A login with its password, and where they were typed."""

    login: str
    password: str = field(repr=False)
    client: str
    origin: Origin
    is_human: bool


@router.api_route("/ingreso/{application}", methods=LOOKS, dependencies=[PUBLIC])
async def show_login(application: str, request: Request, services: LoginDep, volver: str = "") -> Response:
    """Show the form, and why the browser's session is over."""
    wanted = application_named(application)
    token = services.cookies.get(request, session_cookie(wanted)) or ""
    over = None
    if token and await services.sessions.was_ended_by_new_password(token):
        over = SessionEnd.NEW_PASSWORD
    elif token and await user_of(request, services, wanted, is_active=False, before_factor=True) is None:
        over = SessionEnd.OTHER
    shown = services.answers.form_here(request)
    asks_captcha = shown.captcha is not None
    return services.pages.render(
        request,
        "login",
        status=shown.shown_status,
        application=wanted,
        login=shown.typed.get("usuario") or _hinted(volver),
        errors=shown.errors,
        over=over,
        is_of_before=shown.is_of_before,
        back=page_after_login(wanted, volver),
        captcha=services.captcha.view(request, shown.captcha or "") if asks_captcha else None,
        passkey=services.passkeys.options_to_use(Purpose.LOGIN, bound_to=services.cookies.visit(request)),
    )


@router.post("/ingreso/{application}", dependencies=[limited(LOGINS), LOGIN_FORM])
async def log_in(application: str, request: Request, services: LoginDep, client: ClientDep) -> Response:
    wanted, form = application_named(application), await request.form()
    typed, password = text_of(form, "usuario"), secret_of(form, "contrasena")
    captcha, document = services.captcha.of(request, form), read_login(typed)
    errors = {} if document else {"usuario": _NO_LOGIN if typed.strip() else "Escriba su usuario"}
    errors |= {} if password else {"contrasena": "Escriba su contraseña"}
    if not captcha.another_image_asked:
        errors = errors or by_field(await captcha.refusal())
    kept = _kept(form)
    if document is None or errors or captcha.another_image_asked:
        errors = {} if captcha.another_image_asked else errors
        shown = captcha.to_show if captcha.was_shown else None
        return _again(request, services, wanted, kept, errors, captcha=shown)
    login = document.login
    origin = Origin(network=network_of(client), device=services.devices.known(request, login))
    is_human = captcha.is_off or captcha.was_shown
    attempt = Attempt(login=login, password=password, client=client, origin=origin, is_human=is_human)
    result = await authenticate(services, attempt, wanted)
    if result.account is None:
        return _failed(request, services, wanted, kept, result)
    if wanted not in result.account.applications:
        return _other_door(request, services, wanted, result.account)
    entry = Entry(
        account_id=result.account.account_id,
        login=login,
        verified_hash=result.account.verified_hash,
        proofs=(Proof.PASSWORD,),
        back=kept["volver"],
    )
    try:
        response = await enter(request, services, wanted, client, entry)
    except SecondStepNeededError:
        return await _ask_second_step(services, wanted, entry)
    return response or _again(request, services, wanted, kept, {"_credenciales": _WRONG})


@router.post("/ingreso/{application}/llave", dependencies=[limited(LOGINS), LOGIN_FORM])
async def log_in_by_passkey(
    application: str, request: Request, services: LoginDep, client: ClientDep
) -> Response:
    """Open a session by a passkey alone, for people whom this door is for."""
    wanted, form = application_named(application), await request.form()
    visit, back = services.cookies.visit(request), whole_text_of(form, "volver")
    answer = whole_text_of(form, "credencial")
    holder = await services.passkeys.use(Purpose.LOGIN, answer, bound_to=visit)
    account = await services.credentials.known(holder.account_id) if holder and holder.account_id else None
    wrong = _again(request, services, wanted, {"volver": back}, {"_llave": WRONG_PASSKEY})
    if holder is None or account is None:
        return wrong
    if wanted not in account.applications:
        return _other_door(request, services, wanted, account)
    entry = Entry(
        account_id=account.account_id,
        login=holder.login,
        verified_hash=account.verified_hash,
        proofs=(Proof.PASSKEY,),
        back=back,
    )
    response = await enter(request, services, wanted, client, entry)
    return response or wrong


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A person who has proven who it is.

    Attributes:
        verified_hash: What the password was right for, or stood when a passkey was.
        back: The page that the person came from.
    """

    account_id: uuid.UUID
    login: str
    verified_hash: str = field(repr=False)
    proofs: tuple[Proof, ...]
    back: str


async def enter(
    request: Request, services: LoginServices, wanted: Application, client: str, entry: Entry
) -> Response | None:
    """Open the session and lead on; None if what was verified stands no more.

    Raises:
        SecondStepNeededError: the person has a second factor that was not shown.
    """
    visitor = _visitor(request, services, client)
    before = await user_of(request, services, wanted, is_active=False, before_factor=True)
    session = await services.sessions.open(
        entry.account_id,
        wanted,
        verified_hash=entry.verified_hash,
        visitor=visitor,
        proofs=entry.proofs,
        former=services.cookies.get(request, session_cookie(wanted)),
    )
    if session is None:
        return None
    response = led_on(wanted, page_after_login(wanted, entry.back))
    services.cookies.set(response, session_cookie(wanted), session)
    services.cookies.set(response, _BROWSER, visitor.browser or "", max_age=_BROWSER_SECONDS)
    services.devices.remember(request, response, entry.login)
    # A form that was opened before the login is not trusted after it.
    services.cookies.set(response, "visita", new_visit())
    if before is not None and before.account_id != entry.account_id:
        # As if that person had left: the next one reads nothing of them.
        services.answers.forget(request, response)
    return response


async def _ask_second_step(services: LoginServices, wanted: Application, entry: Entry) -> Response:
    """Lead to the second step: until it is done there is no session."""
    token = await services.second_steps.begin(entry.account_id, wanted, verified_hash=entry.verified_hash)
    back = quote(page_after_login(wanted, entry.back), safe="")
    page = f"/ingreso/{wanted}/segundo-factor?volver={back}"
    response = RedirectResponse(page, status_code=HTTPStatus.SEE_OTHER)
    services.cookies.set(response, SECOND_STEP, token, max_age=int(SECOND_STEP_FOR.total_seconds()))
    return response


@handles(LoginOfAnotherVisitError)
async def show_login_again(request: Request, _error: LoginOfAnotherVisitError) -> Response:
    """Draw the form for the visit that goes on, with what was typed but the password."""
    wanted, typed = application_named(request.path_params["application"]), _kept(await request.form())
    services = request.app.state.services.login
    answer = FormAnswer(
        page=f"/ingreso/{wanted}", typed=typed, status=HTTPStatus.FORBIDDEN, is_of_before=True
    )
    response: Response = services.answers.lead_back(request, answer, volver=typed["volver"])
    return response


@router.api_route("/ingreso/{application}/continuar", methods=READS, dependencies=[PUBLIC])
async def go_on(application: str, request: Request, services: LoginDep, volver: str = "") -> Response:
    """Lead on to the application that asked for the login."""
    page = page_after_login(application_named(application), volver)
    return services.pages.render(request, "oidc_continue", address=page)


@router.api_route("/inicio/{application}", methods=READS, dependencies=[PUBLIC])
async def landing(application: str, request: Request, services: LoginDep) -> Response:
    """Lead on to the door's application, or show the profiles where there is none.

    Without a session, lead to the login.
    """
    wanted = application_named(application)
    user = await user_of(request, services, wanted)
    if user is None:
        return RedirectResponse(f"/ingreso/{wanted}", status_code=HTTPStatus.SEE_OTHER)
    if start := start_of(services.clients.values(), wanted):
        return services.pages.render(request, "oidc_continue", address=start)
    return services.pages.render(
        request,
        "landing",
        user=user,
        cards=[profile_card(profile) for profile in user.profiles],
        application=wanted,
        todo_sobre_mipres=TODO_SOBRE_MIPRES,
    )


@router.post("/salir", dependencies=[PROTECTED_FORM])
async def log_out(request: Request, services: LoginDep) -> Response:
    response = RedirectResponse("/", status_code=HTTPStatus.SEE_OTHER)
    await leave(request, services, response, Application)
    return response


def _kept(form: FormData) -> Mapping[str, str]:
    return {"usuario": text_of(form, "usuario"), "volver": whole_text_of(form, "volver")}


def application_named(name: str) -> Application:
    try:
        return Application(name)
    except ValueError:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None


async def authenticate(services: LoginServices, attempt: Attempt, wanted: Application) -> LoginResult:
    """Check the credentials.

    Each client, or known browser, has a number of attempts at each account. The own account asks for the present
    password in the same way.
    """
    subject = guesser(attempt.login, client=attempt.client, device=attempt.origin.device)
    for limit in _ACCOUNT_LIMITS:
        await services.throttle.count(limit, subject)
    result = await services.credentials.authenticate(
        attempt.login, attempt.password, wanted, origin=attempt.origin, is_human=attempt.is_human
    )
    if result.tell_lock:
        await _notify_lock(services, attempt.login)
    if result.account is not None:
        for limit in _ACCOUNT_LIMITS:
            await services.throttle.limits.forget(limit, subject)
    return result


def _failed(
    request: Request,
    services: LoginServices,
    wanted: Application,
    kept: Mapping[str, str],
    result: LoginResult,
) -> Response:
    """Show the form again; its words depend only on the failures at this login."""
    errors = {"captcha": CAPTCHA_NEEDED} if result.is_unjudged else {"_credenciales": _WRONG}
    errors = {"_credenciales": _CLOSED} if result.is_closed else errors
    # Not the captcha that was sent: it is used up.
    return _again(request, services, wanted, kept, errors, captcha="" if result.asks_captcha else None)


async def _notify_lock(services: LoginServices, login: str) -> None:
    """Notify the owner of a login; what is no document belongs to no person."""
    if document := read_login(login):
        await services.recoveries.notify_lock(document)


def _other_door(
    request: Request, services: LoginServices, wanted: Application, account: Authenticated
) -> Response:
    """Show why what the person wanted is closed, and which application is open."""
    right, today = tuple(account.applications), account.today
    if account.access.account is AccountState.SUSPENDED:
        closed_account = DoorAnswer(wanted=wanted, closed=(ACCOUNT_SUSPENDED_WORDS,))
        return services.answers.redirect(request, closed_account)
    if account.joined_login is not None:
        moved = DoorAnswer(wanted=wanted, closed=(joined_words(account.joined_login),))
        return services.answers.redirect(request, moved)
    closed = [item for item in account.access.closed(today) if application_of(item.user_type) is wanted]
    closed = closed or ([] if right else list(account.access.closed(today)))
    if not closed:
        return services.answers.redirect(request, DoorAnswer(wanted=wanted, right=right))
    if len(closed) == 1 and has_ended(closed[0].last_day, today=today):
        placement = Placement(site_name=closed[0].site_name, last_day=closed[0].last_day)
        ended = DoorAnswer(wanted=wanted, right=right, placement=placement)
        return services.answers.redirect(request, ended)
    causes = dict.fromkeys(cause for item in closed if (cause := item.cause(today)))
    words = tuple(CLOSED_WORDS[cause] for cause in causes)
    return services.answers.redirect(request, DoorAnswer(wanted=wanted, right=right, closed=words))


def _visitor(request: Request, services: LoginServices, client: str) -> Visitor:
    """Tell what a session keeps of where it began.

    The browser keeps its name for the next login.
    """
    return Visitor(
        device=device_of(request.headers.get("user-agent", "")),
        network=network_of(client),
        browser=services.cookies.get(request, _BROWSER) or new_visit(),
    )


def page_after_login(application: Application, wanted: str) -> str:
    """Lead back to where the person came from, if that is an own page."""
    known = own_pages(application)
    return wanted if wanted in known or is_authorization(wanted) else known[0]


def _hinted(page: str) -> str:
    """Whom the application expects to log in."""
    hints = dict(parse_qsl(urlsplit(page).query)) if is_authorization(page) else {}
    return hints.get("login_hint", "")[:MAX_DOCUMENT_INPUT]


def led_on(wanted: Application, page: str) -> Response:
    """Lead to a page; to an application's request by a page of our own.

    A browser takes the whole chain of redirects for the answer to the form, and our policy lets no form answer from
    another site.
    """
    address = f"/ingreso/{wanted}/continuar?volver={quote(page, safe='')}" if is_authorization(page) else page
    return RedirectResponse(address, status_code=HTTPStatus.SEE_OTHER)


def _again(
    request: Request,
    services: LoginServices,
    application: Application,
    kept: Mapping[str, str],
    errors: Mapping[str, str],
    *,
    captcha: str | None = None,
) -> Response:
    """Lead back to the form.

    Where it leads after the login stays in the address: an application's request is too long for a cookie.
    """
    answer = FormAnswer(
        page=f"/ingreso/{application}",
        typed={"usuario": kept.get("usuario", "")},
        errors=errors,
        captcha=captcha,
    )
    return services.answers.lead_back(request, answer, volver=kept["volver"])
