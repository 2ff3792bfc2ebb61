"""`/soporte/cuenta/…/unir`: join the account of a replaced document to another.

The login of the new document is sent once, and no address holds it.
"""

import re
import uuid
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from api.forms import text_of, typed_in
from api.pages.support import lead_back
from api.protection import READS, STAFF_FORM, STAFF_REQUIRED, StaffDep
from api.services import SupportDep, SupportServices
from mipres.domain.audit import ReasonRefusedError, checked_reason
from mipres.support.accounts import AccountView, DecisionRefusedError, UnknownAccountError
from mipres.support.joins import ProofRefusedError, checked_proof
from mipres.support.staff import StaffMember

router = APIRouter(prefix="/soporte/cuenta", include_in_schema=False)

_UNKNOWN = "Ninguna cuenta tiene ese usuario. La persona se registra primero con el documento nuevo"
_DONE = "Cuentas unidas. La persona recibe un correo en las dos direcciones en los próximos minutos."


@router.api_route("/{account_id}/unir", methods=READS, dependencies=[STAFF_REQUIRED])
async def ask_for_login(
    account_id: uuid.UUID, request: Request, services: SupportDep, member: StaffDep
) -> Response:
    return await _login_form(request, services, member, account_id)


@router.post("/{account_id}/unir", dependencies=[STAFF_FORM])
async def find_other(
    account_id: uuid.UUID, request: Request, services: SupportDep, member: StaffDep
) -> Response:
    """Find the account of the new document, and lead to the page of the two."""
    typed = text_of(await request.form(), "usuario")
    login = re.sub(r"[^A-Z0-9]", "", typed.upper())
    try:
        other = await services.accounts.id_of(login)
    except UnknownAccountError:
        return await _login_form(request, services, member, account_id, typed=typed)
    return RedirectResponse(f"/soporte/cuenta/{account_id}/unir/{other}", status_code=HTTPStatus.SEE_OTHER)


@router.api_route("/{account_id}/unir/{other_id}", methods=READS, dependencies=[STAFF_REQUIRED])
async def ask(
    account_id: uuid.UUID, other_id: uuid.UUID, request: Request, services: SupportDep, member: StaffDep
) -> Response:
    """Show both accounts and what follows."""
    return await _form(request, services, member, (account_id, other_id), typed={}, errors={})


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
    pair = (account_id, other_id)
    if errors:
        return await _form(request, services, member, pair, typed=typed, errors=errors)
    try:
        await services.joins.join(*pair, reason=reason, proof=proof, actor=member.actor)
    except UnknownAccountError:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    except DecisionRefusedError as error:
        return await _form(request, services, member, pair, typed=typed, errors={"motivo": str(error)})
    return lead_back(request, services, f"/soporte/cuenta/{other_id}", _DONE)


async def _login_form(
    request: Request,
    services: SupportServices,
    member: StaffMember,
    account_id: uuid.UUID,
    *,
    typed: str | None = None,
) -> Response:
    """Ask for the new login; what was typed before belongs to no account."""
    return services.pages.render(
        request,
        "support_join_login",
        status=HTTPStatus.OK if typed is None else HTTPStatus.UNPROCESSABLE_ENTITY,
        member=member,
        account=await _view(services, member, account_id),
        typed=typed or "",
        errors={} if typed is None else {"usuario": _UNKNOWN},
    )


async def _form(
    request: Request,
    services: SupportServices,
    member: StaffMember,
    pair: tuple[uuid.UUID, uuid.UUID],
    *,
    typed: Mapping[str, str],
    errors: Mapping[str, str],
) -> Response:
    old, new = [await _view(services, member, each) for each in pair]
    return services.pages.render(
        request,
        "support_join",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK,
        member=member,
        old=old,
        new=new,
        typed=typed,
        errors=errors,
    )


async def _view(services: SupportServices, member: StaffMember, account_id: uuid.UUID) -> AccountView:
    try:
        return await services.accounts.show(account_id, actor=member.actor)
    except UnknownAccountError:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
