"""`/soporte/cuenta/…`: the access of one person, and what support decides.

An address holds the account's own number, never a document.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request, Response

from api.forms import text_of
from api.protection import READS, STAFF_FORM, STAFF_REQUIRED, StaffDep
from api.services import SupportDep, SupportServices
from mipres.domain.access import CAUSES_FOR_STAFF
from mipres.domain.audit import ReasonRefusedError, checked_reason
from mipres.domain.radicado import is_radicado
from mipres.support.accounts import Decision, DecisionRefusedError, UnknownAccountError
from mipres.support.staff import StaffMember

router = APIRouter(prefix="/soporte/cuenta", include_in_schema=False)

_DECISIONS = {
    "suspender": Decision.SUSPEND,
    "reinstalar": Decision.REINSTATE,
    "cerrar-sesiones": Decision.END_SESSIONS,
}
_QUESTIONS = {
    Decision.SUSPEND: "¿Suspender el acceso?",
    Decision.REINSTATE: "¿Volver a abrir el acceso?",
    Decision.END_SESSIONS: "¿Cerrar todas las sesiones?",
}
_CONSEQUENCES = {
    Decision.SUSPEND: "La persona no puede ingresar con lo que se suspende hasta que soporte lo vuelva a abrir. Si es toda la cuenta, sus sesiones se cierran ya. No se borra nada y se le avisa por correo.",
    Decision.REINSTATE: "La persona puede ingresar otra vez con el usuario y la contraseña de siempre. Se le avisa por correo.",
    Decision.END_SESSIONS: "Las sesiones abiertas se cierran ya. La persona puede volver a ingresar con su contraseña.",
}
_DONE = {
    Decision.SUSPEND: "Acceso suspendido.",
    Decision.REINSTATE: "Acceso abierto otra vez.",
    Decision.END_SESSIONS: "Sesiones cerradas.",
}


@dataclass(frozen=True, kw_only=True)
class _Feedback:
    """What the page says of the form before it."""

    typed: Mapping[str, str] = field(default_factory=dict)
    done: str | None = None
    errors: Mapping[str, str] = field(default_factory=dict)


@router.api_route("/{account_id}", methods=READS, dependencies=[STAFF_REQUIRED])
async def show(account_id: uuid.UUID, request: Request, services: SupportDep, member: StaffDep) -> Response:
    return await _account(request, services, member, account_id, _Feedback())


@router.post("/{account_id}", dependencies=[STAFF_FORM])
async def decide(account_id: uuid.UUID, request: Request, services: SupportDep, member: StaffDep) -> Response:
    """Ask for confirmation, then suspend, reinstate or end sessions with a reason."""
    form = await request.form()
    typed = {name: text_of(form, name) for name in ("accion", "motivo", "perfil")}
    decision, radicado = _DECISIONS.get(typed["accion"]), typed["perfil"] or None
    if decision is None or (radicado and not is_radicado(radicado)):
        raise HTTPException(HTTPStatus.BAD_REQUEST)
    try:
        reason = checked_reason(typed["motivo"])
    except ReasonRefusedError as error:
        feedback = _Feedback(typed=typed, errors={"motivo": str(error)})
        return await _account(request, services, member, account_id, feedback)
    if text_of(form, "confirmado") != "si":
        return services.pages.render(
            request,
            "support_account_confirm",
            member=member,
            account_id=account_id,
            typed=typed | {"motivo": reason},
            question=_QUESTIONS[decision],
            consequence=_CONSEQUENCES[decision],
        )
    try:
        await services.accounts.decide(
            decision, account_id, reason=reason, actor=member.actor, radicado=radicado
        )
    except UnknownAccountError:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    except DecisionRefusedError as error:
        feedback = _Feedback(typed=typed, errors={"_accion": str(error)})
        return await _account(request, services, member, account_id, feedback)
    return await _account(request, services, member, account_id, _Feedback(done=_DONE[decision]))


async def _account(
    request: Request,
    services: SupportServices,
    member: StaffMember,
    account_id: uuid.UUID,
    feedback: _Feedback,
) -> Response:
    try:
        account = await services.accounts.show(account_id, actor=member.actor)
    except UnknownAccountError:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    return services.pages.render(
        request,
        "support_account",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if feedback.errors else HTTPStatus.OK,
        member=member,
        account=account,
        causes=CAUSES_FOR_STAFF,
        profiles=[(profile.radicado, profile.user_type.label) for profile in account.profiles],
        typed=feedback.typed,
        done=feedback.done,
        errors=feedback.errors,
    )
