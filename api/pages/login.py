"""`/ingreso/…`: one pair of credentials, two applications; `/inicio/…` shows who is in; `/salir` ends it."""

from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from api.deps import PROTECTED_FORM, PUBLIC, ClientDep, Services, ServicesDep, limited, throttle
from api.forms import text_of
from api.security import new_visit
from mipres.database.credentials import Authenticated
from mipres.database.sessions import LoggedInUser
from mipres.domain.applications import TODO_SOBRE_MIPRES, Application
from mipres.domain.documents import MAX_DOCUMENT_INPUT
from mipres.domain.limits import ACCOUNT_LOGINS, ACCOUNT_LOGINS_A_DAY, LOGINS
from mipres.domain.passwords import MAX_PASSWORD_LENGTH, normalise_password
from mipres.domain.roles import roles_of, waits_for_a_role
from mipres.domain.submissions import check_document

router = APIRouter(include_in_schema=False)

_ACCOUNT_LIMITS = (ACCOUNT_LOGINS, ACCOUNT_LOGINS_A_DAY)
_WRONG = "El usuario o la contraseña no son correctos, o la cuenta aún no tiene contraseña"


def _application(name: str) -> Application:
    try:
        return Application(name)
    except ValueError:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None


@router.get("/ingreso/{application}", dependencies=[PUBLIC])
async def show_login(application: str, request: Request, found: ServicesDep) -> Response:
    return _form(request, found, _application(application))


@router.post("/ingreso/{application}", dependencies=[limited(LOGINS), PROTECTED_FORM])
async def log_in(application: str, request: Request, found: ServicesDep, who: ClientDep) -> Response:
    wanted, form = _application(application), await request.form()
    typed, password = text_of(form, "usuario"), _password(form.get("contrasena"))
    if errors := _missing(typed, password):
        return _form(request, found, wanted, login=typed, errors=errors)
    subject = f"{_login(typed)} {who}"
    for limit in _ACCOUNT_LIMITS:
        await throttle(found, limit, subject)
    attempt = await found.credentials.authenticate(_login(typed), password, wanted)
    if attempt.tell_lock:
        await _tell_lock(found, _login(typed))
    account = attempt.account
    if account is None:
        return _form(request, found, wanted, login=typed, errors={"_credenciales": _WRONG})
    for limit in _ACCOUNT_LIMITS:
        await found.limits.forget(limit, subject)
    if wanted not in account.applications:
        return _not_here(request, found, wanted, account)
    response = RedirectResponse(f"/inicio/{wanted}", status_code=HTTPStatus.SEE_OTHER)
    found.cookies.set(response, _cookie(wanted), await found.sessions.open(account.account_id, wanted))
    # A form opened before the login is not trusted after it.
    found.cookies.set(response, "visita", new_visit())
    return response


@router.get("/inicio/{application}", dependencies=[PUBLIC])
async def landing(application: str, request: Request, found: ServicesDep) -> Response:
    """Who is in. Without a session it leads to the login."""
    wanted = _application(application)
    user = await _user(request, found, wanted)
    if user is None:
        return RedirectResponse(f"/ingreso/{wanted}", status_code=HTTPStatus.SEE_OTHER)
    return found.pages.render(
        request,
        "landing",
        user=user,
        application=wanted,
        roles_of=roles_of,
        waits_for_a_role=waits_for_a_role,
        todo_sobre_mipres=TODO_SOBRE_MIPRES,
    )


@router.post("/salir", dependencies=[PROTECTED_FORM])
async def log_out(request: Request, found: ServicesDep) -> Response:
    response = RedirectResponse("/", status_code=HTTPStatus.SEE_OTHER)
    for application in Application:
        token = found.cookies.get(request, _cookie(application))
        if token:
            await found.sessions.end(token)
            found.cookies.drop(response, _cookie(application))
    return response


async def _user(request: Request, found: Services, application: Application) -> LoggedInUser | None:
    token = found.cookies.get(request, _cookie(application))
    return await found.sessions.user_of(token, application) if token else None


def _not_here(request: Request, found: Services, wanted: Application, account: Authenticated) -> Response:
    """Which door is the right one, or why there is none any more."""
    right = tuple(account.applications)
    ended = account.ended_placement
    if ended and (wanted is Application.MIPRES or not right):
        return found.pages.render(request, "placement_ended", placement=ended, right=right)
    return found.pages.render(request, "wrong_door", wanted=wanted, right=right)


def _cookie(application: Application) -> str:
    """Each application has a session of its own."""
    return f"sesion_{application.value}"


def _login(typed: str) -> str:
    """`cc 1.020.304.050` is the same user as `CC1020304050`."""
    return "".join(char for char in typed[:MAX_DOCUMENT_INPUT].upper() if char.isalnum())


async def _tell_lock(found: Services, login: str) -> None:
    # What is no document is nobody's login; that depends on what was typed only.
    document, _ = check_document(login[:2], login[2:])
    if document is not None:
        await found.registrations.tell_lock(document)


def _password(value: object) -> str:
    return normalise_password(value[: MAX_PASSWORD_LENGTH + 1]) if isinstance(value, str) else ""


def _missing(login: str, password: str) -> dict[str, str]:
    errors = {}
    if not login.strip():
        errors["usuario"] = "Escriba su usuario"
    if not password:
        errors["contrasena"] = "Escriba su contraseña"
    return errors


def _form(
    request: Request,
    found: Services,
    application: Application,
    *,
    login: str = "",
    errors: dict[str, str] | None = None,
) -> Response:
    return found.pages.render(
        request,
        "login",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK,
        application=application,
        login=login,
        errors=errors or {},
    )
