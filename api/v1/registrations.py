"""`/api/v1/registrations`."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from api.errors import (
    API_PREFIX,
    PROBLEM_JSON,
    ProblemError,
    TooManyRequestsError,
    in_words,
    validation_problem,
)
from api.forms import by_field
from api.protection import API_KEY_REQUIRED
from api.registrations.act import TooSoonError, WrongStageError
from api.registrations.start import Submitted
from api.services import ApiDep
from api.v1.models import (
    PATHS,
    InProgressOut,
    Problem,
    RegisteredOut,
    RegistrationIn,
    RegistrationOut,
)
from mipres.domain import sentences
from mipres.domain.errors import InvalidSubmissionError
from mipres.domain.limits import DOCUMENT_SUBMISSIONS, RESENDS
from mipres.domain.outcomes import REFUSAL_MESSAGES, OutcomeStatus, message_of
from mipres.domain.radicado import is_radicado
from mipres.domain.submissions import check_submission
from mipres.temporal.answers import UnknownWorkflowError

router = APIRouter(
    prefix=f"{API_PREFIX}/registrations", tags=["registrations"], dependencies=[API_KEY_REQUIRED]
)


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {PROBLEM_JSON: {"schema": Problem.model_json_schema()}}}


_COMMON: dict[int | str, dict[str, Any]] = {
    400: _problem("The body is not JSON."),
    401: _problem("No valid API key."),
    413: _problem("The body is too large."),
    422: _problem("A field is wrong (`validation_error`) or the registration is refused."),
    429: _problem("Too many calls with this key, or of this document; see Retry-After."),
    503: _problem("Temporal gave no answer; nothing is promised, and it may be sent again."),
}
_ANOTHER_LINK = "Podrá pedir otro en {wait}."
_CREATED: dict[int | str, dict[str, Any]] = {
    200: {"model": RegisteredOut, "description": "The person had an account; its data were refreshed."},
    201: {"model": RegisteredOut, "description": "Registered; a link was mailed."},
    202: {"model": InProgressOut, "description": "Accepted; the outcome is not known yet."},
}


@router.post("", status_code=HTTPStatus.CREATED, response_model=None, responses=_CREATED | _COMMON)
async def create_registration(body: RegistrationIn, request: Request, services: ApiDep) -> Response:
    """Register a person, or join the same registration while it is running."""
    try:
        submission = check_submission(body.raw(), is_exact=True)
    except InvalidSubmissionError as error:
        messages = by_field(error.errors)
        raise validation_problem({PATHS[name]: text for name, text in messages.items()}) from None
    try:
        await services.throttle.count(DOCUMENT_SUBMISSIONS, submission.document.login)
    except TooManyRequestsError as error:
        raise _wait(
            "Este documento ya se envió demasiadas veces hoy",
            "Consulte el registro con su radicado. Podrá enviarlo otra vez en {wait}.",
            seconds=error.retry_after_seconds,
        ) from None
    submitted = await services.start.submit(
        submission,
        channel="api",
        wait_for_registry=body.wait_for_registry,
        actor=request.state.program,
    )
    if refusal := submitted.outcome.refusal:
        title = REFUSAL_MESSAGES[refusal].title
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, refusal, title, title)
    return _accepted(submitted, status_url=f"{services.public_url}/registro/estado/{submitted.radicado}")


@router.head("/{radicado}", include_in_schema=False)
@router.get(
    "/{radicado}",
    responses={401: _COMMON[401], 404: _problem("Unknown radicado."), 429: _COMMON[429], 503: _COMMON[503]},
)
async def get_registration(radicado: str, services: ApiDep) -> RegistrationOut:
    """Say where a registration stands. Holds nothing personal."""
    view = await services.ask.view(radicado) if is_radicado(radicado) else None
    if view is None:
        raise ProblemError(
            HTTPStatus.NOT_FOUND,
            "not_found",
            "Radicado no encontrado",
            "Ningún registro tiene este radicado.",
        )
    return RegistrationOut(
        radicado=view.radicado,
        stage=view.stage,
        waiting_on=list(view.waiting_on),
        user_type=view.user_type,
        submitted_at=view.submitted_at,
        updated_at=view.updated_at,
        outcome=view.outcome.code if view.outcome else None,
        access=view.access,
    )


@router.post(
    "/{radicado}/resend-link",
    status_code=HTTPStatus.ACCEPTED,
    responses={
        401: _COMMON[401],
        404: _problem("Unknown radicado."),
        409: _problem("The registration waits for no password."),
        429: _problem("Too soon after the last link, or too many calls; see Retry-After."),
        503: _COMMON[503],
    },
)
async def resend_link(radicado: str, request: Request, services: ApiDep) -> dict[str, str]:
    """Mail another link; the older one stops working."""
    await get_registration(radicado, services)
    try:
        await services.throttle.count(RESENDS, radicado)
        await services.act.resend_link(
            radicado, reason="pedido por un programa con la API", actor=request.state.program
        )
    except (UnknownWorkflowError, WrongStageError):
        raise ProblemError(
            HTTPStatus.CONFLICT,
            "wrong_stage",
            "El registro no espera contraseña",
            f"{sentences.NOTHING_TO_RESEND}.",
        ) from None
    except TooSoonError as error:
        raise _wait(error.limit, _ANOTHER_LINK, seconds=error.retry_after_seconds) from None
    except TooManyRequestsError as error:
        title = "Se pidieron demasiados enlaces de este registro"
        raise _wait(title, _ANOTHER_LINK, seconds=error.retry_after_seconds) from None
    return {"status": "accepted", "radicado": radicado}


def _wait(limit: str, way_on: str, *, seconds: int) -> ProblemError:
    return ProblemError(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too_many_requests",
        limit,
        way_on.format(wait=in_words(seconds)),
        headers={"Retry-After": str(seconds)},
    )


def _accepted(submitted: Submitted, *, status_url: str) -> Response:
    outcome = submitted.outcome
    if outcome.status is OutcomeStatus.IN_PROGRESS:
        pending = InProgressOut(status="in_progress", radicado=submitted.radicado, status_url=status_url)
        return JSONResponse(pending.model_dump(), status_code=HTTPStatus.ACCEPTED)
    updated = outcome.status is OutcomeStatus.UPDATED
    registered = RegisteredOut(
        status="updated" if updated else "registered",
        radicado=submitted.radicado,
        login=submitted.submission.document.login,
        user_type=submitted.submission.user_type,
        email_hint=outcome.email_hint,
        message=message_of(outcome),
        status_url=status_url,
    )
    return JSONResponse(registered.model_dump(), status_code=HTTPStatus.OK if updated else HTTPStatus.CREATED)
