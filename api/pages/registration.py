"""`/registro/…`: the four forms, their outcomes, and the status page."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from api.captcha import CAPTCHA_MISSING, FormCaptcha
from api.clients import network_of
from api.deps import PROTECTED_FORM, PUBLIC, ClientDep, Services, ServicesDep, limited, throttle
from api.forms import DOCUMENT_OPTIONS, by_field, submission_of, text_of
from api.registrations import Submitted, TooSoonError, WrongStageError
from mipres.domain import divipola
from mipres.domain.documents import MAX_DOCUMENT_INPUT
from mipres.domain.errors import InvalidSubmissionError
from mipres.domain.limits import (
    CLIENT_ANSWERS,
    DOCUMENT_ANSWERS,
    DOCUMENT_SUBMISSIONS,
    NETWORK_ANSWERS,
    RESENDS,
    SUBMISSIONS,
)
from mipres.domain.nit import nit_to_offer
from mipres.domain.outcomes import (
    DATA_UPDATED,
    FILL_ALL_FIELDS,
    IN_PROGRESS,
    LINK_WILL_BE_SENT,
    REFUSAL_MESSAGES,
    REGISTRATION_SUCCESSFUL,
    USE_FIRST_CREDENTIALS,
    OutcomeStatus,
)
from mipres.domain.radicado import is_radicado, read_radicado
from mipres.domain.submissions import EntityKind, RawSubmission, Submission, UserType, check_submission
from mipres.domain.terms import TERMS_TEXT, TERMS_VERSION
from mipres.temporal.answers import UnknownWorkflowError

router = APIRouter(prefix="/registro", include_in_schema=False)

STATUS_REFRESH_SECONDS = 10
_NO_RADICADO = "Escriba el número de radicado como está en el comprobante: RM- y 12 letras o dígitos"
_NOT_FOUND = "No hay ningún registro con ese número de radicado; revise que esté bien escrito"
_RESEND_REASON = "pedido por la persona en la página de estado"


@router.get("/estado", dependencies=[PUBLIC])
async def find_status(request: Request, found: ServicesDep) -> Response:
    """From the radicado on a receipt to its status page; it is no secret, so it may stand in the address."""
    typed = request.query_params.get("radicado")
    radicado = read_radicado(typed or "")
    if radicado and await found.registrations.view(radicado):
        return RedirectResponse(f"/registro/estado/{radicado}", status_code=HTTPStatus.SEE_OTHER)
    if typed is None:
        return _search(request, found)
    if radicado:
        return _search(request, found, typed, error=_NOT_FOUND, status=HTTPStatus.NOT_FOUND)
    return _search(request, found, typed, error=_NO_RADICADO, status=HTTPStatus.UNPROCESSABLE_ENTITY)


@router.get("/{tipo}", dependencies=[PUBLIC])
async def show_form(tipo: str, request: Request, found: ServicesDep) -> Response:
    raw = RawSubmission(user_type=_user_type(tipo))
    return _form(request, found, raw, FormCaptcha(found.captcha))


@router.post("/{tipo}", dependencies=[limited(SUBMISSIONS), PROTECTED_FORM])
async def submit(tipo: str, request: Request, found: ServicesDep, who: ClientDep) -> Response:
    user_type, form = _user_type(tipo), await request.form()
    raw, captcha = submission_of(user_type, form), FormCaptcha(found.captcha, form)
    if captcha.another_image_asked:
        return _form(request, found, raw, captcha)
    if offered := text_of(form, "usar_nit"):
        return _form(request, found, replace(raw, nit=offered), captcha)
    submission, errors = _checked(raw)
    errors |= captcha.missing()
    if errors or submission is None:
        return _form(request, found, raw, captcha, errors)
    if wrong := await captcha.wrong():
        return _form(request, found, raw, captcha, wrong)
    await throttle(found, DOCUMENT_SUBMISSIONS, submission.document.login)
    if found.answers_by_mail_only or await _asks_too_much(found, who, submission):
        await found.registrations.accept(submission, channel="web")
        return found.pages.render(request, "received", status=HTTPStatus.ACCEPTED)
    return outcome_page(request, found, await found.registrations.submit(submission, channel="web"))


@router.get("/estado/{radicado}", dependencies=[PUBLIC])
async def show_status(radicado: str, request: Request, found: ServicesDep) -> Response:
    return await _status(request, found, _radicado(radicado))


@router.post("/estado/{radicado}/reenviar", dependencies=[limited(RESENDS), PROTECTED_FORM])
async def resend_link(radicado: str, request: Request, found: ServicesDep) -> Response:
    """Send the link again: never more often than the registration itself allows."""
    try:
        await found.registrations.resend_link(_radicado(radicado), reason=_RESEND_REASON)
    except (UnknownWorkflowError, WrongStageError):
        return await _status(request, found, radicado, notice="not_waiting", status=HTTPStatus.CONFLICT)
    except TooSoonError as error:
        page = await _status(request, found, radicado, notice="too_soon", status=HTTPStatus.TOO_MANY_REQUESTS)
        page.headers["Retry-After"] = str(error.retry_after_seconds)
        return page
    return await _status(request, found, radicado, notice="resent", status=HTTPStatus.ACCEPTED)


def _search(
    request: Request,
    found: Services,
    typed: str = "",
    *,
    error: str | None = None,
    status: int = HTTPStatus.OK,
) -> Response:
    errors = {"radicado": error} if error else {}
    return found.pages.render(
        request, "status_search", status=status, typed=typed[:MAX_DOCUMENT_INPUT], errors=errors
    )


async def _asks_too_much(found: Services, who: str, submission: Submission) -> bool:
    """Whether the answer is for the mailbox only: somebody is trying documents, or one document is tried a lot."""
    subjects = {
        DOCUMENT_ANSWERS: submission.document.login,
        CLIENT_ANSWERS: who,
        NETWORK_ANSWERS: network_of(who),
    }
    # Each is counted, also where another one is used up already.
    waits = [await found.limits.take(limit, subject) for limit, subject in subjects.items()]
    return any(waits)


def _user_type(tipo: str) -> UserType:
    try:
        return UserType.of_slug(tipo)
    except KeyError:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None


def _radicado(text: str) -> str:
    if not is_radicado(text):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return text


async def _status(
    request: Request,
    found: Services,
    radicado: str,
    *,
    notice: str | None = None,
    status: int = HTTPStatus.OK,
) -> Response:
    view = await found.registrations.view(radicado)
    if view is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return found.pages.render(
        request, "status", status=status, view=view, notice=notice, refresh_seconds=STATUS_REFRESH_SECONDS
    )


def _checked(raw: RawSubmission) -> tuple[Submission | None, dict[str, str]]:
    try:
        return check_submission(raw), {}
    except InvalidSubmissionError as error:
        return None, by_field(error.errors)


def _form(
    request: Request,
    found: Services,
    raw: RawSubmission,
    captcha: FormCaptcha,
    errors: Mapping[str, str] | None = None,
) -> Response:
    """The form, with what was typed and what is wrong with it."""
    # The box to tick comes last on the page, after the picture.
    errors = dict(sorted((errors or {}).items(), key=lambda error: error[0] == "acepta_datos"))
    something_missing = CAPTCHA_MISSING in errors.values() or any(
        not getattr(raw, name, True) for name in errors
    )
    return found.pages.render(
        request,
        "registration_form",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK,
        raw=raw,
        errors=errors,
        sentence=FILL_ALL_FIELDS if something_missing else None,
        offered_nit=nit_to_offer(raw.nit) if "nit" in errors else None,
        captcha=captcha.view(),
        document_types=DOCUMENT_OPTIONS,
        departments=divipola.departments(),
        municipalities=divipola.municipalities,
        terms=TERMS_TEXT,
    )


def outcome_page(request: Request, found: Services, submitted: Submitted) -> Response:
    """What the person is told of a registration that was submitted."""
    match submitted.outcome.status:
        case OutcomeStatus.REFUSED:
            refusal = submitted.outcome.refusal
            message = REFUSAL_MESSAGES[refusal] if refusal else None
            return found.pages.render(
                request, "refused", submitted=submitted, message=message, typed=_typed(submitted.submission)
            )
        case OutcomeStatus.IN_PROGRESS:
            return found.pages.render(
                request,
                "in_progress",
                status=HTTPStatus.ACCEPTED,
                submitted=submitted,
                message=IN_PROGRESS,
            )
        case _:
            return _success(request, found, submitted)


def _typed(submission: Submission) -> dict[str, str]:
    """The form's fields of what was submitted: enough to show the form again as it was filled in."""
    entity, document = submission.entity, submission.document
    texts = {
        "tipo_documento": document.type.value,
        "numero_documento": document.number,
        "registro_profesional": submission.professional_registration,
        "acepta_datos": "SI",
    }
    if entity:
        is_provider = entity.kind is EntityKind.PROVIDER
        texts |= {
            "tipo_entidad": "PROVEEDOR" if is_provider else entity.kind.value,
            "regimen": entity.regime and entity.regime.value,
            "tiene_nit": ("NO" if entity.is_natural_person else "SI") if is_provider else None,
            "nit": entity.nit,
            "departamento": entity.department,
            "municipio": entity.municipality,
        }
    return {name: text for name, text in texts.items() if text}


def _success(request: Request, found: Services, submitted: Submitted) -> Response:
    return found.pages.render(
        request,
        "registered",
        submitted=submitted,
        updated=submitted.outcome.status is OutcomeStatus.UPDATED,
        successful=REGISTRATION_SUCCESSFUL,
        link_will_be_sent=LINK_WILL_BE_SENT,
        data_updated=DATA_UPDATED,
        use_first_credentials=USE_FIRST_CREDENTIALS,
        link_hours=found.password_link_hours,
        mail_from=found.mail_from,
        now=datetime.now(UTC),
        status_url=f"{found.public_url}/registro/estado/{submitted.radicado}",
        terms_version=TERMS_VERSION,
    )
