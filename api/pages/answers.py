"""`/registro/resultado/{id}`: the answer to a form, as often as it is loaded."""

from datetime import timedelta
from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from api.answers import (
    PasswordAnswer,
    ReceivedAnswer,
    RecoveryAnswer,
    RegistrationAnswer,
)
from api.protection import LOOKS, PUBLIC
from api.services import RegistrationDep
from workflows.policies import RECOVERY_LINK_LIFETIME

router = APIRouter(prefix="/registro/resultado", include_in_schema=False)

_RECOVERY_MINUTES = RECOVERY_LINK_LIFETIME // timedelta(minutes=1)


@router.api_route("/{answer_id}", methods=LOOKS, dependencies=[PUBLIC])
async def show_answer(answer_id: str, request: Request, services: RegistrationDep) -> Response:
    """Show what came of a form; another browser gets the way to its status page."""
    pages = services.pages
    match services.answers.find(request, answer_id):
        case RegistrationAnswer() as submitted:
            return await services.outcomes.page(request, submitted)
        case ReceivedAnswer():
            return pages.render(request, "received", status=HTTPStatus.ACCEPTED)
        case RecoveryAnswer():
            return pages.render(
                request,
                "recovery_asked",
                status=HTTPStatus.ACCEPTED,
                minutes=_RECOVERY_MINUTES,
                change_hours=services.change_hours,
            )
        case PasswordAnswer() as owner:
            return pages.render(request, "password_set", owner=owner)
    return pages.render(request, "answer_gone", status=HTTPStatus.NOT_FOUND)
