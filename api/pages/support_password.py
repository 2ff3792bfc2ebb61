"""`/soporte/contrasena`: a person of support changes their own password."""

from fastapi import APIRouter, Request, Response

from api.forms import secret_of
from api.pages.support import done_before, lead_again, lead_back
from api.protection import LOOKS, STAFF_COOKIE, STAFF_FORM, STAFF_REQUIRED, StaffDep, limited
from api.services import SupportDep
from mipres.domain import sentences
from mipres.domain.limits import PASSWORDS
from mipres.domain.passwords import PASSWORDS_DIFFER, PasswordPolicy, shown_rules
from mipres.support.staff import StaffPasswordError, StaffPresentPasswordError

router = APIRouter(prefix="/soporte/contrasena", include_in_schema=False)

_PAGE = "/soporte/contrasena"
_DONE = "Contraseña cambiada. Se cerraron sus otras sesiones y claves; esta sigue abierta."
_WRONG = "La contraseña actual no es correcta"
_EMPTY = {
    "actual": "Escriba la contraseña actual",
    "contrasena": "Escriba la contraseña nueva",
    "confirmacion": sentences.NEW_PASSWORD_AGAIN,
}


@router.api_route("", methods=LOOKS, dependencies=[STAFF_REQUIRED])
async def show(request: Request, services: SupportDep, member: StaffDep) -> Response:
    shown = services.answers.form_here(request)
    return services.pages.render(
        request,
        "support_password",
        status=shown.shown_status,
        member=member,
        errors=shown.errors,
        rules=[(rule.text, rule.pattern) for rule in shown_rules(PasswordPolicy.NIST)],
        done=done_before(request, services),
    )


@router.post("", dependencies=[limited(PASSWORDS), STAFF_FORM])
async def change(request: Request, services: SupportDep, member: StaffDep) -> Response:
    """Ask for the present password, so that an open browser alone changes nothing."""
    form = await request.form()
    typed = {name: secret_of(form, name) for name in _EMPTY}
    errors = {name: sentence for name, sentence in _EMPTY.items() if not typed[name]}
    if not errors and typed["contrasena"] != typed["confirmacion"]:
        errors = {"confirmacion": PASSWORDS_DIFFER}
    if errors:
        return lead_again(request, services, _PAGE, {}, errors)
    token = services.cookies.get(request, STAFF_COOKIE) or ""
    try:
        await services.staff.change_password(member, token, present=typed["actual"], new=typed["contrasena"])
    except StaffPasswordError as error:
        return lead_again(request, services, _PAGE, {}, {"contrasena": str(error)})
    except StaffPresentPasswordError:
        return lead_again(request, services, _PAGE, {}, {"actual": _WRONG})
    return lead_back(request, services, _PAGE, _DONE)
