"""`/registro/…`: the four forms and the status page."""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from api.answers import FormAnswer, ReceivedAnswer, StatusAnswer, StatusResult
from api.captcha import FormCaptcha
from api.clients import network_of
from api.errors import in_words
from api.forms import (
    DOCUMENT_OPTIONS,
    ENTITY_KIND_OPTIONS,
    REGISTRATION_FIELDS,
    by_field,
    form_errors,
    municipality_options,
    raw_submission,
    text_of,
    typed_in,
)
from api.pages.timeline import status_page
from api.protection import LOOKS, PROTECTED_FORM, PUBLIC, ClientDep, limited
from api.registrations.act import TooSoonError, WrongStageError
from api.registrations.start import NothingToWaitForError
from api.services import RegistrationDep, RegistrationServices
from mipres.domain import divipola
from mipres.domain.documents import MAX_DOCUMENT_INPUT
from mipres.domain.errors import FieldError, InvalidSubmissionError
from mipres.domain.limits import (
    CLIENT_ANSWERS,
    DOCUMENT_ANSWERS,
    DOCUMENT_SUBMISSIONS,
    NETWORK_ANSWERS,
    RESENDS,
    SUBMISSIONS,
)
from mipres.domain.nit import nit_to_offer
from mipres.domain.outcomes import FILL_ALL_FIELDS
from mipres.domain.radicado import is_radicado, read_radicado
from mipres.domain.submissions import Submission, UserType, check_submission
from mipres.domain.terms import TERMS_TEXT
from mipres.mail.dates import long_date_time
from mipres.temporal.answers import UnknownWorkflowError

router = APIRouter(prefix="/registro", include_in_schema=False)

_NO_RADICADO = "Escriba el número de radicado como está en el comprobante: RM- y 12 letras o dígitos"
_NOT_FOUND = "No hay ningún registro con ese número de radicado, o terminó hace meses y ya no se muestra; revise que esté bien escrito"
_RESEND_REASON = "pedido por la persona en la página de estado"
_STOP_REASON = "la persona ya no espera, según la página de estado"


@router.api_route("/estado", methods=LOOKS, dependencies=[PUBLIC])
async def find_status(request: Request, services: RegistrationDep) -> Response:
    """Lead from the radicado on a receipt, which is no secret, to its status page."""
    typed = request.query_params.get("radicado")
    radicado = read_radicado(typed or "")
    if radicado and await services.ask.view(radicado):
        return RedirectResponse(f"/registro/estado/{radicado}", status_code=HTTPStatus.SEE_OTHER)
    if radicado:
        return _unknown(request, services, radicado)
    errors = {"radicado": _NO_RADICADO} if typed is not None else {}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK
    return services.pages.render(
        request, "status_search", status=status, typed=(typed or "")[:MAX_DOCUMENT_INPUT], errors=errors
    )


@router.api_route("/{tipo}", methods=LOOKS, dependencies=[PUBLIC])
async def show_form(tipo: str, request: Request, services: RegistrationDep) -> Response:
    """Show the form, with what the person typed and what is wrong with it."""
    user_type, shown = _user_type(tipo), services.answers.form_here(request)
    typed = shown.typed
    return services.pages.render(
        request,
        "registration_form",
        status=shown.shown_status,
        user_type=user_type,
        typed=typed,
        errors=shown.errors,
        sentence=FILL_ALL_FIELDS if shown.is_incomplete else None,
        offered_nit=nit_to_offer(typed.get("nit", "")) if "nit" in shown.errors else None,
        captcha=services.captcha.view(request, shown.captcha or ""),
        document_types=DOCUMENT_OPTIONS,
        entity_kinds=ENTITY_KIND_OPTIONS,
        departments=[(department.code, department.name) for department in divipola.departments()],
        municipalities=municipality_options(typed.get("departamento", "")),
        terms=TERMS_TEXT,
    )


@router.post("/{tipo}", dependencies=[limited(SUBMISSIONS), PROTECTED_FORM])
async def submit(tipo: str, request: Request, services: RegistrationDep, client: ClientDep) -> Response:
    user_type, form = _user_type(tipo), await request.form()
    typed, captcha = typed_in(form, REGISTRATION_FIELDS), services.captcha.of(request, form)
    if captcha.another_image_asked or text_of(form, "ver_municipio"):
        return _again(request, services, captcha, typed)
    # The button with the NIT that was meant sends the form with it.
    typed["nit"] = text_of(form, "usar_nit") or typed["nit"]
    try:
        submission = check_submission(raw_submission(user_type, typed))
    except InvalidSubmissionError as error:
        errors = (*form_errors(error), *captcha.missing())
        return _again(request, services, captcha, typed, errors)
    if errors := captcha.missing() or await captcha.wrong():
        return _again(request, services, captcha, typed, errors)
    # Beyond it the form is accepted all the same: a stranger must not keep a person from registering.
    is_quiet = await services.throttle.is_beyond(DOCUMENT_SUBMISSIONS, submission.document.login)
    asks_too_much = await _asks_too_much(services, client, submission)
    if is_quiet or asks_too_much or services.answers_by_mail_only:
        await services.start.accept(submission, channel="web", is_quiet=is_quiet)
        return services.answers.redirect(request, ReceivedAnswer())
    return services.outcomes.answer(request, await services.start.submit(submission, channel="web"))


@router.api_route("/estado/{radicado}", methods=LOOKS, dependencies=[PUBLIC])
async def show_status(radicado: str, request: Request, services: RegistrationDep) -> Response:
    if not is_radicado(radicado):
        return _to_status(radicado)
    view = await services.ask.view(radicado)
    if view is None:
        return _unknown(request, services, radicado)
    sent_here = services.sent_forms.sent_at(request, radicado) is not None
    answer = services.answers.shown_here(request, StatusAnswer)
    wait = math.ceil(answer.until - services.answers.now().timestamp()) if answer else 0
    return services.pages.render(
        request,
        "status",
        page=status_page(view, sent_here=sent_here),
        answer=answer,
        # What the button said stays when the person loads the page again.
        shown_at=f"{request.url.path}?{request.url.query}" if answer else request.url.path,
        wait=in_words(wait) if wait > 0 else None,
        free_from=long_date_time(datetime.fromtimestamp(answer.until, UTC)) if answer else None,
    )


@router.post("/estado/{radicado}/reenviar", dependencies=[limited(RESENDS), PROTECTED_FORM])
async def resend_link(radicado: str, request: Request, services: RegistrationDep) -> Response:
    """Send the link again: never more often than the registration itself allows."""
    _require_radicado(radicado)
    try:
        await services.act.resend_link(radicado, reason=_RESEND_REASON)
    except (UnknownWorkflowError, WrongStageError):
        return _back(request, services, radicado, StatusResult.NOT_WAITING)
    except TooSoonError as error:
        return _back(request, services, radicado, StatusResult.TOO_SOON, error)
    return _back(request, services, radicado, StatusResult.RESENT)


@router.post("/estado/{radicado}/esperar", dependencies=[limited(RESENDS), PROTECTED_FORM])
async def wait_for_registry(radicado: str, request: Request, services: RegistrationDep) -> Response:
    """Wait for a registry that does not know the person yet.

    Only the browser that sent the form may ask for it.
    """
    _require_radicado(radicado)
    if services.sent_forms.sent_at(request, radicado) is None:
        return _back(request, services, radicado, StatusResult.NOT_YOURS)
    try:
        await services.start.wait_for_registry(radicado)
    except (UnknownWorkflowError, NothingToWaitForError):
        return _back(request, services, radicado, StatusResult.NO_WAIT)
    return RedirectResponse(f"/registro/estado/{radicado}", status_code=HTTPStatus.SEE_OTHER)


@router.post("/estado/{radicado}/no-esperar", dependencies=[limited(RESENDS), PROTECTED_FORM])
async def stop_watching(radicado: str, request: Request, services: RegistrationDep) -> Response:
    """End the waiting for a registry."""
    _require_radicado(radicado)
    try:
        await services.act.stop_watching(radicado, reason=_STOP_REASON)
    except (UnknownWorkflowError, WrongStageError):
        return _back(request, services, radicado, StatusResult.NO_WAIT)
    return RedirectResponse(f"/registro/estado/{radicado}", status_code=HTTPStatus.SEE_OTHER)


async def _asks_too_much(services: RegistrationServices, client: str, submission: Submission) -> bool:
    """Whether a client tries many documents, or many clients try one document."""
    subjects = {
        DOCUMENT_ANSWERS: submission.document.login,
        CLIENT_ANSWERS: client,
        NETWORK_ANSWERS: network_of(client),
    }
    # Each counts, also where another one is used up already.
    waits = [await services.throttle.limits.take(limit, subject) for limit, subject in subjects.items()]
    return any(waits)


def _user_type(tipo: str) -> UserType:
    try:
        return UserType.of_slug(tipo)
    except KeyError:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None


def _unknown(request: Request, services: RegistrationServices, radicado: str) -> Response:
    """Say that no registration has this radicado, where another one can be typed."""
    errors = {"radicado": _NOT_FOUND}
    return services.pages.render(
        request, "status_search", status=HTTPStatus.NOT_FOUND, typed=radicado, errors=errors
    )


def _to_status(typed: str) -> Response:
    """Lead from an address as it was typed or handed on to the page's own."""
    radicado = read_radicado(typed)
    if radicado is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return RedirectResponse(f"/registro/estado/{radicado}", status_code=HTTPStatus.SEE_OTHER)


def _require_radicado(text: str) -> None:
    if not is_radicado(text):
        raise HTTPException(HTTPStatus.NOT_FOUND)


def _back(
    request: Request,
    services: RegistrationServices,
    radicado: str,
    result: StatusResult,
    too_soon: TooSoonError | None = None,
) -> Response:
    """Lead back to the status page, which shows what came of its button."""
    answer = StatusAnswer(
        page=f"/registro/estado/{radicado}",
        result=result,
        limit=too_soon.limit if too_soon else "",
        until=_moment_after(services, too_soon) if too_soon else 0,
    )
    return services.answers.lead_back(request, answer)


def _moment_after(services: RegistrationServices, too_soon: TooSoonError) -> float:
    return services.answers.now().timestamp() + too_soon.retry_after_seconds


def _again(
    request: Request,
    services: RegistrationServices,
    captcha: FormCaptcha,
    typed: Mapping[str, str],
    errors: Iterable[FieldError] = (),
) -> Response:
    """Lead back to the form."""
    # The box to tick comes last on the page, after the picture.
    errors = sorted(errors, key=lambda error: error.field == "acepta_datos")
    answer = FormAnswer(
        page=request.url.path,
        typed=typed,
        errors=by_field(errors),
        captcha=captcha.to_show,
        is_incomplete=any(error.is_missing for error in errors),
    )
    return services.answers.lead_back(request, answer)
