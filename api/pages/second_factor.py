"""`/cuenta/segundo-factor`: what a person sets up beside the password.

Everything that changes it needs a proof of the last minutes, and is mailed about.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from urllib.parse import quote, urlencode

import pyotp
import segno
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from api.answers import CodesAnswer, FormAnswer
from api.clients import network_of
from api.forms import secret_of, text_of, whole_text_of
from api.pages.login import Attempt, authenticate, led_on
from api.pages.second_step import LOCKED, NO_CODE, code_proof
from api.protection import LOOKS, PROTECTED_FORM, PUBLIC, ClientDep, limited
from api.services import LoginDep, LoginServices
from api.signed_in import is_authorization, lacks_factor, session_cookie, user_named, users_of
from mipres.database.second_factors import Holder, SecondFactors
from mipres.database.sessions import LoggedInUser
from mipres.domain import sentences
from mipres.domain.applications import Application
from mipres.domain.limits import PASSWORDS
from mipres.domain.lockout import Origin
from mipres.domain.second_factor import (
    MOST_PASSKEYS,
    Factor,
    Proof,
    shown_recovery_code,
)

router = APIRouter(prefix="/cuenta/segundo-factor", include_in_schema=False)

ISSUER = "MIPRES"
_PATH = "/cuenta/segundo-factor"
_WRONG_PASSWORD = "No es su contraseña, o hubo demasiados intentos y el ingreso está bloqueado unos minutos"  # noqa: S105 - a sentence.
NOT_NOW = "No se guardó nada: confirme primero que es usted"
NO_PASSKEY = f"No se agregó la llave: el navegador no la confirmó, o ya tiene {MOST_PASSKEYS}"
NO_WAITING_SECRET = "El código no es correcto, o pasó demasiado tiempo desde que se mostró la clave"  # noqa: S105 - a sentence.


@dataclass(frozen=True, kw_only=True)
class _Owner:
    """Who is in, and what the person has set up."""

    user: LoggedInUser
    holder: Holder
    factor: Factor

    def is_fresh(self, now: datetime) -> bool:
        """Whether what the person proved is recent, and as much as the account asks for."""
        return self.factor.may_change(self.user.amr, proven_at=self.user.proven_at, now=now)


@router.api_route("", methods=LOOKS, dependencies=[PUBLIC])
async def show_factor(
    request: Request, services: LoginDep, aplicacion: str = "", volver: str = ""
) -> Response:
    owner, back = await _owner(request, services, application=aplicacion), _own_way(volver)
    if owner is None:
        return _login(request, services, aplicacion, back)
    answer = services.answers.shown_here(request, CodesAnswer)
    if codes := await codes_in(answer, services.factors, owner.holder, owner.user.session_id):
        page = back or f"{_PATH}?aplicacion={owner.user.application}"
        return services.pages.render(request, "recovery_codes", user=owner.user, codes=codes, back=page)
    return await _page(request, services, owner, back)


async def codes_in(
    answer: CodesAnswer | None, factors: SecondFactors, holder: Holder, session_id: uuid.UUID
) -> list[str]:
    """Return the recovery codes of an answer, as people copy them.

    None that are no longer good: by Back a person comes to a list that another has replaced, and must not keep it.
    """
    is_own = answer is not None and answer.session_id == session_id
    if answer is None or not is_own or not await factors.has_list(holder, answer.codes):
        return []
    return [shown_recovery_code(code) for code in answer.codes]


@router.post("/confirmar", dependencies=[limited(PASSWORDS), PROTECTED_FORM])
async def confirm(request: Request, services: LoginDep, client: ClientDep) -> Response:
    """Take the password, or a code where there is a factor, as a proof of now."""
    form = await request.form()
    owner = await _owner(request, services, session=form.get("sesion"))
    if owner is None:
        return await _another(request, services)
    proof, error = await _proven(request, services, owner, form, client)
    if proof is None:
        return _again(request, services, owner.user, error, _back_in(form))
    return await _count_as_shown(request, services, owner, proof, back=_back_in(form))


@router.post("/codigos", dependencies=[limited(PASSWORDS), PROTECTED_FORM])
async def add_codes(request: Request, services: LoginDep) -> Response:
    """Take an application that gives codes, after its first right code."""
    form = await request.form()
    owner, refusal = await _changing(request, services, form)
    if owner is None:
        return refusal
    typed = text_of(form, "codigo")
    if not typed.strip():
        return _again(request, services, owner.user, {"codigo": NO_CODE}, _back_in(form))
    codes = await services.factors.confirm_codes(owner.holder, typed)
    if codes is None:
        return _again(request, services, owner.user, {"codigo": NO_WAITING_SECRET}, _back_in(form))
    return await _count_as_shown(request, services, owner, Proof.CODE, codes, _back_in(form))


@router.post("/codigos/quitar", dependencies=[limited(PASSWORDS), PROTECTED_FORM])
async def remove_codes(request: Request, services: LoginDep) -> Response:
    owner, refusal = await _changing(request, services, await request.form())
    if owner is None:
        return refusal
    await services.factors.remove_codes(owner.holder)
    return _to_page(owner.user)


@router.post("/recuperacion", dependencies=[limited(PASSWORDS), PROTECTED_FORM])
async def renew_recovery_codes(request: Request, services: LoginDep) -> Response:
    """Show ten new recovery codes, once."""
    owner, refusal = await _changing(request, services, await request.form())
    if owner is None:
        return refusal
    codes = await services.factors.renew_recovery_codes(owner.holder)
    return _codes_page(request, services, owner.user, codes) if codes else _to_page(owner.user)


@router.post("/llaves", dependencies=[limited(PASSWORDS), PROTECTED_FORM])
async def add_passkey(request: Request, services: LoginDep) -> Response:
    """Take a passkey that the browser made."""
    form = await request.form()
    owner, refusal = await _changing(request, services, form)
    if owner is None:
        return refusal
    codes = await services.passkeys.add(
        owner.holder,
        whole_text_of(form, "credencial"),
        name=text_of(form, "nombre"),
        bound_to=str(owner.user.session_id),
    )
    if codes is None:
        return _again(request, services, owner.user, {"_llave": NO_PASSKEY}, _back_in(form))
    return await _count_as_shown(request, services, owner, Proof.PASSKEY, codes, _back_in(form))


@router.post("/llaves/quitar", dependencies=[limited(PASSWORDS), PROTECTED_FORM])
async def remove_passkey(request: Request, services: LoginDep) -> Response:
    form = await request.form()
    owner, refusal = await _changing(request, services, form)
    if owner is None:
        return refusal
    named = [item.id for item in owner.factor.passkeys if item.id == form.get("cual")]
    for passkey_id in named:
        await services.passkeys.remove(owner.holder, uuid.UUID(passkey_id))
    return _to_page(owner.user)


async def _count_as_shown(
    request: Request,
    services: LoginServices,
    owner: _Owner,
    proof: Proof,
    codes: tuple[str, ...] = (),
    back: str = "",
) -> Response:
    """Count what was proven or set up as shown, and show recovery codes that are new.

    An application that demanded a second factor gets the person back once it was shown.
    """
    token = await services.sessions.prove(owner.user, proof)
    if token is None:
        return _login(request, services, back=back)
    if codes:
        response: Response = _codes_page(request, services, owner.user, codes, back)
    elif back and proof is not Proof.PASSWORD:
        response = led_on(owner.user.application, back)
    else:
        response = _to_page(owner.user, back)
    services.cookies.set(response, session_cookie(owner.user.application), token)
    return response


async def _proven(
    request: Request, services: LoginServices, owner: _Owner, form: FormData, client: str
) -> tuple[Proof | None, dict[str, str]]:
    if owner.factor.is_owed(owner.user.amr):
        proof, error = await code_proof(services.factors, owner.holder, form, client, locked=LOCKED)
        return proof, {"codigo": error}
    present = secret_of(form, "actual")
    if not present:
        return None, {"actual": "Escriba su contraseña"}
    # Wrong passwords count by the session, which strangers do not have.
    session = services.cookies.get(request, session_cookie(owner.user.application))
    origin = Origin(network=network_of(client), device=f"session {session}")
    attempt = Attempt(login=owner.user.login, password=present, client=client, origin=origin, is_human=True)
    result = await authenticate(services, attempt, owner.user.application)
    return (Proof.PASSWORD if result.account else None), {"actual": _WRONG_PASSWORD}


async def _changing(
    request: Request, services: LoginServices, form: FormData
) -> tuple[_Owner | None, Response]:
    """Who may change the factor now; else the answer."""
    owner = await _owner(request, services, session=form.get("sesion"))
    if owner is None:
        return None, await _another(request, services)
    if not owner.is_fresh(services.clock.now()):
        return None, _again(request, services, owner.user, {"_prueba": NOT_NOW}, _back_in(form))
    return owner, Response()


async def _owner(
    request: Request, services: LoginServices, *, application: str = "", session: object = None
) -> _Owner | None:
    """Find the user of the named session or application, else of any."""
    users = await users_of(request, services, before_factor=True)
    if session is not None:
        user = user_named(users, session)
    else:
        named = [item for item in users if item.application == application]
        user = next(iter(named or ([] if application in set(Application) else users)), None)
    if user is None:
        return None
    holder = Holder(login=user.login, account_id=user.account_id, amr=user.amr, session_id=user.session_id)
    return _Owner(user=user, holder=holder, factor=await services.factors.of(holder))


async def _another(request: Request, services: LoginServices) -> Response:
    owner = await _owner(request, services)
    if owner is None:
        return _login(request, services)
    return _again(request, services, owner.user, {"_sesion": sentences.SOMEBODY_ENTERED})


def _own_way(page: str) -> str:
    """The request of an application; nothing else is led to from here."""
    return page if is_authorization(page) else ""


def _back_in(form: FormData) -> str:
    return _own_way(whole_text_of(form, "volver"))


def _login(request: Request, services: LoginServices, wanted: str = "", back: str = "") -> Response:
    had = [item for item in Application if services.cookies.get(request, session_cookie(item))]
    application = Application(wanted) if wanted in set(Application) else (had or [Application.MIPRES])[0]
    page = quote(back or f"{_PATH}?aplicacion={application}", safe="")
    return RedirectResponse(f"/ingreso/{application}?volver={page}", status_code=HTTPStatus.SEE_OTHER)


def _to_page(user: LoggedInUser, back: str = "") -> Response:
    query = urlencode({"aplicacion": user.application, **({"volver": back} if back else {})})
    return RedirectResponse(f"{_PATH}?{query}", status_code=HTTPStatus.SEE_OTHER)


def _again(
    request: Request,
    services: LoginServices,
    user: LoggedInUser,
    errors: Mapping[str, str],
    back: str = "",
) -> Response:
    answer = FormAnswer(page=_PATH, errors=errors)
    return services.answers.lead_back(request, answer, aplicacion=user.application, volver=back)


def _codes_page(
    request: Request, services: LoginServices, user: LoggedInUser, codes: tuple[str, ...], back: str = ""
) -> Response:
    """Lead to the new codes.

    A telephone that lets go of the page while they are copied shows them again, and makes no others.
    """
    answer = CodesAnswer(page=_PATH, session_id=user.session_id, codes=codes)
    return services.answers.lead_back(request, answer, aplicacion=user.application, volver=back)


async def _page(request: Request, services: LoginServices, owner: _Owner, back: str) -> Response:
    """Show what is set up; what changes it only after a proof of the last minutes."""
    shown = services.answers.form_here(request)
    is_fresh = owner.is_fresh(services.clock.now())
    secret = None
    if is_fresh and not owner.factor.has_codes:
        secret = await services.factors.begin_codes(owner.holder)
    return services.pages.render(
        request,
        "second_factor",
        status=shown.shown_status,
        user=owner.user,
        factor=owner.factor,
        is_fresh=is_fresh,
        is_demanded=lacks_factor(services, owner.user),
        asks_code=owner.factor.is_owed(owner.user.amr),
        secret=grouped(secret) if secret else None,
        picture=picture_of(secret, owner.user.login) if secret else None,
        passkey=await services.passkeys.options_to_add(owner.holder, bound_to=str(owner.user.session_id))
        if is_fresh
        else None,
        errors=shown.errors,
        back=back,
    )


def picture_of(secret: str, login: str) -> str:
    """The secret as a QR code, for the camera of a telephone."""
    address = pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=ISSUER)
    return segno.make(address, micro=False).svg_data_uri(scale=4)


def grouped(secret: str) -> str:
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
