"""`/soporte/equipo/…`: what members of support do for one another.

An address holds a member's own number.
"""

import uuid
from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request, Response

from api.forms import typed_in
from api.pages.support import lead_again, lead_back
from api.pages.support_accounts import UNLOCK
from api.protection import READS, STAFF_FORM, STAFF_REQUIRED, StaffDep
from api.services import SupportDep, SupportServices
from mipres.domain import sentences
from mipres.domain.audit import ReasonRefusedError, checked_reason
from mipres.support.staff import OwnStaffLockError

router = APIRouter(prefix="/soporte/equipo", include_in_schema=False)

_OWN = "Su propio nombre lo desbloquea otra persona de soporte"


@router.api_route("/{staff_id}/desbloquear", methods=READS, dependencies=[STAFF_REQUIRED])
async def ask(staff_id: uuid.UUID, request: Request, services: SupportDep, member: StaffDep) -> Response:
    """Ask for the reason, and say what follows."""
    shown = services.answers.form_here(request)
    return services.pages.render(
        request,
        "support_confirm",
        status=shown.shown_status,
        member=member,
        about=f"{await _name_of(services, staff_id)}, cuenta de soporte",
        address=_page(staff_id),
        back="/soporte",
        choice=UNLOCK,
        profiles=[],
        typed=shown.typed,
        errors=shown.errors,
    )


@router.post("/{staff_id}/desbloquear", dependencies=[STAFF_FORM])
async def unlock(staff_id: uuid.UUID, request: Request, services: SupportDep, member: StaffDep) -> Response:
    """Unlock the login of another member, with a reason."""
    typed, name = typed_in(await request.form(), ("motivo",)), await _name_of(services, staff_id)
    try:
        reason = checked_reason(typed["motivo"])
        lifted = await services.staff.unlock(name, actor=member.actor, reason=reason)
    except ReasonRefusedError as error:
        return lead_again(request, services, _page(staff_id), typed, {"motivo": str(error)})
    except OwnStaffLockError:
        return lead_again(request, services, _page(staff_id), typed, {"_accion": _OWN})
    return lead_back(request, services, "/soporte", UNLOCK.done if lifted else sentences.NEVER_LOCKED)


def _page(staff_id: uuid.UUID) -> str:
    return f"/soporte/equipo/{staff_id}/desbloquear"


async def _name_of(services: SupportServices, staff_id: uuid.UUID) -> str:
    for one in await services.staff.members():
        if one.id == staff_id:
            return one.name
    raise HTTPException(HTTPStatus.NOT_FOUND)
