"""`/soporte/segundo-factor`, and the second step of support's login.

What is right and wrong is decided where citizens' factors are.
"""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from api.answers import CodesAnswer
from api.forms import secret_of, text_of, whole_text_of
from api.pages.login import WRONG_PASSKEY
from api.pages.second_factor import (
    NO_PASSKEY,
    NO_WAITING_SECRET,
    NOT_NOW,
    codes_in,
    grouped,
    picture_of,
)
from api.pages.second_step import NO_CODE, STAFF_LOCKED, code_proof
from api.pages.support import STAFF_STEP, STAFF_STEP_PAGE, lead_again, staff_entered
from api.protection import (
    LOOKS,
    PUBLIC,
    READS,
    STAFF_BEFORE_FACTOR,
    STAFF_COOKIE,
    STAFF_FORM_BEFORE_FACTOR,
    STAFF_LOGIN_FORM,
    ClientDep,
    StaffDep,
    limited,
)
from api.services import ProtectionDep, SupportDep, SupportServices
from mipres.database.passkeys import Purpose
from mipres.database.second_factors import Holder
from mipres.domain.limits import LOGINS, PASSWORDS
from mipres.domain.second_factor import Factor, Proof
from mipres.support.staff import (
    StaffMember,
    StaffPresentPasswordError,
    StaffSessionKind,
    token_hash,
)

router = APIRouter(prefix="/soporte", include_in_schema=False)

_PAGE = "/soporte/segundo-factor"
_WRONG_PASSWORD = "La contraseña no es correcta"  # noqa: S105 - a sentence.


# ---- The second step


@router.api_route("/ingreso/segundo-factor", methods=READS, dependencies=[PUBLIC])
async def show_step(request: Request, services: SupportDep) -> Response:
    token, member = await _step(request, services)
    if member is None:
        return _to("/soporte/ingreso")
    shown = services.answers.form_here(request)
    return services.pages.render(
        request,
        "support_second_step",
        status=shown.shown_status,
        factor=await services.factors.of(member.holder),
        passkey=services.passkeys.options_to_use(Purpose.STAFF_STEP, bound_to=token),
        errors=shown.errors,
    )


@router.post("/ingreso/segundo-factor", dependencies=[limited(LOGINS), STAFF_LOGIN_FORM])
async def take_step(request: Request, services: SupportDep, client: ClientDep) -> Response:
    """Open the session once the second step is right."""
    form = await request.form()
    token, member = await _step(request, services)
    if member is None:
        return _to("/soporte/ingreso")
    if answer := whole_text_of(form, "credencial"):
        used = await services.passkeys.use(Purpose.STAFF_STEP, answer, bound_to=token)
        is_own = used is not None and used.staff_id == member.id
        proof, error = (Proof.PASSKEY if is_own else None), WRONG_PASSKEY
    else:
        proof, error = await code_proof(services.factors, member.holder, form, client, locked=STAFF_LOCKED)
    if proof is None:
        return lead_again(request, services, STAFF_STEP_PAGE, {}, {"codigo": error})
    opened = await services.staff.take_second_step(token, proof)
    response = staff_entered(services, opened) if opened else _to("/soporte/ingreso")
    services.cookies.drop(response, STAFF_STEP)
    return response


# ---- What is set up


@router.api_route("/segundo-factor", methods=LOOKS, dependencies=[STAFF_BEFORE_FACTOR])
async def show(
    request: Request, services: SupportDep, member: StaffDep, protection: ProtectionDep
) -> Response:
    """Show what is set up; what changes it only after a proof of the last minutes."""
    answer = services.answers.shown_here(request, CodesAnswer)
    if codes := await codes_in(answer, services.factors, member.holder, member.id):
        return services.pages.render(request, "support_recovery_codes", member=member, codes=codes)
    shown, factor = services.answers.form_here(request), await services.factors.of(member.holder)
    is_fresh = _may_change(services, member, factor)
    needs_secret = is_fresh and not factor.has_codes
    secret = await services.factors.begin_codes(_holder(request, member)) if needs_secret else None
    bound_to = token_hash(request.state.staff_token).hex()
    return services.pages.render(
        request,
        "support_factor",
        status=shown.shown_status,
        member=member,
        factor=factor,
        is_fresh=is_fresh,
        is_demanded=protection.lacks_factor(member),
        asks_code=factor.is_owed(member.amr),
        secret=grouped(secret) if secret else None,
        picture=picture_of(secret, member.name) if secret else None,
        passkey=await services.passkeys.options_to_add(member.holder, bound_to=bound_to)
        if is_fresh
        else None,
        errors=shown.errors,
    )


@router.post("/segundo-factor/confirmar", dependencies=[limited(PASSWORDS), STAFF_FORM_BEFORE_FACTOR])
async def confirm(request: Request, services: SupportDep, member: StaffDep, client: ClientDep) -> Response:
    """Take the password, or a code where there is a factor, as a proof of now."""
    form, factor = await request.form(), await services.factors.of(member.holder)
    if factor.is_owed(member.amr):
        proof, error = await code_proof(services.factors, member.holder, form, client, locked=STAFF_LOCKED)
        errors: Mapping[str, str] = {} if proof else {"codigo": error}
    else:
        errors = await _password_errors(request, services, member, form)
        proof = Proof.PASSWORD
    if errors or proof is None:
        return lead_again(request, services, _PAGE, {}, errors)
    return await _count_as_shown(request, services, member, proof)


@router.post("/segundo-factor/codigos", dependencies=[limited(PASSWORDS), STAFF_FORM_BEFORE_FACTOR])
async def add_codes(request: Request, services: SupportDep, member: StaffDep) -> Response:
    form, factor = await request.form(), await services.factors.of(member.holder)
    if refusal := _refusal(request, services, member, factor):
        return refusal
    typed = text_of(form, "codigo")
    codes = await services.factors.confirm_codes(_holder(request, member), typed) if typed.strip() else None
    if codes is None:
        error = NO_WAITING_SECRET if typed.strip() else NO_CODE
        return lead_again(request, services, _PAGE, {}, {"codigo": error})
    return await _count_as_shown(request, services, member, Proof.CODE, codes)


@router.post("/segundo-factor/codigos/quitar", dependencies=[limited(PASSWORDS), STAFF_FORM_BEFORE_FACTOR])
async def remove_codes(request: Request, services: SupportDep, member: StaffDep) -> Response:
    if refusal := _refusal(request, services, member, await services.factors.of(member.holder)):
        return refusal
    await services.factors.remove_codes(member.holder)
    return _to(_PAGE)


@router.post("/segundo-factor/recuperacion", dependencies=[limited(PASSWORDS), STAFF_FORM_BEFORE_FACTOR])
async def renew_recovery_codes(request: Request, services: SupportDep, member: StaffDep) -> Response:
    """Show ten new recovery codes, once."""
    if refusal := _refusal(request, services, member, await services.factors.of(member.holder)):
        return refusal
    codes = await services.factors.renew_recovery_codes(member.holder)
    return _codes_page(request, services, member, codes)


@router.post("/segundo-factor/llaves", dependencies=[limited(PASSWORDS), STAFF_FORM_BEFORE_FACTOR])
async def add_passkey(request: Request, services: SupportDep, member: StaffDep) -> Response:
    form, factor = await request.form(), await services.factors.of(member.holder)
    if refusal := _refusal(request, services, member, factor):
        return refusal
    codes = await services.passkeys.add(
        _holder(request, member),
        whole_text_of(form, "credencial"),
        name=text_of(form, "nombre"),
        bound_to=token_hash(request.state.staff_token).hex(),
    )
    if codes is None:
        return lead_again(request, services, _PAGE, {}, {"_llave": NO_PASSKEY})
    return await _count_as_shown(request, services, member, Proof.PASSKEY, codes)


@router.post("/segundo-factor/llaves/quitar", dependencies=[limited(PASSWORDS), STAFF_FORM_BEFORE_FACTOR])
async def remove_passkey(request: Request, services: SupportDep, member: StaffDep) -> Response:
    form, factor = await request.form(), await services.factors.of(member.holder)
    if refusal := _refusal(request, services, member, factor):
        return refusal
    for passkey_id in [item.id for item in factor.passkeys if item.id == form.get("cual")]:
        await services.passkeys.remove(member.holder, uuid.UUID(passkey_id))
    return _to(_PAGE)


async def _count_as_shown(
    request: Request,
    services: SupportServices,
    member: StaffMember,
    proof: Proof,
    codes: tuple[str, ...] = (),
) -> Response:
    token = await services.staff.prove(request.state.staff_token, proof)
    if token is None:
        return _to("/soporte/ingreso")
    response = _codes_page(request, services, member, codes)
    services.cookies.set(response, STAFF_COOKIE, token, strict=True)
    return response


def _codes_page(
    request: Request, services: SupportServices, member: StaffMember, codes: tuple[str, ...]
) -> Response:
    """Lead to the new codes, if there are any."""
    if not codes:
        return _to(_PAGE)
    answer = CodesAnswer(page=_PAGE, session_id=member.id, codes=codes)
    return services.answers.lead_back(request, answer)


async def _password_errors(
    request: Request, services: SupportServices, member: StaffMember, form: FormData
) -> Mapping[str, str]:
    present = secret_of(form, "actual")
    if not present:
        return {"actual": "Escriba su contraseña"}
    try:
        await services.staff.verify_present(member, request.state.staff_token, present)
    except StaffPresentPasswordError:
        return {"actual": _WRONG_PASSWORD}
    return {}


def _refusal(
    request: Request, services: SupportServices, member: StaffMember, factor: Factor
) -> Response | None:
    if _may_change(services, member, factor):
        return None
    return lead_again(request, services, _PAGE, {}, {"_prueba": NOT_NOW})


def _holder(request: Request, member: StaffMember) -> Holder:
    """The member, in the session of the request."""
    return replace(member.holder, staff_session=token_hash(request.state.staff_token))


def _may_change(services: SupportServices, member: StaffMember, factor: Factor) -> bool:
    return factor.may_change(member.amr, proven_at=member.authenticated_at, now=services.clock.now())


async def _step(request: Request, services: SupportServices) -> tuple[str, StaffMember | None]:
    token = services.cookies.get(request, STAFF_STEP) or ""
    return token, await services.staff.member_of(token, StaffSessionKind.SECOND_STEP) if token else None


def _to(page: str) -> Response:
    return RedirectResponse(page, status_code=HTTPStatus.SEE_OTHER)
