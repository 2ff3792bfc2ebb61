"""`/soporte…`: find registrations, see one, act on it; everything is audited."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from api.answers import FormAnswer, KeyAnswer, SearchAnswer, StaffAnswer
from api.captcha import CAPTCHA_NEEDED
from api.clients import network_of
from api.errors import StaffLoginOfAnotherVisitError, StaffLoginRequiredError, handles, in_words
from api.forms import DOCUMENT_FIELDS, DOCUMENT_OPTIONS, by_field, form_errors, secret_of, text_of, typed_in
from api.pages.support_cases import CHOICES, explain_case
from api.protection import (
    LOOKS,
    PUBLIC,
    READS,
    STAFF_COOKIE,
    STAFF_FORM,
    STAFF_FORM_BEFORE_FACTOR,
    STAFF_LOGIN_FORM,
    STAFF_REQUIRED,
    ClientDep,
    StaffDep,
    limited,
)
from api.security import new_visit
from api.services import SupportDep, SupportServices
from api.throttle import guesser
from mipres.domain import sentences
from mipres.domain.audit import ReasonRefusedError, checked_reason
from mipres.domain.documents import read_login
from mipres.domain.errors import InvalidSubmissionError
from mipres.domain.limits import LOGINS, STAFF_LOGINS
from mipres.domain.lockout import Origin
from mipres.domain.radicado import is_radicado, is_reference, read_reference
from mipres.domain.review import ReviewStage
from mipres.domain.stages import OPEN_STAGES, STAGES_FOR_STAFF, WAITING_FOR_STAFF, WaitingOn
from mipres.domain.submissions import check_document
from mipres.support.desk import (
    Action,
    ActionRefusedError,
    ActionUnansweredError,
)
from mipres.support.staff import KEY_LIFETIME, StaffLogin, StaffMember, guarded
from mipres.temporal import names
from mipres.temporal.answers import UnknownWorkflowError
from workflows.saved_views import saved_views

router = APIRouter(prefix="/soporte", include_in_schema=False)

STAFF_STEP = "paso_soporte"
"""The cookie between the right password and the second step."""
STAFF_STEP_PAGE = "/soporte/ingreso/segundo-factor"
_WRONG = "El nombre o la contraseña no son correctos"
_CLOSED = (
    "Con este nombre hubo demasiados intentos fallidos y por seguridad ya no se comprueba ninguna contraseña. "
    "Pida a otra persona de soporte que lo desbloquee"
)
_NO_LOGIN = "Escriba el radicado completo, como RM-9TK0WVFK6AQB, o el usuario, como CC1020304050"
_REVEAL = "mostrar"
_REVEALED = "Los datos de la persona se muestran mientras dure esta sesión."
_DONE = {
    Action.RETRY: "Reintento pedido: el próximo intento se hace ya.",
    Action.RESEND: "Enlace pedido: la persona recibirá otro y el anterior dejó de servir.",
    Action.CANCEL: "Registro cancelado y deshecho.",
}


_LISTS = {
    **{stage.value: (STAGES_FOR_STAFF[stage].label, names.running_in(stage)) for stage in OPEN_STAGES},
    **{
        what.value: (f"espera a {WAITING_FOR_STAFF[what]}".replace(" a el ", " al "), names.waiting_for(what))
        for what in WaitingOn
    },
    "stuck": (sentences.STUCK, names.STUCK),
}
_LISTED = 50


# ---- In and out


@router.api_route("/ingreso", methods=READS, dependencies=[PUBLIC])
async def show_login(request: Request, services: SupportDep) -> Response:
    shown = services.answers.form_here(request)
    asks_captcha = shown.captcha is not None
    return services.pages.render(
        request,
        "support_login",
        status=shown.shown_status,
        typed=shown.typed.get("nombre", ""),
        errors=shown.errors,
        is_of_before=shown.is_of_before,
        captcha=services.captcha.view(request, shown.captcha or "") if asks_captcha else None,
    )


@router.post("/ingreso", dependencies=[limited(LOGINS), STAFF_LOGIN_FORM])
async def log_in(request: Request, services: SupportDep, client: ClientDep) -> Response:
    form = await request.form()
    name, password = text_of(form, "nombre").strip().lower(), secret_of(form, "contrasena")
    captcha = services.captcha.of(request, form)
    errors = {} if name and password else {"_credenciales": "Escriba su nombre y su contraseña"}
    if not captcha.another_image_asked:
        errors = errors or by_field(await captcha.refusal())
    if errors or captcha.another_image_asked:
        shown = captcha.to_show if captcha.was_shown else None
        errors = {} if captcha.another_image_asked else errors
        return _login_again(request, services, name, errors, captcha=shown)
    device = services.devices.known(request, guarded(name))
    await services.throttle.count(STAFF_LOGINS, guesser(name, client=client, device=device))
    origin, is_human = Origin(network=network_of(client), device=device), captcha.is_off or captcha.was_shown
    result = await services.staff.log_in(name, password, origin=origin, is_human=is_human)
    if result.token is None:
        return _login_failed(request, services, name, result)
    if result.needs_second_step:
        response: Response = RedirectResponse(STAFF_STEP_PAGE, status_code=HTTPStatus.SEE_OTHER)
        services.cookies.set(response, STAFF_STEP, result.token, strict=True)
    else:
        response = staff_entered(services, result.token)
    services.devices.remember(request, response, guarded(name))
    return response


@handles(StaffLoginOfAnotherVisitError)
async def show_login_again(request: Request, _error: StaffLoginOfAnotherVisitError) -> Response:
    """Draw the form for the visit that goes on, with the name that was typed."""
    typed = typed_in(await request.form(), ("nombre",))
    services = request.app.state.services.support
    answer = FormAnswer(page="/soporte/ingreso", typed=typed, status=HTTPStatus.FORBIDDEN, is_of_before=True)
    response: Response = services.answers.lead_back(request, answer)
    return response


def staff_entered(services: SupportServices, token: str) -> Response:
    """Give the browser a new session of support."""
    response = RedirectResponse("/soporte", status_code=HTTPStatus.SEE_OTHER)
    services.cookies.set(response, STAFF_COOKIE, token, strict=True)
    # A form that was opened before the login is not trusted after it.
    services.cookies.set(response, "visita", new_visit())
    return response


@router.post("/salir", dependencies=[STAFF_FORM_BEFORE_FACTOR])
async def log_out(request: Request, services: SupportDep) -> Response:
    await services.staff.log_out(services.cookies.get(request, STAFF_COOKIE) or "")
    response = RedirectResponse("/soporte/ingreso", status_code=HTTPStatus.SEE_OTHER)
    services.cookies.drop(response, STAFF_COOKIE)
    # The next person at this browser reads nothing of this one.
    services.answers.forget(request, response)
    return response


# ---- Finding


@router.api_route("", methods=LOOKS, dependencies=[STAFF_REQUIRED])
async def overview(request: Request, services: SupportDep, member: StaffDep) -> Response:
    """Show counts, the longest waits, and ready searches in Temporal's interface."""
    desk, shown = services.support.desk, services.answers.form_here(request)
    return services.pages.render(
        request,
        "support_overview",
        status=shown.shown_status,
        member=member,
        counts=await desk.counts(),
        oldest=await desk.oldest_waiting(),
        cut_off=await services.support.cut_off(),
        locked=await services.staff.locked_members(),
        done=done_before(request, services),
        is_review_stopped=any(
            review.stage is ReviewStage.STOPPED for review in await services.reviews.running()
        ),
        views=[(view.title, desk.url_of_list(view.query)) for view in saved_views(datetime.now(UTC))],
        typed=shown.typed,
        errors=shown.errors,
        document_types=DOCUMENT_OPTIONS,
        codec_endpoint=f"{services.public_url}/codec",
    )


@router.post("/buscar", dependencies=[STAFF_FORM])
async def search(request: Request, services: SupportDep) -> Response:
    """Find by radicado, login or document; no address holds a document."""
    typed = typed_in(await request.form(), ("radicado", *DOCUMENT_FIELDS))
    if reference := read_reference(typed["radicado"]):
        return RedirectResponse(f"/soporte/registro/{reference}", status_code=HTTPStatus.SEE_OTHER)
    try:
        if typed["radicado"].strip():
            document = read_login(typed["radicado"])
        else:
            document = check_document(typed["tipo_documento"], typed["numero_documento"])
    except InvalidSubmissionError as error:
        return lead_again(request, services, "/soporte", typed, by_field(form_errors(error)))
    if document is None:
        return lead_again(request, services, "/soporte", typed, {"radicado": _NO_LOGIN})
    return services.answers.redirect(request, SearchAnswer(document=document), "/soporte/hallado/{}".format)


@router.api_route("/hallado/{answer_id}", methods=READS, dependencies=[STAFF_REQUIRED])
async def show_found(answer_id: str, request: Request, services: SupportDep, member: StaffDep) -> Response:
    """Show what a search found, as often as it is loaded in the browser that sent it."""
    answer = services.answers.find(request, answer_id)
    if not isinstance(answer, SearchAnswer):
        return RedirectResponse("/soporte", status_code=HTTPStatus.SEE_OTHER)
    result = await services.support.find(answer.document, actor=member.actor)
    return services.pages.render(request, "support_results", member=member, result=result)


@router.api_route("/lista/{name}", methods=READS, dependencies=[STAFF_REQUIRED])
async def show_list(name: str, request: Request, services: SupportDep, member: StaffDep) -> Response:
    """List the registrations behind one of the counts."""
    if name not in _LISTS:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    title, query = _LISTS[name]
    desk = services.support.desk
    return services.pages.render(
        request,
        "support_list",
        member=member,
        title=title,
        cases=await desk.newest(query, limit=_LISTED),
        most=_LISTED,
        elsewhere=desk.url_of_list(query),
    )


@router.api_route("/registro/{reference}", methods=READS, dependencies=[STAFF_REQUIRED])
async def show(reference: str, request: Request, services: SupportDep, member: StaffDep) -> Response:
    """Show one registration; its person in clear only with a reason of this login."""
    reason = (await services.readings.reasons(member, [_known(reference)])).get(reference)
    try:
        case, person = await services.support.show(_known(reference), actor=member.actor, reason=reason)
    except UnknownWorkflowError:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    view = await services.ask.view(reference) if is_radicado(reference) else None
    shown = services.answers.form_here(request)
    return services.pages.render(
        request,
        "support_case",
        status=shown.shown_status,
        member=member,
        case=case,
        person=person,
        explanation=explain_case(
            case, view, now=services.clock.now(), link_expires_at=person.link_expires_at if person else None
        ),
        entries=await services.support.audit.entries(reference=reference),
        typed=shown.typed.get("motivo", ""),
        done=done_before(request, services),
        errors=shown.errors,
    )


# ---- Acting


@router.post("/registro/{reference}", dependencies=[STAFF_FORM])
async def act(reference: str, request: Request, services: SupportDep, member: StaffDep) -> Response:
    """Do one thing with a reason: retry, resend, or see the person's data."""
    form = await request.form()
    wanted, typed = text_of(form, "accion"), typed_in(form, ("motivo",))
    page = f"/soporte/registro/{_known(reference)}"
    try:
        reason = checked_reason(typed["motivo"])
    except ReasonRefusedError as error:
        return lead_again(request, services, page, typed, {"motivo": str(error)})
    if wanted == _REVEAL:
        await services.readings.give_reason(request.state.staff_token, reference, reason)
        return lead_back(request, services, page, _REVEALED)
    if wanted not in CHOICES:
        raise HTTPException(HTTPStatus.BAD_REQUEST)
    action, _ = CHOICES[wanted]
    if problem := await _act(services, member, action, reference, reason):
        return lead_again(request, services, page, typed, {"_accion": problem})
    return lead_back(request, services, page, _DONE[action])


@router.api_route("/registro/{reference}/cancelar", methods=READS, dependencies=[STAFF_REQUIRED])
async def confirm_cancel(
    reference: str, request: Request, services: SupportDep, member: StaffDep
) -> Response:
    shown = services.answers.form_here(request)
    return services.pages.render(
        request,
        "support_cancel",
        status=shown.shown_status,
        member=member,
        reference=_known(reference),
        typed=shown.typed.get("motivo", ""),
        errors=shown.errors,
    )


@router.post("/registro/{reference}/cancelar", dependencies=[STAFF_FORM])
async def cancel(reference: str, request: Request, services: SupportDep, member: StaffDep) -> Response:
    """Cancel a registration, from the page that says what follows."""
    typed, page = (
        typed_in(await request.form(), ("motivo",)),
        f"/soporte/registro/{_known(reference)}/cancelar",
    )
    try:
        reason = checked_reason(typed["motivo"])
    except ReasonRefusedError as error:
        return lead_again(request, services, page, typed, {"motivo": str(error)})
    if problem := await _act(services, member, Action.CANCEL, reference, reason):
        return lead_again(request, services, page, typed, {"motivo": problem})
    return lead_back(request, services, f"/soporte/registro/{reference}", _DONE[Action.CANCEL])


@router.post("/clave", dependencies=[STAFF_FORM])
async def mint_key(request: Request, services: SupportDep, member: StaffDep) -> Response:
    """Mint a key with which Temporal's command line reads payloads, and show it once."""
    key = await services.staff.mint_key(member)
    if key is None:
        raise StaffLoginRequiredError
    # Loading the page again mints no other key.
    return services.answers.lead_back(request, KeyAnswer(page="/soporte/clave", actor=member.actor, key=key))


@router.api_route("/clave", methods=READS, dependencies=[STAFF_REQUIRED])
async def show_key(request: Request, services: SupportDep, member: StaffDep) -> Response:
    """Show the key to the member who minted it."""
    answer = services.answers.shown_here(request, KeyAnswer)
    if answer is None or answer.actor != member.actor:
        return RedirectResponse("/soporte", status_code=HTTPStatus.SEE_OTHER)
    return services.pages.render(
        request,
        "support_key",
        member=member,
        key=answer.key,
        hours=int(KEY_LIFETIME.total_seconds() // 3600),
        endpoint=f"{services.public_url}/codec",
    )


async def _act(
    services: SupportServices, member: StaffMember, action: Action, reference: str, reason: str
) -> str | None:
    """Do the action; return in words why it was not done, or None."""
    try:
        await services.support.act(action, reference, reason=reason, actor=member.actor)
    except ActionRefusedError as error:
        wait = f": faltan {in_words(error.wait_seconds)}" if error.wait_seconds else ""
        return f"{sentences.NOT_ADMITTED}: {error.message}{wait}"
    except UnknownWorkflowError:
        return "El registro ya terminó"
    except ActionUnansweredError:
        return sentences.UNCONFIRMED
    return None


def lead_back(request: Request, services: SupportServices, page: str, done: str) -> Response:
    """Lead to a page that shows once what was done, and can be loaded again."""
    return services.answers.lead_back(request, StaffAnswer(page=page, done=done))


def done_before(request: Request, services: SupportServices) -> str | None:
    """What was done on the page before this one."""
    answer = services.answers.shown_here(request, StaffAnswer)
    return answer.done if answer else None


def _known(reference: str) -> str:
    if not is_reference(reference):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return reference


def _login_failed(request: Request, services: SupportServices, name: str, result: StaffLogin) -> Response:
    errors = {"captcha": CAPTCHA_NEEDED} if result.is_unjudged else {"_credenciales": _WRONG}
    errors = {"_credenciales": _CLOSED} if result.is_closed else errors
    # Not the captcha that was sent: it is used up.
    captcha = "" if result.asks_captcha else None
    return _login_again(request, services, name, errors, captcha=captcha)


def _login_again(
    request: Request,
    services: SupportServices,
    name: str,
    errors: Mapping[str, str],
    *,
    captcha: str | None,
) -> Response:
    answer = FormAnswer(page="/soporte/ingreso", typed={"nombre": name}, errors=errors, captcha=captcha)
    return services.answers.lead_back(request, answer)


def lead_again(
    request: Request,
    services: SupportServices,
    page: str,
    typed: Mapping[str, str],
    errors: Mapping[str, str],
) -> Response:
    """Lead to the page that shows a form again, with what was typed and what is wrong."""
    return services.answers.lead_back(request, FormAnswer(page=page, typed=typed, errors=errors))
