"""`/registro/resultado/{id}`: the answer to a form, as often as it is loaded."""

from datetime import timedelta
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response

from api.answers import (
    DoorAnswer,
    HeldAnswer,
    PasswordAnswer,
    ReceivedAnswer,
    RecoveryAnswer,
    RegistrationAnswer,
)
from api.errors import show_held
from api.protection import LOOKS, PUBLIC
from api.services import RegistrationDep
from workflows.policies import RECOVERY_LINK_LIFETIME

router = APIRouter(prefix="/registro/resultado", include_in_schema=False)

_RECOVERY_MINUTES = RECOVERY_LINK_LIFETIME // timedelta(minutes=1)


@router.api_route("/{answer_id}", methods=LOOKS, dependencies=[PUBLIC])
async def show_answer(answer_id: str, request: Request, services: RegistrationDep) -> Response:
    """Show what came of a form; another browser gets the way to its status page."""
    answer = services.answers.find(request, answer_id)
    if isinstance(answer, RegistrationAnswer):
        return await services.outcomes.page(request, answer)
    if isinstance(answer, HeldAnswer):
        return show_held(request, answer, answer_id)
    status, page, facts = HTTPStatus.OK, "answer_gone", dict[str, Any]()
    match answer:
        case ReceivedAnswer():
            status, page = HTTPStatus.ACCEPTED, "received"
        case RecoveryAnswer():
            status, page = HTTPStatus.ACCEPTED, "recovery_asked"
            facts = {"minutes": _RECOVERY_MINUTES, "change_hours": services.change_hours}
        case PasswordAnswer():
            page, facts = "password_set", {"owner": answer}
        case DoorAnswer():
            page, facts = _closed_door(answer)
        case _:
            status = HTTPStatus.NOT_FOUND
    return services.pages.render(request, page, status=status, **facts)


def _closed_door(door: DoorAnswer) -> tuple[str, dict[str, Any]]:
    if door.placement:
        return "placement_ended", {"placement": door.placement, "right": door.right}
    if door.closed:
        return "access_closed", {"closed": door.closed, "right": door.right}
    return "wrong_door", {"wanted": door.wanted, "right": door.right}
