"""`/soporte/contrasena`: a person of support changes their own password."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from api.forms import secret_of
from api.protection import LOOKS, STAFF_COOKIE, STAFF_FORM, STAFF_REQUIRED, StaffDep, limited
from api.services import SupportDep, SupportServices
from mipres.domain.limits import PASSWORDS
from mipres.domain.passwords import PASSWORDS_DIFFER, PasswordPolicy, shown_rules
from mipres.support.staff import StaffMember, StaffPasswordError, StaffPresentPasswordError

router = APIRouter(prefix="/soporte/contrasena", include_in_schema=False)

_WRONG = "La contraseña actual no es correcta"
_EMPTY = {
    "actual": "Escriba la contraseña actual",
    "contrasena": "Escriba la contraseña nueva",
    "confirmacion": "Escriba otra vez la contraseña nueva",
}


@router.api_route("", methods=LOOKS, dependencies=[STAFF_REQUIRED])
async def show(request: Request, services: SupportDep, member: StaffDep) -> Response:
    return _form(request, services, member)


@router.post("", dependencies=[limited(PASSWORDS), STAFF_FORM])
async def change(request: Request, services: SupportDep, member: StaffDep) -> Response:
    """Ask for the present password, so that an open browser alone changes nothing."""
    form = await request.form()
    typed = {name: secret_of(form, name) for name in _EMPTY}
    errors = {name: sentence for name, sentence in _EMPTY.items() if not typed[name]}
    if not errors and typed["contrasena"] != typed["confirmacion"]:
        errors = {"confirmacion": PASSWORDS_DIFFER}
    if errors:
        return _form(request, services, member, errors=errors)
    token = services.cookies.get(request, STAFF_COOKIE) or ""
    try:
        await services.staff.change_password(member, token, present=typed["actual"], new=typed["contrasena"])
    except StaffPasswordError as error:
        return _form(request, services, member, errors={"contrasena": str(error)})
    except StaffPresentPasswordError:
        return _form(request, services, member, errors={"actual": _WRONG})
    return _form(request, services, member, done=True)


def _form(
    request: Request,
    services: SupportServices,
    member: StaffMember,
    *,
    errors: Mapping[str, str] | None = None,
    done: bool = False,
) -> Response:
    return services.pages.render(
        request,
        "support_password",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK,
        member=member,
        errors=errors or {},
        rules=[(rule.text, rule.pattern) for rule in shown_rules(PasswordPolicy.NIST)],
        done=done,
    )
