"""`/no-fui-yo…`: stop what a person did not ask for.

That is a change of address, or a reset of a second factor. Looking stops nothing: only the button does.
"""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.answers import ChangeAnswer, FormAnswer
from api.protection import LOOKS, PROTECTED_FORM, PUBLIC, ClientDep
from api.services import PasswordDep, PasswordServices
from mipres.domain import sentences
from mipres.domain.address_changes import ChangeState, ChangeView
from mipres.domain.errors import LinkNotUsableError
from mipres.domain.limits import WRONG_LINKS
from mipres.mail.dates import long_date_time

router = APIRouter(prefix="/no-fui-yo", include_in_schema=False)

_PAGE = "/no-fui-yo"
_RESET_PAGE = "factor_reset"
_COOKIE = "cambio"
_COOKIE_SECONDS = 60 * 60
_LONGEST_TOKEN = 128
_ANOTHER_CHANGE = (
    f"No se detuvo nada: {sentences.ANOTHER_LINK_OPENED} Revise de qué usuario es esta página y "
    "oprima otra vez el botón"
)
_STATUS = {
    ChangeState.WAITING: HTTPStatus.OK,
    ChangeState.APPLIED: HTTPStatus.GONE,
    ChangeState.STOPPED: HTTPStatus.OK,
    ChangeState.WITHDRAWN: HTTPStatus.GONE,
    ChangeState.UNKNOWN: HTTPStatus.NOT_FOUND,
}


async def _view(services: PasswordServices, token: str) -> tuple[str, ChangeView]:
    """What a token can stop, and the page that shows it.

    The two kinds have keys of their own.
    """
    reset = await services.resets.view(token)
    if reset.state is not ChangeState.UNKNOWN:
        return _RESET_PAGE, reset
    return "address_change", await services.changes.view(token)


@router.api_route("", methods=LOOKS, dependencies=[PUBLIC])
async def show_change(request: Request, services: PasswordDep, client: ClientDep) -> Response:
    """Show what the change of the browser's link is now, with a button if it waits."""
    token = services.cookies.get(request, _COOKIE) or ""
    page, change = await _view(services, token)
    if token and change.state is ChangeState.UNKNOWN and request.method == "GET":
        await services.throttle.count(WRONG_LINKS, client)
    stopped = services.answers.shown_here(request, ChangeAnswer)
    shown = services.answers.form_here(request)
    return services.pages.render(
        request,
        page,
        status=shown.status or _STATUS[change.state],
        change=change,
        until=long_date_time(change.takes_effect_at) if change.takes_effect_at else None,
        is_done=stopped is not None,
        support_knows=stopped is not None and stopped.support_knows,
        errors=shown.errors,
    )


@router.post("", dependencies=[PROTECTED_FORM])
async def stop_change(request: Request, services: PasswordDep) -> Response:
    """Stop the change that the page showed, and notify support.

    Without a limit: only a genuine link does anything, once, and others at the person's address must not use it up.
    """
    token, form = services.cookies.get(request, _COOKIE) or "", await request.form()
    page, change = await _view(services, token)
    if form.get("cambio") != str(change.change_id):
        answer = FormAnswer(
            page=_PAGE, errors={"_cambio": _ANOTHER_CHANGE}, status=HTTPStatus.UNPROCESSABLE_ENTITY
        )
        return services.answers.lead_back(request, answer)
    try:
        if page == _RESET_PAGE:
            support_knows = await services.resets.stop(token)
        else:
            support_knows = await services.recoveries.report_stopped_change(
                await services.changes.stop(token)
            )
    except LinkNotUsableError:
        return RedirectResponse(_PAGE, status_code=HTTPStatus.SEE_OTHER)
    return services.answers.lead_back(request, ChangeAnswer(page=_PAGE, support_knows=support_knows))


@router.api_route("/{token}", methods=LOOKS, dependencies=[PUBLIC])
async def open_link(token: str, services: PasswordDep) -> Response:
    """Move the token from the address into a cookie that scripts cannot read."""
    response = RedirectResponse(_PAGE, status_code=HTTPStatus.SEE_OTHER)
    services.cookies.set(response, _COOKIE, token[:_LONGEST_TOKEN], max_age=_COOKIE_SECONDS)
    return response
