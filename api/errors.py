"""Turn errors into answers: problem details for programs, a page for people."""

import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.answers import FormAnswers, HeldAnswer, without_proofs
from api.oidc.paths import FOR_PROGRAMS
from api.security import FORM_NOT_TAKEN, FormTokenState, is_cross_site
from api.templating import Pages
from mipres.database.failures import (
    DATABASE_ERRORS,
    database_fault,
    is_of_this_machine,
    is_of_what_was_sent,
    machine_fault,
)
from mipres.domain import sentences
from mipres.domain.applications import Application
from mipres.domain.errors import MipresError
from mipres.domain.outcomes import FILL_ALL_FIELDS
from mipres.temporal.answers import TemporalUnavailableError, UpdatesSpentError

log = structlog.get_logger()

API_PREFIX = "/api/v1"
PROBLEM_JSON = "application/problem+json"
RETRY_SECONDS = 30
_MINUTE, _HOUR = 60, 60 * 60
_TOO_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnauthorizedError(MipresError):
    """The JSON API was called without a good key."""


class ForeignFormError(MipresError):
    """A form did not come from one of the product's pages in this visit."""


class FormOfAnotherVisitError(ForeignFormError):
    """A form was drawn by the product, but before another login in this browser."""


class LoginOfAnotherVisitError(FormOfAnotherVisitError):
    """The form of the login was drawn before another login in this browser."""


class StaffLoginOfAnotherVisitError(FormOfAnotherVisitError):
    """The form of support's login was drawn before another login in this browser."""


class ExpiredFormError(MipresError):
    """A form came back after its token's time."""


class StaffLoginRequiredError(MipresError):
    """A page of support was opened without a session of support."""


class StaffFactorDemandedError(MipresError):
    """A member of support who must have a second factor is in without one."""


class StaffChangedError(MipresError):
    """A form of support was drawn before somebody else of support logged in."""


class CodecReaderUnknownError(MipresError):
    """The codec server was asked without a session or key of support."""


class SecondFactorDemandedError(MipresError):
    """A person who must have a second factor is in without one.

    Args:
        back: The request of the application that demands it.
    """

    def __init__(self, application: Application, *, back: str = "") -> None:
        self.application, self.back = application, back
        super().__init__(application)


class TooManyRequestsError(MipresError):
    """The client has to wait before the next attempt."""

    def __init__(self, wait: timedelta) -> None:
        # Upwards, so that an attempt at that second succeeds.
        self.retry_after_seconds = max(1, math.ceil(wait.total_seconds()))
        super().__init__(self.retry_after_seconds)


class ProblemError(MipresError):
    """An answer of the JSON API as problem details (RFC 9457)."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str,
        *,
        errors: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.headers = headers
        self.body: dict[str, object] = {
            "type": "about:blank",
            "title": title,
            "status": status,
            "detail": detail,
            "code": code,
        }
        if errors:
            self.body["errors"] = dict(errors)
        super().__init__(code)


_PAGES: dict[int, tuple[str, str]] = {
    HTTPStatus.BAD_REQUEST: ("Solicitud no válida", "No pudimos leer lo que envió el navegador. Abra de nuevo la página desde el inicio e intente otra vez."),
    HTTPStatus.FORBIDDEN: ("El formulario no se puede recibir", "El formulario no salió de una página abierta en esta visita. Abra de nuevo la página, complete los datos y envíelo; si el navegador bloquea las cookies, permítalas para este sitio."),
    HTTPStatus.NOT_FOUND: ("Página no encontrada", "La dirección no existe o cambió. Revise que esté completa o empiece desde el inicio."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("Página no encontrada", "La dirección existe, pero no de esta forma. Empiece desde el inicio."),
    HTTPStatus.REQUEST_TIMEOUT: ("El envío tardó demasiado", "No alcanzó a llegar completo y no se recibió. Revise su conexión, abra de nuevo el formulario e intente otra vez."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("El envío es demasiado grande", "El formulario solo admite los datos que pide. Ábralo de nuevo desde el inicio e intente otra vez."),
    HTTPStatus.SERVICE_UNAVAILABLE: ("El servicio no está disponible en este momento", "No podemos confirmar que su solicitud se haya recibido. Espere un minuto y envíela de nuevo."),
    HTTPStatus.INTERNAL_SERVER_ERROR: ("Algo falló de nuestro lado", "Ya quedó anotado. Intente de nuevo en unos minutos; si ya tenía un número de radicado, su registro no se perdió."),
}  # fmt: skip


_SEE_DOCS = "consulte la documentación en /api/docs"
# What a program reads in place of what a person does: it has no browser and no page to open again.
_PROBLEMS: dict[int, tuple[str, str]] = _PAGES | {
    HTTPStatus.BAD_REQUEST: ("Solicitud no válida", f"El cuerpo debe ser JSON, escrito en UTF-8; {_SEE_DOCS}."),
    HTTPStatus.NOT_FOUND: ("Dirección no encontrada", f"La API no tiene esta dirección; {_SEE_DOCS}."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("Método no admitido", f"Esta dirección admite otros métodos; {_SEE_DOCS}."),
    HTTPStatus.REQUEST_TIMEOUT: ("El cuerpo tardó demasiado", "Llegó solo una parte, y nada se guardó. Envíelo completo otra vez."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("El cuerpo es demasiado grande", f"El cuerpo solo admite los campos de un registro; {_SEE_DOCS}."),
    HTTPStatus.INTERNAL_SERVER_ERROR: ("El servicio falló", "No es culpa de su programa. Repita la solicitud en unos minutos: un registro que se repite se une al que está en curso."),
}  # fmt: skip

# What an application's library knows, beside `invalid_request` (RFC 6749, sections 4.1.2.1 and 5.2).
_OAUTH_ERRORS: dict[int, str] = {
    HTTPStatus.TOO_MANY_REQUESTS: "temporarily_unavailable",
    HTTPStatus.SERVICE_UNAVAILABLE: "temporarily_unavailable",
    HTTPStatus.INTERNAL_SERVER_ERROR: "server_error",
}
# A look at a page sends nothing, and a person must not read that their registration was not received.
_UNAVAILABLE_TO_A_LOOK = f"Espere un minuto y cargue de nuevo esta página. {sentences.NOTHING_LOST}"
_NOT_FOUND_BY_SUPPORT = (
    "No hay nada en esta dirección",
    "Ningún registro, cuenta o página de soporte está aquí. Temporal olvida un registro un tiempo después de que termina: busque a la persona por su usuario o su documento.",
)
_STAFF_FORMS_WITH_A_PAGE = (
    "/soporte/equipo/",
    "/soporte/registro/",
    "/soporte/cuenta/",
    "/soporte/revision/",
    "/soporte/contrasena",
    "/soporte/segundo-factor",
)

# Ends of the addresses of buttons; their page is at what stands before.
_BUTTONS = frozenset(
    {
        *(
            "aplicaciones",
            "autorizar",
            "retirar",
            "reenviar",
            "esperar",
            "no-esperar",
            "renovar",
            "llave",
            "confirmar",
            "codigos",
            "quitar",
            "llaves",
        ),
        *("recuperacion", "sesiones", "cerrar", "buscar", "clave", "salir"),
    }
)
# What a form sends once, or never again.
_ONCE = frozenset({"csrf_token", "captcha_id", "actualizar_imagen"})

Handler = Callable[[Request, Any], Awaitable[Response]]
_HANDLERS: dict[type[Exception], Handler] = {}


def handles(*kinds: type[Exception]) -> Callable[[Handler], Handler]:
    """Answer these errors with the decorated function."""

    def register(handler: Handler) -> Handler:
        _HANDLERS.update(dict.fromkeys(kinds, handler))
        return handler

    return register


def install(app: FastAPI) -> None:
    """Register every handler."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.add_middleware(LastResort)


class LastResort:
    """ASGI middleware for unexpected errors.

    Starlette handles them outside all middleware, where the answer misses the security headers, and raises
    the error again, so that the server prints it with its message.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def send_and_remember(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_remember)
        except Exception as error:
            if begun or scope["type"] != "http":
                raise
            answer = await unexpected(Request(scope), error)
            await answer(scope, receive, send)


async def _kept(request: Request) -> dict[str, str] | None:
    """What a person typed into a form of the product, to send it again; no secrets.

    Another site's form is not repeated: the person would send it with a token that holds.
    """
    if request.method != "POST" or _is_api(request) or _is_for_applications(request):
        return None
    protection = request.app.state.services.protection
    try:
        form = getattr(request.state, "form", None) or await request.form()
    except (HTTPException, ClientDisconnect):
        return None
    state = protection.form_tokens.state(request, form.get("csrf_token"))
    if is_cross_site(request, public_url=protection.public_url) or state is FormTokenState.WRONG:
        return None
    typed = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    return {name: value for name, value in without_proofs(typed).items() if name not in _ONCE}


def page_of(path: str) -> str:
    """The page that shows the form of an address."""
    parts = path.split("/")
    while parts[-1] in _BUTTONS:
        parts.pop()
    return "/".join(parts) or "/"


def _is_api(request: Request) -> bool:
    return request.url.path.startswith("/api/")


def _is_for_applications(request: Request) -> bool:
    return request.url.path in FOR_PROGRAMS


def _is_support(request: Request) -> bool:
    return f"{request.url.path}/".startswith("/soporte/")


def _answer(
    request: Request,
    status: int,
    headers: Mapping[str, str] | None = None,
    *,
    kept: Mapping[str, str] | None = None,
) -> Response:
    if _is_for_applications(request):
        error = _OAUTH_ERRORS.get(status, "invalid_request")
        return JSONResponse({"error": error}, status_code=status, headers=headers)
    words = _PROBLEMS if _is_api(request) else _PAGES
    title, text = words.get(status, words[HTTPStatus.INTERNAL_SERVER_ERROR])
    if _is_api(request):
        # Python renamed the phrase of 413 in 3.13, and codes are stable.
        phrase = "Content Too Large" if status == _TOO_LARGE else HTTPStatus(status).phrase
        code = phrase.lower().replace(" ", "_")
        problem = ProblemError(status, code, title, text)
        return JSONResponse(problem.body, status_code=status, media_type=PROBLEM_JSON, headers=headers)
    pages = request.app.state.services.pages
    template = "support_error" if _is_support(request) else "error"
    if _is_support(request) and status == HTTPStatus.NOT_FOUND:
        title, text = _NOT_FOUND_BY_SUPPORT
    if status == HTTPStatus.SERVICE_UNAVAILABLE and request.method != "POST":
        text = _UNAVAILABLE_TO_A_LOOK

    def draw(way_back: str | None) -> Response:
        page: Response = pages.render(
            request, template, status=status, title=title, text=text, way_back=way_back
        )
        page.headers.update(headers or {})
        return page

    if kept is None:
        return draw(None)
    return _keep_beside(request, kept, draw)


def _keep_beside(request: Request, typed: Mapping[str, str], draw: Callable[[str], Response]) -> Response:
    """Draw a page that leads back to the form with what was typed."""
    answers: FormAnswers = request.app.state.services.answers
    return answers.keep_beside(request, HeldAnswer(page=page_of(request.url.path), typed=typed), draw)


@handles(ProblemError)
async def problem_details(_request: Request, error: ProblemError) -> Response:
    return JSONResponse(error.body, status_code=error.status, media_type=PROBLEM_JSON, headers=error.headers)


@handles(UnauthorizedError)
async def unauthorized(_request: Request, _error: UnauthorizedError) -> Response:
    problem = ProblemError(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        "Falta una clave válida",
        "Envíe el encabezado Authorization: Bearer con una de las claves de MIPRES_API_KEYS.",
    )
    headers = {"WWW-Authenticate": "Bearer"}
    return JSONResponse(problem.body, status_code=problem.status, media_type=PROBLEM_JSON, headers=headers)


@handles(RequestValidationError)
async def unreadable(request: Request, error: RequestValidationError) -> Response:
    """Name the wrong fields; a body that is no JSON is a bad request.

    An address of a page whose parts cannot be read is the address of no page.
    """
    errors = error.errors()
    if not _is_api(request) and any(item["loc"][0] == "path" for item in errors):
        return _answer(request, HTTPStatus.NOT_FOUND)
    if not _is_api(request) or any(item["type"] == "json_invalid" for item in errors):
        return _answer(request, HTTPStatus.BAD_REQUEST)
    messages = {}
    for item in errors:
        # `("body", "document", "type")` is `document.type`.
        path = ".".join(str(part) for part in item["loc"] if part != "body")
        messages[path or "body"] = _FIELD_MESSAGES.get(item["type"], _WRONG_FIELD) if path else _NO_JSON
    problem = validation_problem(messages)
    return JSONResponse(problem.body, status_code=problem.status, media_type=PROBLEM_JSON)


_NO_JSON = "Envíe un objeto JSON, con el encabezado Content-Type: application/json"
_WRONG_FIELD = f"El valor no es válido; {_SEE_DOCS}"
_NOT_AMONG = f"El valor no es ninguno de los admitidos; {_SEE_DOCS}"
_FIELD_MESSAGES = {
    "missing": "Falta este campo",
    "extra_forbidden": "Este campo no existe; retírelo",
    "enum": _NOT_AMONG,
    "literal_error": _NOT_AMONG,
    "string_type": "Debe ser un texto",
    "string_too_long": "El texto es demasiado largo",
    "bool_type": "Debe ser true o false",
    "bool_parsing": "Debe ser true o false",
    "model_attributes_type": "Debe ser un objeto",
}


def validation_problem(errors: Mapping[str, str]) -> ProblemError:
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "validation_error",
        "Revise los datos",
        f"{FILL_ALL_FIELDS} y corrija los señalados.",
        errors=errors,
    )


@handles(ExpiredFormError)
async def expired_form(request: Request, _error: ExpiredFormError) -> Response:
    """Offer to go on with what the person typed, except secrets and the captcha."""
    held = HeldAnswer(page=page_of(request.url.path), typed=await _kept(request) or {})
    answers: FormAnswers = request.app.state.services.answers
    return answers.redirect(request, held)


@handles(TooManyRequestsError)
async def too_many(request: Request, error: TooManyRequestsError) -> Response:
    seconds = error.retry_after_seconds
    log.info("too_many_requests", retry_after=seconds)
    return await _refuse_for_a_while(request, "Demasiados intentos seguidos", seconds=seconds)


async def _refuse_for_a_while(request: Request, title: str, text: str = "", *, seconds: int) -> Response:
    """Tell how long to wait: at an address of its own where a form was sent."""
    retry_after = {"Retry-After": str(seconds)}
    if _is_for_applications(request):
        return _answer(request, HTTPStatus.TOO_MANY_REQUESTS, retry_after)
    kept = await _kept(request)
    answers: FormAnswers = request.app.state.services.answers
    until = answers.now().timestamp() + seconds
    held = HeldAnswer(page=page_of(request.url.path), typed=kept or {}, title=title, text=text, until=until)
    if kept is not None:
        return answers.redirect(request, held)
    if _is_api(request):
        detail = f"{text} {_wait(seconds)}".strip()
        problem = ProblemError(HTTPStatus.TOO_MANY_REQUESTS, "too_many_requests", title, detail)
        return JSONResponse(
            problem.body,
            status_code=problem.status,
            media_type=PROBLEM_JSON,
            headers=retry_after,
        )
    return show_held(request, held, None)


def show_held(request: Request, held: HeldAnswer, answer_id: str | None) -> Response:
    """Show what to do with a form that was not received.

    Without the id of its answer there is no way back to what was typed.
    """
    pages: Pages = request.app.state.services.pages
    answers: FormAnswers = request.app.state.services.answers
    told: dict[str, Any] = {"way_back": answers.way_back(held, answer_id) if answer_id else None}
    if not held.title:
        return pages.render(request, "form_expired", status=HTTPStatus.FORBIDDEN, **told)
    seconds = math.ceil(held.until - answers.now().timestamp())
    if seconds <= 0:
        return pages.render(request, "too_many", title=held.title, text=held.text, is_over=True, **told)
    status, text = HTTPStatus.TOO_MANY_REQUESTS, f"{held.text} {_wait(seconds)}".strip()
    page = pages.render(
        request, "too_many", status=status, title=held.title, text=text, is_over=False, **told
    )
    page.headers["Retry-After"] = str(seconds)
    return page


def _wait(seconds: int) -> str:
    return f"Espere {in_words(seconds)} e intente de nuevo."


def in_words(seconds: int) -> str:
    """Say how long to wait, rounded up to the unit that people use."""
    amount, one, many = seconds, "segundo", "segundos"
    if seconds > _MINUTE:
        amount, one, many = math.ceil(seconds / _MINUTE), "minuto", "minutos"
    if seconds > 2 * _HOUR:
        amount, one, many = math.ceil(seconds / _HOUR), "hora", "horas"
    return sentences.counted(amount, one, many)


@handles(UpdatesSpentError)
async def no_more_updates(request: Request, error: UpdatesSpentError) -> Response:
    log.warning("updates_spent", reason=str(error))
    return await _refuse_for_a_while(
        request,
        "Este registro recibió demasiadas solicitudes",
        "Sigue su curso, pero por ahora no admite más.",
        seconds=_HOUR,
    )


@handles(StaffLoginRequiredError)
async def staff_login(_request: Request, _error: StaffLoginRequiredError) -> Response:
    return RedirectResponse("/soporte/ingreso", status_code=HTTPStatus.SEE_OTHER)


@handles(SecondFactorDemandedError)
async def second_factor_first(_request: Request, error: SecondFactorDemandedError) -> Response:
    """Lead to where the second factor is set up or shown."""
    back = {"volver": error.back} if error.back else {}
    query = urlencode({"aplicacion": error.application, **back})
    return RedirectResponse(f"/cuenta/segundo-factor?{query}", status_code=HTTPStatus.SEE_OTHER)


@handles(StaffFactorDemandedError)
async def staff_factor_first(_request: Request, _error: StaffFactorDemandedError) -> Response:
    return RedirectResponse("/soporte/segundo-factor", status_code=HTTPStatus.SEE_OTHER)


@handles(StaffChangedError)
async def staff_changed(request: Request, _error: StaffChangedError) -> Response:
    """Show the form's page again, for the member who is logged in now."""
    path = request.url.path
    page = path if path.startswith(_STAFF_FORMS_WITH_A_PAGE) else "/soporte"
    return RedirectResponse(f"{page}?{FORM_NOT_TAKEN}", status_code=HTTPStatus.SEE_OTHER)


@handles(CodecReaderUnknownError)
async def unknown_reader(request: Request, _error: CodecReaderUnknownError) -> Response:
    # Without these headers the browser hides the answer from Temporal's interface.
    origin = request.app.state.services.codec.temporal_ui_origin
    return JSONResponse(
        {"message": "Ingrese primero en /soporte, con este mismo navegador, o envíe una clave de lectura."},
        status_code=HTTPStatus.UNAUTHORIZED,
        headers={"WWW-Authenticate": "Bearer", **cross_origin_headers(origin)},
    )


def cross_origin_headers(origin: str) -> dict[str, str]:
    """Let one origin's pages read an answer to a request with cookies."""
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Vary": "Origin",
    }


@handles(ForeignFormError)
async def foreign_form(request: Request, _error: ForeignFormError) -> Response:
    return _answer(request, HTTPStatus.FORBIDDEN)


@handles(FormOfAnotherVisitError)
async def form_of_before(request: Request, error: FormOfAnotherVisitError) -> Response:
    """Say who is in now; the person decides again what to do."""
    if _is_support(request):
        return await foreign_form(request, error)
    action, pages = request.url.path, request.app.state.services.pages

    def draw(way_back: str) -> Response:
        page: Response = pages.render(
            request, "form_of_before", status=HTTPStatus.FORBIDDEN, action=action, way_back=way_back
        )
        return page

    return _keep_beside(request, await _kept(request) or {}, draw)


@handles(HTTPException)
async def http_error(request: Request, error: HTTPException) -> Response:
    # Where no route answers, no dependency has looked who is in.
    if error.status_code == HTTPStatus.NOT_FOUND and not _is_api(request):
        await request.app.state.services.who_is_in(request)
    return _answer(request, error.status_code, error.headers)


# OSError: a server that refuses, cannot be reached, or whose name does not resolve.
@handles(TemporalUnavailableError, *DATABASE_ERRORS)
async def unavailable(request: Request, error: Exception) -> Response:
    """Ask to come again: what the product depends on is away.

    A file or a limit of this machine does not come back by waiting, and is no fault of a dependency. Neither is a text
    that no database takes.
    """
    if is_of_what_was_sent(error):
        return _answer(request, HTTPStatus.BAD_REQUEST)
    if is_of_this_machine(error):
        return await unexpected(request, error)
    # A database's message may repeat the row that it was about; Temporal's names no person.
    reason = str(error) if isinstance(error, TemporalUnavailableError) else database_fault(error)
    log.warning("dependency_unavailable", error=type(error).__name__, reason=reason)
    retry_after = {"Retry-After": str(RETRY_SECONDS)}
    return _answer(request, HTTPStatus.SERVICE_UNAVAILABLE, retry_after, kept=await _kept(request))


async def unexpected(request: Request, error: Exception) -> Response:
    # Log neither the message nor the locals: both may repeat what the person typed.
    log.error("unexpected_error", exc_info=error, reason=machine_fault(error))
    # The body is read already; before its form is known there is nothing to repeat.
    kept = await _kept(request) if hasattr(request.state, "form") else None
    return _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, kept=kept)
