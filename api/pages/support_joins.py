"""`/soporte/cuenta/…/unir`: join the account of a replaced document to another.

The login of the new document is sent once, and no address holds it.
"""

import uuid
from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from api.forms import typed_in
from api.pages.support import lead_again, lead_back
from api.protection import READS, STAFF_FORM, STAFF_REQUIRED, StaffDep
from api.services import SupportDep, SupportServices
from mipres.domain import sentences
from mipres.domain.audit import ReasonRefusedError, checked_reason
from mipres.domain.documents import read_login
from mipres.support.accounts import AccountView, DecisionRefusedError, UnknownAccountError
from mipres.support.joins import ProofRefusedError, checked_proof
from mipres.support.staff import StaffMember

router = APIRouter(prefix="/soporte/cuenta", include_in_schema=False)

_UNKNOWN = "Ninguna cuenta tiene ese usuario. La persona se registra primero con el documento nuevo"
_DONE = f"Cuentas unidas. {sentences.MAILS_IN_MINUTES}"


@router.api_route("/{account_id}/unir", methods=READS, dependencies=[STAFF_REQUIRED])
async def ask_for_login(
    account_id: uuid.UUID, request: Request, services: SupportDep, member: StaffDep
) -> Response:
    """Ask for the new login; what was typed before belongs to no account."""
    shown = services.answers.form_here(request)
    return services.pages.render(
        request,
        "support_join_login",
        status=shown.shown_status,
        member=member,
        account=await _view(services, member, account_id),
        typed=shown.typed.get("usuario", ""),
        errors=shown.errors,
    )


@router.post("/{account_id}/unir", dependencies=[STAFF_FORM])
async def find_other(account_id: uuid.UUID, request: Request, services: SupportDep) -> Response:
    """Find the account of the new document, and lead to the page of the two."""
    typed = typed_in(await request.form(), ("usuario",))
    document = read_login(typed["usuario"])
    try:
        other = await services.accounts.id_of(document.login if document else "")
    except UnknownAccountError:
        page = f"/soporte/cuenta/{account_id}/unir"
        return lead_again(request, services, page, typed, {"usuario": _UNKNOWN})
    return RedirectResponse(f"/soporte/cuenta/{account_id}/unir/{other}", status_code=HTTPStatus.SEE_OTHER)


@router.api_route("/{account_id}/unir/{other_id}", methods=READS, dependencies=[STAFF_REQUIRED])
async def ask(
    account_id: uuid.UUID, other_id: uuid.UUID, request: Request, services: SupportDep, member: StaffDep
) -> Response:
    """Show both accounts and what follows."""
    shown = services.answers.form_here(request)
    return services.pages.render(
        request,
        "support_join",
        status=shown.shown_status,
        member=member,
        old=await _view(services, member, account_id),
        new=await _view(services, member, other_id),
        typed=shown.typed,
        errors=shown.errors,
    )


@router.post("/{account_id}/unir/{other_id}", dependencies=[STAFF_FORM])
async def join(
    account_id: uuid.UUID, other_id: uuid.UUID, request: Request, services: SupportDep, member: StaffDep
) -> Response:
    """Join the two, with a reason and the reference of the proof."""
    typed, errors = typed_in(await request.form(), ("motivo", "prueba")), {}
    try:
        reason = checked_reason(typed["motivo"])
    except ReasonRefusedError as error:
        errors["motivo"] = str(error)
    try:
        proof = checked_proof(typed["prueba"])
    except ProofRefusedError as error:
        errors["prueba"] = str(error)
    page = f"/soporte/cuenta/{account_id}/unir/{other_id}"
    if errors:
        return lead_again(request, services, page, typed, errors)
    try:
        await services.joins.join(account_id, other_id, reason=reason, proof=proof, actor=member.actor)
    except UnknownAccountError:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    except DecisionRefusedError as error:
        return lead_again(request, services, page, typed, {"motivo": str(error)})
    return lead_back(request, services, f"/soporte/cuenta/{other_id}", _DONE)


async def _view(services: SupportServices, member: StaffMember, account_id: uuid.UUID) -> AccountView:
    try:
        return await services.accounts.show(account_id, actor=member.actor)
    except UnknownAccountError:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
