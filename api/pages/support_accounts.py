"""`/soporte/cuenta/…`: the access of one person, and what support decides.

An address holds the account's own number, never a document.
"""

import uuid
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request, Response

from api.forms import text_of
from api.pages.support import done_before, lead_again, lead_back
from api.protection import READS, STAFF_FORM, STAFF_REQUIRED, StaffDep
from api.services import SupportDep, SupportServices
from mipres.domain import sentences
from mipres.domain.access import CAUSES_FOR_STAFF, AccountState
from mipres.domain.audit import ReasonRefusedError, checked_reason
from mipres.domain.radicado import is_radicado
from mipres.support.accounts import AccountView, Decision, DecisionRefusedError, UnknownAccountError
from mipres.support.staff import StaffMember
from mipres.temporal.answers import TemporalUnavailableError

router = APIRouter(prefix="/soporte/cuenta", include_in_schema=False)


class _Act(StrEnum):
    """What is no decision about access itself."""

    UNLOCK = "unlock"
    RESET_FACTOR = "reset_factor"
    CANCEL_RESET = "cancel_reset"


@dataclass(frozen=True, kw_only=True)
class _Choice:
    """One thing that support can do, with the words of its page."""

    link: str
    question: str
    consequence: str
    done: str
    decision: Decision | _Act


UNLOCK = _Choice(
    link="Desbloquear el ingreso",
    question="¿Desbloquear el ingreso?",
    consequence="Se olvidan los intentos fallidos de este usuario y se vuelve a comprobar su contraseña. Hágalo solo si la persona confirma que los intentos eran suyos.",
    done="Ingreso desbloqueado.",
    decision=_Act.UNLOCK,
)
_CHOICES = {
    "suspender": _Choice(
        link="Suspender el acceso",
        question="¿Suspender el acceso?",
        consequence="La persona no puede ingresar con lo que se suspende hasta que soporte lo vuelva a abrir. Si es toda la cuenta, sus sesiones se cierran ya. No se borra nada y se le avisa por correo.",
        done="Acceso suspendido.",
        decision=Decision.SUSPEND,
    ),
    "reinstalar": _Choice(
        link="Abrir otra vez el acceso",
        question="¿Volver a abrir el acceso?",
        consequence="La persona puede ingresar otra vez con el usuario y la contraseña de siempre. Se le avisa por correo.",
        done="Acceso abierto otra vez.",
        decision=Decision.REINSTATE,
    ),
    "cerrar-sesiones": _Choice(
        link="Cerrar todas las sesiones",
        question="¿Cerrar todas las sesiones?",
        consequence="Las sesiones abiertas se cierran ya. La persona puede volver a ingresar con su contraseña.",
        done="Sesiones cerradas.",
        decision=Decision.END_SESSIONS,
    ),
    "desbloquear": UNLOCK,
    "restablecer-segundo-factor": _Choice(
        link="Quitar el segundo factor que perdió",
        question="¿Quitar el segundo factor?",
        consequence="Se avisa ya a la persona por correo, con un enlace para detenerlo. Si no lo detiene, 24 horas después de ese aviso se quitan su aplicación, sus llaves y sus códigos de recuperación, y se cierran sus sesiones. Hágalo solo si comprobó quién lo pide. Nadie acorta la espera.",
        done="Restablecimiento pedido. Las 24 horas corren desde que sale el aviso.",
        decision=_Act.RESET_FACTOR,
    ),
    "cancelar-restablecimiento": _Choice(
        link="Cancelar el restablecimiento del segundo factor",
        question="¿Cancelar el restablecimiento?",
        consequence=f"{sentences.FACTOR_STAYS}. Quien lo haya perdido tendrá que pedirlo otra vez.",
        done=sentences.RESET_CANCELLED,
        decision=_Act.CANCEL_RESET,
    ),
}
_NOT_ANNOUNCED = (
    "Temporal no responde y el aviso no ha salido, así que el plazo no corre. Pídalo otra vez para que siga"
)


@router.api_route("/{account_id}", methods=READS, dependencies=[STAFF_REQUIRED])
async def show(account_id: uuid.UUID, request: Request, services: SupportDep, member: StaffDep) -> Response:
    account = await _view(services, member, account_id)
    return services.pages.render(
        request,
        "support_account",
        member=member,
        account=account,
        causes=CAUSES_FOR_STAFF,
        choices=[(name, _CHOICES[name].link) for name in _applicable(account)],
        done=done_before(request, services),
    )


@router.api_route("/{account_id}/{action}", methods=READS, dependencies=[STAFF_REQUIRED])
async def ask(
    account_id: uuid.UUID, action: str, request: Request, services: SupportDep, member: StaffDep
) -> Response:
    """Ask for the reason, and say what follows."""
    account, choice = await _view(services, member, account_id), _chosen(action)
    is_about_profiles = choice.decision in {Decision.SUSPEND, Decision.REINSTATE}
    profiles = [(item.radicado, item.user_type.label) for item in account.profiles]
    shown = services.answers.form_here(request)
    return services.pages.render(
        request,
        "support_confirm",
        status=shown.shown_status,
        member=member,
        about=f"{account.login}, cuenta {account.state.label}",
        address=f"/soporte/cuenta/{account_id}/{action}",
        back=f"/soporte/cuenta/{account_id}",
        choice=choice,
        profiles=profiles if is_about_profiles else [],
        typed=shown.typed,
        errors=shown.errors,
    )


@router.post("/{account_id}/{action}", dependencies=[STAFF_FORM])
async def decide(
    account_id: uuid.UUID, action: str, request: Request, services: SupportDep, member: StaffDep
) -> Response:
    """Suspend, reinstate, end sessions or unlock, with a reason."""
    form, choice = await request.form(), _chosen(action)
    typed = {name: text_of(form, name) for name in ("motivo", "perfil")}
    radicado = typed["perfil"] or None
    if radicado and not is_radicado(radicado):
        raise HTTPException(HTTPStatus.BAD_REQUEST)
    try:
        done = await _do(services, member, account_id, choice, typed["motivo"], radicado)
    except UnknownAccountError:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    except (ReasonRefusedError, DecisionRefusedError) as error:
        page = f"/soporte/cuenta/{account_id}/{action}"
        return lead_again(request, services, page, typed, {"motivo": str(error)})
    except TemporalUnavailableError:
        page = f"/soporte/cuenta/{account_id}/{action}"
        return lead_again(request, services, page, typed, {"_accion": _NOT_ANNOUNCED})
    return lead_back(request, services, f"/soporte/cuenta/{account_id}", done)


async def _do(
    services: SupportServices,
    member: StaffMember,
    account_id: uuid.UUID,
    choice: _Choice,
    motive: str,
    radicado: str | None,
) -> str:
    reason = checked_reason(motive)
    match choice.decision:
        case _Act.UNLOCK:
            lifted = await services.accounts.unlock(account_id, reason=reason, actor=member.actor)
            return choice.done if lifted else sentences.NEVER_LOCKED
        case _Act.RESET_FACTOR:
            await services.resets.ask(account_id, reason=reason, actor=member.actor)
        case _Act.CANCEL_RESET:
            await services.resets.cancel(account_id, reason=reason, actor=member.actor)
        case Decision() as decision:
            await services.accounts.decide(
                decision, account_id, reason=reason, actor=member.actor, radicado=radicado
            )
    return choice.done


def _chosen(action: str) -> _Choice:
    if action not in _CHOICES:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return _CHOICES[action]


def _applicable(account: AccountView) -> list[str]:
    """Name what can be done with an account as it stands."""
    if account.state is AccountState.JOINED:
        return []
    applicable = {
        "suspender": account.state is AccountState.OPEN,
        "reinstalar": account.state is AccountState.SUSPENDED
        or any(profile.is_suspended_by_support for profile in account.profiles),
        "cerrar-sesiones": bool(account.sessions) or account.is_in_applications,
        "desbloquear": account.lock is not None or account.factor_lock is not None,
        "restablecer-segundo-factor": account.state is AccountState.OPEN
        and account.has_second_factor
        and account.factor_reset is None,
        "cancelar-restablecimiento": account.factor_reset is not None,
    }
    return [name for name, applies in applicable.items() if applies]


async def _view(services: SupportServices, member: StaffMember, account_id: uuid.UUID) -> AccountView:
    try:
        return await services.accounts.show(account_id, actor=member.actor)
    except UnknownAccountError:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
