"""`/registro/…`: the four forms, their outcomes, and the status page."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request, Response

from api.deps import PROTECTED_FORM, PUBLIC, Services, ServicesDep
from api.forms import by_field, submission_of, text_of
from api.registrations import Submitted
from mipres.domain import divipola
from mipres.domain.documents import DOCUMENT_RULES
from mipres.domain.errors import InvalidSubmissionError
from mipres.domain.outcomes import (
    DATA_UPDATED,
    FILL_ALL_FIELDS,
    LINK_WILL_BE_SENT,
    REFUSAL_MESSAGES,
    REGISTRATION_SUCCESSFUL,
    USE_FIRST_CREDENTIALS,
    OutcomeStatus,
)
from mipres.domain.radicado import is_radicado
from mipres.domain.submissions import RawSubmission, Submission, UserType, check_submission
from mipres.domain.terms import TERMS_TEXT

router = APIRouter(prefix="/registro", include_in_schema=False)

_CAPTCHA_MISSING = "Escriba el código de la imagen"
_CAPTCHA_WRONG = "El código no corresponde a la imagen; escriba el de la imagen nueva"
STATUS_REFRESH_SECONDS = 10


def _user_type(tipo: str) -> UserType:
    try:
        return UserType.of_slug(tipo)
    except KeyError:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None


@router.get("/{tipo}", dependencies=[PUBLIC])
async def show_form(tipo: str, request: Request, found: ServicesDep) -> Response:
    return _form(request, found, RawSubmission(user_type=_user_type(tipo)))


@router.post("/{tipo}", dependencies=[PROTECTED_FORM])
async def submit(tipo: str, request: Request, found: ServicesDep) -> Response:
    user_type, form = _user_type(tipo), await request.form()
    raw = submission_of(user_type, form)
    if text_of(form, "actualizar_imagen"):
        return _form(request, found, raw)
    challenge, answer = text_of(form, "captcha_id"), text_of(form, "captcha")
    submission, errors = _checked(raw)
    if found.captcha and not answer.strip():
        errors["captcha"] = _CAPTCHA_MISSING
    if errors or submission is None:
        return _form(request, found, raw, errors=errors, challenge=challenge, answer=answer)
    # The captcha is judged last, so that one solved challenge buys exactly one answer of the registries.
    if found.captcha and not await found.captcha.redeem(challenge, answer):
        return _form(request, found, raw, errors={"captcha": _CAPTCHA_WRONG})
    submitted = await found.registrations.submit(submission, channel="web")
    return _outcome(request, found, submitted)


@router.get("/estado/{radicado}", dependencies=[PUBLIC])
async def show_status(radicado: str, request: Request, found: ServicesDep) -> Response:
    view = await found.registrations.view(radicado) if is_radicado(radicado) else None
    if view is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return found.pages.render(request, "status", view=view, refresh_seconds=STATUS_REFRESH_SECONDS)


def _checked(raw: RawSubmission) -> tuple[Submission | None, dict[str, str]]:
    try:
        return check_submission(raw), {}
    except InvalidSubmissionError as error:
        return None, by_field(error.errors)


def _form(
    request: Request,
    found: Services,
    raw: RawSubmission,
    *,
    errors: Mapping[str, str] | None = None,
    challenge: str = "",
    answer: str = "",
) -> Response:
    """The form with what was typed. A challenge that was not judged yet stays, with its answer."""
    if found.captcha and found.captcha.code_of(challenge) is None:
        challenge, answer = found.captcha.new(), ""
    something_missing = any(not getattr(raw, name, True) for name in errors or ()) or _CAPTCHA_MISSING in (errors or {}).values()
    return found.pages.render(
        request,
        "registration_form",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK,
        raw=raw,
        errors=errors or {},
        sentence=FILL_ALL_FIELDS if something_missing else None,
        challenge=challenge if found.captcha else None,
        captcha_answer=answer,
        document_types=[(code.value, rule.label) for code, rule in DOCUMENT_RULES.items()],
        departments=divipola.departments(),
        municipalities=divipola.municipalities,
        terms=TERMS_TEXT,
    )


def _outcome(request: Request, found: Services, submitted: Submitted) -> Response:
    match submitted.outcome.status:
        case OutcomeStatus.REFUSED:
            refusal = submitted.outcome.refusal
            message = REFUSAL_MESSAGES[refusal] if refusal else None
            return found.pages.render(request, "refused", submitted=submitted, message=message)
        case OutcomeStatus.IN_PROGRESS:
            return found.pages.render(
                request,
                "in_progress",
                status=HTTPStatus.ACCEPTED,
                submitted=submitted,
                refresh_seconds=STATUS_REFRESH_SECONDS,
            )
        case _:
            return _success(request, found, submitted)


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
    )
