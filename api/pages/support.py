"""`/soporte…`: what waits for what, one registration and its person, and the actions. Nothing without a trace."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from api.deps import (
    PROTECTED_FORM,
    PUBLIC,
    STAFF_COOKIE,
    STAFF_FORM,
    STAFF_REQUIRED,
    ClientDep,
    Services,
    ServicesDep,
    StaffDep,
    limited,
    throttle,
)
from api.forms import DOCUMENT_OPTIONS, text_of
from api.security import new_visit
from mipres.domain.audit import ReasonRefusedError, checked_reason
from mipres.domain.limits import LOGINS, STAFF_LOGINS
from mipres.domain.passwords import MAX_PASSWORD_LENGTH
from mipres.domain.radicado import is_reference
from mipres.domain.submissions import check_document
from mipres.support.desk import (
    Action,
    ActionRefusedError,
    ActionUnansweredError,
)
from mipres.support.staff import KEY_LIFETIME, StaffMember
from mipres.temporal.answers import UnknownWorkflowError
from workflows.saved_views import saved_views

router = APIRouter(prefix="/soporte", include_in_schema=False)

_WRONG = "El nombre o la contraseña no son correctos"
_REVEAL = "mostrar"
_ACTIONS = {"reintentar": Action.RETRY, "reenviar": Action.RESEND, "cancelar": Action.CANCEL}
_DONE = {
    Action.RETRY: "Reintento pedido: el próximo intento se hace ya.",
    Action.RESEND: "Enlace pedido: la persona recibirá otro y el anterior dejó de servir.",
    Action.CANCEL: "Registro cancelado y deshecho.",
}


@dataclass(frozen=True, kw_only=True)
class _Told:
    """What a page of a registration says of the action that was just asked for."""

    typed: str = ""
    done: str | None = None
    errors: Mapping[str, str] = field(default_factory=dict)


_NOTHING_TOLD = _Told()


# ---- In and out


@router.get("/ingreso", dependencies=[PUBLIC])
async def show_login(request: Request, found: ServicesDep) -> Response:
    return _login_form(request, found)


@router.post("/ingreso", dependencies=[limited(LOGINS), PROTECTED_FORM])
async def log_in(request: Request, found: ServicesDep, who: ClientDep) -> Response:
    form = await request.form()
    name, password = text_of(form, "nombre").strip().lower(), form.get("contrasena")
    if not name or not isinstance(password, str) or not password:
        return _login_form(request, found, name=name, error="Escriba su nombre y su contraseña")
    await throttle(found, STAFF_LOGINS, f"{name} {who}")
    token = await found.staff.log_in(name, password[: MAX_PASSWORD_LENGTH + 1])
    if token is None:
        return _login_form(request, found, name=name, error=_WRONG)
    response = RedirectResponse("/soporte", status_code=HTTPStatus.SEE_OTHER)
    found.cookies.set(response, STAFF_COOKIE, token, strict=True)
    # A form opened before the login is not trusted after it.
    found.cookies.set(response, "visita", new_visit())
    return response


@router.post("/salir", dependencies=[STAFF_FORM])
async def log_out(request: Request, found: ServicesDep) -> Response:
    await found.staff.log_out(found.cookies.get(request, STAFF_COOKIE) or "")
    response = RedirectResponse("/soporte/ingreso", status_code=HTTPStatus.SEE_OTHER)
    found.cookies.drop(response, STAFF_COOKIE)
    return response


# ---- Finding


@router.get("", dependencies=[STAFF_REQUIRED])
async def overview(request: Request, found: ServicesDep, member: StaffDep) -> Response:
    """How many wait for what, who has waited longest, and the ready searches of Temporal's interface."""
    return await _overview(request, found, member)


@router.post("/buscar", dependencies=[STAFF_FORM])
async def search(request: Request, found: ServicesDep, member: StaffDep) -> Response:
    """By radicado or by document. A form, because a document has no place in an address."""
    form = await request.form()
    radicado = text_of(form, "radicado").strip().upper()
    typed = {name: text_of(form, name) for name in ("radicado", "tipo_documento", "numero_documento")}
    if radicado:
        if not is_reference(radicado):
            error = {"radicado": "Escriba el radicado completo, como RM-9TK0WVFK6AQB"}
            return await _overview(request, found, member, typed=typed, errors=error)
        return RedirectResponse(f"/soporte/registro/{radicado}", status_code=HTTPStatus.SEE_OTHER)
    document, errors = check_document(typed["tipo_documento"], typed["numero_documento"])
    if errors or document is None:
        return await _overview(request, found, member, typed=typed, errors=errors)
    result = await found.support.find(document, actor=member.actor)
    return found.pages.render(request, "support_results", member=member, found=result)


@router.get("/registro/{reference}", dependencies=[STAFF_REQUIRED])
async def show(reference: str, request: Request, found: ServicesDep, member: StaffDep) -> Response:
    return await _case(request, found, member, reference)


# ---- Acting


@router.post("/registro/{reference}", dependencies=[STAFF_FORM])
async def act(reference: str, request: Request, found: ServicesDep, member: StaffDep) -> Response:
    """Do one thing with a reason: retry, resend, cancel, or see the person's data."""
    form = await request.form()
    wanted, typed = text_of(form, "accion"), text_of(form, "motivo")
    try:
        reason = checked_reason(typed)
    except ReasonRefusedError as error:
        told = _Told(typed=typed, errors={"motivo": str(error)})
        return await _case(request, found, member, reference, told=told)
    if wanted == _REVEAL:
        return await _case(request, found, member, reference, reason=reason)
    if wanted not in _ACTIONS:
        raise HTTPException(HTTPStatus.BAD_REQUEST)
    problem = await _problem(found, member, _ACTIONS[wanted], _known(reference), reason)
    told = _Told(typed=typed, errors={"_accion": problem}) if problem else _Told(done=_DONE[_ACTIONS[wanted]])
    return await _case(request, found, member, reference, told=told)


@router.post("/clave", dependencies=[STAFF_FORM])
async def mint_key(request: Request, found: ServicesDep, member: StaffDep) -> Response:
    """A key with which Temporal's command line reads payloads; shown once."""
    key = await found.staff.mint_key(member)
    hours = int(KEY_LIFETIME.total_seconds() // 3600)
    return found.pages.render(
        request, "support_key", member=member, key=key, hours=hours, endpoint=f"{found.public_url}/codec"
    )


async def _problem(
    found: Services, member: StaffMember, action: Action, reference: str, reason: str
) -> str | None:
    """Why the action was not done, in words; None when it was."""
    try:
        await found.support.act(action, reference, reason=reason, actor=member.actor)
    except ActionRefusedError as error:
        return f"El registro no lo admite: {error.message}"
    except UnknownWorkflowError:
        return "El registro ya terminó"
    except ActionUnansweredError:
        return "Nadie lo confirmó a tiempo: ¿corre algún worker? Puede que aún se haga"
    return None


def _known(reference: str) -> str:
    if not is_reference(reference):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return reference


def _login_form(request: Request, found: Services, *, name: str = "", error: str | None = None) -> Response:
    return found.pages.render(
        request,
        "support_login",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK,
        typed=name,
        errors={"_credenciales": error} if error else {},
    )


async def _overview(
    request: Request,
    found: Services,
    member: StaffMember,
    *,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:
    desk = found.support.desk
    return found.pages.render(
        request,
        "support_overview",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK,
        member=member,
        counts=await desk.counts(),
        oldest=await desk.oldest_waiting(),
        views=[(view.title, desk.url_of_list(view.query)) for view in saved_views(datetime.now(UTC))],
        typed=typed or {},
        errors=errors or {},
        document_types=DOCUMENT_OPTIONS,
        codec_endpoint=f"{found.public_url}/codec",
    )


async def _case(
    request: Request,
    found: Services,
    member: StaffMember,
    reference: str,
    *,
    reason: str | None = None,
    told: _Told = _NOTHING_TOLD,
) -> Response:
    """One registration; its person in clear only with a reason."""
    try:
        case, person = await found.support.show(_known(reference), actor=member.actor, reason=reason)
    except UnknownWorkflowError:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    return found.pages.render(
        request,
        "support_case",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if told.errors else HTTPStatus.OK,
        member=member,
        case=case,
        person=person,
        entries=await found.support.audit.entries(reference=reference),
        typed=told.typed,
        done=told.done,
        errors=told.errors,
    )
