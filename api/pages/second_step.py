"""`/ingreso/…/segundo-factor`: the second step of a login."""

from http import HTTPStatus
from typing import NamedTuple

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from api.answers import FormAnswer
from api.clients import network_of
from api.forms import text_of, whole_text_of
from api.pages.login import SECOND_STEP, WRONG_PASSKEY, Entry, application_named, enter, page_after_login
from api.protection import LOGIN_FORM, PUBLIC, READS, ClientDep, limited
from api.services import LoginDep, LoginServices
from mipres.database.passkeys import Purpose
from mipres.database.second_factors import Holder, SecondFactors
from mipres.database.second_steps import SecondStep
from mipres.domain import sentences
from mipres.domain.applications import Application
from mipres.domain.limits import LOGINS
from mipres.domain.lockout import Origin
from mipres.domain.second_factor import Proof

router = APIRouter(prefix="/ingreso", include_in_schema=False)

NO_CODE = "Escriba el código"
WRONG_CODE = "El código no es correcto, ya se usó o ya venció. Espere a que su aplicación muestre otro"


class LockWords(NamedTuple):
    """What a person reads while no code is checked.

    For some minutes, or until support opens it again.
    """

    for_minutes: str
    for_good: str


_NO_CODE_CHECKED = "Hubo demasiados códigos equivocados y ya no se comprueba ninguno."
LOCKED = LockWords(
    for_minutes=f"{sentences.TOO_MANY_CODES} Inténtelo más tarde; "
    "si no tiene su segundo factor, escriba a la mesa de ayuda",
    for_good=f"{_NO_CODE_CHECKED} Escriba a la mesa de ayuda para que desbloquee su ingreso",
)
STAFF_LOCKED = LockWords(
    for_minutes=f"{sentences.TOO_MANY_CODES} Inténtelo más tarde; "
    "si no tiene su segundo factor, hable con quien administra las cuentas de soporte",
    for_good=f"{_NO_CODE_CHECKED} Hable con quien administra las cuentas de soporte para que desbloquee la suya",
)


@router.api_route("/{application}/segundo-factor", methods=READS, dependencies=[PUBLIC])
async def show_second_step(
    application: str, request: Request, services: LoginDep, volver: str = ""
) -> Response:
    wanted = application_named(application)
    step = await _step(request, services, wanted)
    if step is None:
        return _begin_again(wanted)
    shown = services.answers.form_here(request)
    return services.pages.render(
        request,
        "second_step",
        status=shown.shown_status,
        application=wanted,
        factor=await services.factors.of(_holder(step)),
        passkey=services.passkeys.options_to_use(
            Purpose.SECOND_STEP, bound_to=services.cookies.get(request, SECOND_STEP) or ""
        ),
        back=page_after_login(wanted, volver),
        errors=shown.errors,
    )


@router.post("/{application}/segundo-factor", dependencies=[limited(LOGINS), LOGIN_FORM])
async def take_second_step(
    application: str, request: Request, services: LoginDep, client: ClientDep
) -> Response:
    """Open the session once the second step is right.

    Of two answers only one opens it.
    """
    wanted, form = application_named(application), await request.form()
    step = await _step(request, services, wanted)
    if step is None:
        return _begin_again(wanted)
    back = whole_text_of(form, "volver")
    if answer := whole_text_of(form, "credencial"):
        token = services.cookies.get(request, SECOND_STEP) or ""
        holder = await services.passkeys.use(Purpose.SECOND_STEP, answer, bound_to=token)
        if holder is None or holder.account_id != step.account_id:
            return _again(request, services, wanted, back, WRONG_PASSKEY)
        return await _enter(request, services, wanted, client, step, Proof.PASSKEY, back)
    proof, error = await code_proof(services.factors, _holder(step), form, client, locked=LOCKED)
    if proof is None:
        return _again(request, services, wanted, back, error)
    return await _enter(request, services, wanted, client, step, proof, back)


async def code_proof(
    factors: SecondFactors, holder: Holder, form: FormData, client: str, *, locked: LockWords
) -> tuple[Proof | None, str]:
    """What the code of a form proves, or why it proves nothing.

    `locked` answers after too many wrong ones.
    """
    typed = text_of(form, "codigo")
    if not typed.strip():
        return None, NO_CODE
    checked = await factors.check(holder, typed, Origin(network=network_of(client)))
    if checked.is_closed:
        return None, locked.for_good
    return checked.proof, locked.for_minutes if checked.is_locked else WRONG_CODE


async def _enter(  # noqa: PLR0913, PLR0917 - all of them are the request's.
    request: Request,
    services: LoginServices,
    wanted: Application,
    client: str,
    step: SecondStep,
    proof: Proof,
    back: str,
) -> Response:
    token = services.cookies.get(request, SECOND_STEP) or ""
    entry = Entry(
        account_id=step.account_id,
        login=step.login,
        verified_hash=step.verified_hash,
        proofs=(Proof.PASSWORD, proof),
        back=back,
    )
    is_first = await services.second_steps.end(token)
    response = await enter(request, services, wanted, client, entry) if is_first else None
    response = response or _begin_again(wanted)
    services.cookies.drop(response, SECOND_STEP)
    return response


async def _step(request: Request, services: LoginServices, wanted: Application) -> SecondStep | None:
    token = services.cookies.get(request, SECOND_STEP)
    return await services.second_steps.of(token, wanted) if token else None


def _holder(step: SecondStep) -> Holder:
    return Holder(login=step.login, account_id=step.account_id)


def _begin_again(wanted: Application) -> Response:
    return RedirectResponse(f"/ingreso/{wanted}", status_code=HTTPStatus.SEE_OTHER)


def _again(request: Request, services: LoginServices, wanted: Application, back: str, error: str) -> Response:
    answer = FormAnswer(page=f"/ingreso/{wanted}/segundo-factor", errors={"codigo": error})
    return services.answers.lead_back(request, answer, volver=back)
