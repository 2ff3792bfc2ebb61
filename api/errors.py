"""Errors become answers here and nowhere else: problem details for the API, a page for people."""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mipres.domain.outcomes import FILL_ALL_FIELDS
from mipres.temporal.answers import TemporalUnavailableError

log = structlog.get_logger()

API_PREFIX = "/api/v1"
PROBLEM_JSON = "application/problem+json"
RETRY_SECONDS = 30
_MINUTE, _HOUR = 60, 60 * 60


class UnauthorizedError(Exception):
    """The JSON API was called without a good key."""


class ForeignFormError(Exception):
    """A form did not come from a page of ours in this visit."""


class ExpiredFormError(Exception):
    """A form of ours was sent after its token's time."""


class StaffLoginRequiredError(Exception):
    """A page of support was asked for without a session of support."""


class CodecReaderUnknownError(Exception):
    """The codec server was asked by nobody of support."""


class TooManyRequestsError(Exception):
    """Somebody has to wait before the next attempt."""

    def __init__(self, wait: timedelta) -> None:
        # Upwards, so that whoever comes back at that second is let in.
        self.retry_after_seconds = max(1, math.ceil(wait.total_seconds()))
        super().__init__(self.retry_after_seconds)


class ProblemError(Exception):
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
    HTTPStatus.BAD_REQUEST: ("Solicitud no válida", "No pudimos leer lo que envió el navegador. Vuelva a la página anterior e intente de nuevo."),
    HTTPStatus.FORBIDDEN: ("El formulario no se puede recibir", "El formulario no salió de una página abierta en esta visita. Abra de nuevo la página, complete los datos y envíelo; si el navegador bloquea las cookies, permítalas para este sitio."),
    HTTPStatus.NOT_FOUND: ("Página no encontrada", "La dirección no existe o cambió. Revise que esté completa o empiece desde el inicio."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("Página no encontrada", "La dirección existe, pero no de esta forma. Empiece desde el inicio."),
    HTTPStatus.REQUEST_TIMEOUT: ("El envío tardó demasiado", "No alcanzó a llegar completo. Revise su conexión, vuelva a la página anterior e intente de nuevo."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("El envío es demasiado grande", "El formulario solo admite los datos que pide. Vuelva a la página anterior e intente de nuevo."),
    HTTPStatus.SERVICE_UNAVAILABLE: ("El servicio no está disponible en este momento", "Su solicitud no se recibió. Espere un minuto y envíela de nuevo."),
    HTTPStatus.INTERNAL_SERVER_ERROR: ("Algo falló de nuestro lado", "Ya quedó anotado. Intente de nuevo en unos minutos; si ya tenía un número de radicado, su registro no se perdió."),
}  # fmt: skip


def install(app: FastAPI) -> None:
    """Register every handler."""
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(UnauthorizedError, _unauthorized)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(ForeignFormError, lambda request, _: _answer(request, HTTPStatus.FORBIDDEN))
    app.add_exception_handler(ExpiredFormError, _expired_form)
    app.add_exception_handler(TooManyRequestsError, _too_many)
    app.add_exception_handler(StaffLoginRequiredError, _staff_login)
    app.add_exception_handler(CodecReaderUnknownError, _unknown_reader)
    app.add_exception_handler(HTTPException, _http)
    # OSError: a server that refuses, cannot be reached, or whose name does not resolve.
    for error in (
        TemporalUnavailableError,
        InterfaceError,
        DBAPIError,
        PoolTimeoutError,
        OSError,
    ):
        app.add_exception_handler(error, _unavailable)
    app.add_middleware(_LastResort)


class _LastResort:
    """ASGI middleware for what nobody expected.

    Starlette's own place for it lies outside all middleware, where the answer would miss the security
    headers, and raises the error again for the server to print, message and all.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception as error:
            if begun or scope["type"] != "http":
                raise
            answer = _unexpected(Request(scope), error)
            await answer(scope, receive, send)


def _is_api(request: Request) -> bool:
    return request.url.path.startswith("/api/")


def _answer(request: Request, status: int, headers: Mapping[str, str] | None = None) -> Response:
    title, text = _PAGES.get(status, _PAGES[HTTPStatus.INTERNAL_SERVER_ERROR])
    if _is_api(request):
        problem = ProblemError(status, _code(status), title, text)
        return JSONResponse(problem.body, status_code=status, media_type=PROBLEM_JSON, headers=headers)
    pages = request.app.state.services.pages
    response: Response = pages.render(request, "error", status=status, title=title, text=text)
    response.headers.update(headers or {})
    return response


def _code(status: int) -> str:
    # Python renamed this phrase in 3.13, and codes are stable.
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return "content_too_large"
    return HTTPStatus(status).phrase.lower().replace(" ", "_")


async def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101 - Starlette's handlers are typed by the base class.
    return JSONResponse(error.body, status_code=error.status, media_type=PROBLEM_JSON, headers=error.headers)


async def _unauthorized(_request: Request, _error: Exception) -> Response:
    problem = ProblemError(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        "Falta una clave válida",
        "Envíe el encabezado Authorization: Bearer con una de las claves de MIPRES_API_KEYS.",
    )
    headers = {"WWW-Authenticate": "Bearer"}
    return JSONResponse(problem.body, status_code=problem.status, media_type=PROBLEM_JSON, headers=headers)


async def _unreadable(request: Request, error: Exception) -> Response:
    """A body that is no JSON is a bad request; one with wrong fields says which."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - the same.
    found = error.errors()
    if not _is_api(request) or any(item["type"] == "json_invalid" for item in found):
        return _answer(request, HTTPStatus.BAD_REQUEST)
    problem = validation_problem(
        {_path(item["loc"]): _FIELD_MESSAGES.get(item["type"], _WRONG_FIELD) for item in found}
    )
    return JSONResponse(problem.body, status_code=problem.status, media_type=PROBLEM_JSON)


def _path(location: Sequence[object]) -> str:
    """`("body", "document", "type")` is `document.type`."""
    return ".".join(str(part) for part in location if part != "body") or "body"


_WRONG_FIELD = "El valor no es válido; consulte la documentación en /api/docs"
_FIELD_MESSAGES = {
    "missing": "Falta este campo",
    "extra_forbidden": "Este campo no existe; retírelo",
    "enum": "El valor no es ninguno de los admitidos; consulte la documentación en /api/docs",
    "literal_error": "El valor no es ninguno de los admitidos; consulte la documentación en /api/docs",
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


async def _expired_form(request: Request, _error: Exception) -> Response:
    """Offer to go on with what was typed; secrets and the solved captcha are asked for again."""
    form = await request.form()
    again = {"csrf_token", "captcha", "captcha_id", "contrasena", "confirmacion"}
    kept = [
        (name, value) for name, value in form.multi_items() if name not in again and isinstance(value, str)
    ]
    pages = request.app.state.services.pages
    page: Response = pages.render(
        request, "form_expired", status=HTTPStatus.FORBIDDEN, action=request.url.path, kept=kept
    )
    return page


async def _too_many(request: Request, error: Exception) -> Response:
    assert isinstance(error, TooManyRequestsError)  # noqa: S101 - the same.
    seconds = error.retry_after_seconds
    headers = {"Retry-After": str(seconds)}
    log.info("too_many_requests", retry_after=seconds)
    title, text = "Demasiados intentos seguidos", f"Espere {in_words(seconds)} e intente de nuevo."
    if _is_api(request):
        status = HTTPStatus.TOO_MANY_REQUESTS
        problem = ProblemError(status, "too_many_requests", title, text)
        return JSONResponse(problem.body, status_code=status, media_type=PROBLEM_JSON, headers=headers)
    page: Response = request.app.state.services.pages.render(
        request, "too_many", status=HTTPStatus.TOO_MANY_REQUESTS, title=title, text=text
    )
    page.headers.update(headers)
    return page


def in_words(seconds: int) -> str:
    """How long to wait, rounded up to what a person reckons in."""
    amount, one, many = seconds, "segundo", "segundos"
    if seconds > _MINUTE:
        amount, one, many = math.ceil(seconds / _MINUTE), "minuto", "minutos"
    if seconds > 2 * _HOUR:
        amount, one, many = math.ceil(seconds / _HOUR), "hora", "horas"
    return f"{amount} {one if amount == 1 else many}"


async def _staff_login(_request: Request, _error: Exception) -> Response:
    return RedirectResponse("/soporte/ingreso", status_code=HTTPStatus.SEE_OTHER)


async def _unknown_reader(request: Request, _error: Exception) -> Response:
    # The browser shows Temporal's interface the status only with the headers that let it read the answer.
    origin = request.app.state.services.temporal_ui_origin
    return JSONResponse(
        {"message": "Ingrese primero en /soporte, con este mismo navegador, o envíe una clave de lectura."},
        status_code=HTTPStatus.UNAUTHORIZED,
        headers={"WWW-Authenticate": "Bearer", **cross_origin_headers(origin)},
    )


def cross_origin_headers(origin: str) -> dict[str, str]:
    """Let one origin's pages read an answer that was asked for with cookies."""
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Vary": "Origin",
    }


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - the same.
    return _answer(request, error.status_code, error.headers)


async def _unavailable(request: Request, error: Exception) -> Response:
    log.warning("dependency_unavailable", error=type(error).__name__)
    return _answer(request, HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": str(RETRY_SECONDS)})


def _unexpected(request: Request, error: Exception) -> Response:
    # Neither the message nor the locals: both may repeat what the person typed.
    log.error("unexpected_error", error=type(error).__name__, where=_where(error))
    return _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR)


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
