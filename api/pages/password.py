"""`/contrasena…`: from the mailed link to the created password. Looking never consumes a link."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.captcha import FormCaptcha
from api.deps import PROTECTED_FORM, PUBLIC, ClientDep, Services, ServicesDep, limited, throttle
from api.errors import TooManyRequestsError
from api.forms import DOCUMENT_OPTIONS, text_of
from api.pages.registration import outcome_page
from api.registrations import TermsChangedError
from mipres.database.password_links import PasswordOwner
from mipres.domain.errors import LinkNotUsableError
from mipres.domain.limits import (
    ANNOUNCEMENTS,
    DOCUMENT_RECOVERIES,
    DOCUMENT_SUBMISSIONS,
    PASSWORDS,
    RECOVERIES,
    RESENDS,
    WRONG_LINKS,
)
from mipres.domain.links import LinkState
from mipres.domain.passwords import (
    PASSWORDS_DIFFER,
    PasswordContext,
    normalise_password,
    shown_rules,
    unmet_rules,
)
from mipres.domain.submissions import check_document
from workflows.policies import RECOVERY_LINK_LIFETIME

router = APIRouter(prefix="/contrasena", include_in_schema=False)

_COOKIE = "enlace"
_COOKIE_SECONDS = 60 * 60
_LONGEST_TOKEN = 128
_RECOVERY_MINUTES = RECOVERY_LINK_LIFETIME // timedelta(minutes=1)
_STATUS = {
    LinkState.OPEN: HTTPStatus.CONFLICT,
    LinkState.EXPIRED: HTTPStatus.GONE,
    LinkState.USED: HTTPStatus.GONE,
    LinkState.SUPERSEDED: HTTPStatus.GONE,
    LinkState.UNKNOWN: HTTPStatus.NOT_FOUND,
}


@router.get("", dependencies=[PUBLIC])
async def show_form(request: Request, found: ServicesDep, who: ClientDep) -> Response:
    """The form, or why the link is of no use: told before anything is typed."""
    token = found.cookies.get(request, _COOKIE) or ""
    owner = await found.accounts.owner_of(token)
    return _form(request, found, owner) if owner else await _unusable(request, found, token, who)


@router.post("", dependencies=[limited(PASSWORDS), PROTECTED_FORM])
async def set_password(request: Request, found: ServicesDep, who: ClientDep) -> Response:
    token, form = found.cookies.get(request, _COOKIE) or "", await request.form()
    owner = await found.accounts.owner_of(token)
    if owner is None:
        return await _unusable(request, found, token, who)
    password = normalise_password(_secret(form.get("contrasena")))
    confirmation = normalise_password(_secret(form.get("confirmacion")))
    if errors := _errors(found, owner, password, confirmation):
        return _form(request, found, owner, errors=errors)
    try:
        owner = await found.accounts.set_password(token, await found.hasher.hash(password))
    except LinkNotUsableError:
        return await _unusable(request, found, token, who)
    await found.registrations.announce_password(owner)
    response = found.pages.render(request, "password_set", owner=owner)
    found.cookies.drop(response, _COOKIE)
    return response


@router.post("/renovar", dependencies=[limited(RESENDS), PROTECTED_FORM])
async def renew_link(request: Request, found: ServicesDep, who: ClientDep) -> Response:
    """Start the registration of an expired link anew, once, without the form being filled in again."""
    token = found.cookies.get(request, _COOKIE) or ""
    renewal = await found.accounts.renewal_of(token)
    if renewal is None:
        return await _unusable(request, found, token, who)
    await throttle(found, DOCUMENT_SUBMISSIONS, renewal.submission.document.login)
    try:
        submitted = await found.registrations.renew(renewal)
    except TermsChangedError:
        form = f"/registro/{renewal.submission.user_type.slug}"
        return RedirectResponse(form, status_code=HTTPStatus.SEE_OTHER)
    # Only now: whoever clicks twice meanwhile joins the same registration, and a crash leaves the link as it was.
    await found.accounts.mark_renewed(token)
    response = outcome_page(request, found, submitted)
    found.cookies.drop(response, _COOKIE)
    return response


@router.get("/recuperar", dependencies=[PUBLIC])
async def show_recovery(request: Request, found: ServicesDep) -> Response:
    return _recovery_form(request, found, FormCaptcha(found.captcha))


@router.post("/recuperar", dependencies=[limited(RECOVERIES), PROTECTED_FORM])
async def ask_recovery(request: Request, found: ServicesDep) -> Response:
    """The same answer for everybody: whether there is an account is told by mail only."""
    form = await request.form()
    typed = {name: text_of(form, name) for name in ("tipo_documento", "numero_documento")}
    captcha = FormCaptcha(found.captcha, form)
    if captcha.another_image_asked:
        return _recovery_form(request, found, captcha, typed=typed)
    document, errors = check_document(typed["tipo_documento"], typed["numero_documento"])
    errors |= captcha.missing()
    errors = errors or await captcha.wrong()
    if errors or document is None:
        return _recovery_form(request, found, captcha, typed=typed, errors=errors)
    # Counted by what was typed, so that it tells nothing of any account.
    await throttle(found, DOCUMENT_RECOVERIES, document.login)
    await found.registrations.recover_password(document)
    return found.pages.render(
        request, "recovery_asked", status=HTTPStatus.ACCEPTED, minutes=_RECOVERY_MINUTES
    )


@router.get("/{token}", dependencies=[PUBLIC])
async def open_link(token: str, found: ServicesDep) -> Response:
    """Take the token out of the address at once; it goes on in a cookie that scripts cannot read."""
    response = RedirectResponse("/contrasena", status_code=HTTPStatus.SEE_OTHER)
    found.cookies.set(response, _COOKIE, token[:_LONGEST_TOKEN], max_age=_COOKIE_SECONDS)
    return response


def _secret(value: object) -> str:
    return value if isinstance(value, str) else ""


def _inside(sentence: str) -> str:
    """A sentence as part of another one."""
    return sentence[:1].lower() + sentence[1:]


def _errors(found: Services, owner: PasswordOwner, password: str, confirmation: str) -> dict[str, str]:
    errors: dict[str, str] = {}
    context = PasswordContext(login=owner.login, full_name=owner.full_name)
    if not password:
        errors["contrasena"] = "Escriba la contraseña"
    elif unmet := unmet_rules(password, found.password_policy, context):
        errors["contrasena"] = "La contraseña debe: " + "; ".join(_inside(rule.text) for rule in unmet)
    if not confirmation:
        errors["confirmacion"] = "Escriba otra vez la contraseña"
    elif password and password != confirmation:
        errors["confirmacion"] = PASSWORDS_DIFFER
    return errors


def _form(
    request: Request, found: Services, owner: PasswordOwner, *, errors: Mapping[str, str] | None = None
) -> Response:
    return found.pages.render(
        request,
        "password_form",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK,
        owner=owner,
        errors=errors or {},
        rules=shown_rules(found.password_policy),
    )


def _recovery_form(
    request: Request,
    found: Services,
    captcha: FormCaptcha,
    *,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:
    return found.pages.render(
        request,
        "recovery_form",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK,
        typed=typed or {},
        errors=errors or {},
        captcha=captcha.view(),
        document_types=DOCUMENT_OPTIONS,
    )


async def _unusable(request: Request, found: Services, token: str, who: str) -> Response:
    """Why the link is of no use, and the way on from there."""
    link = await found.accounts.link(token)
    if link.state is LinkState.USED:
        await _announce_again(found, token, who)
    if token and link.state is LinkState.UNKNOWN:
        await throttle(found, WRONG_LINKS, who)
    renewable = link.state is LinkState.EXPIRED and await found.accounts.renewal_of(token) is not None
    page = found.pages.render(
        request, "link_unusable", status=_STATUS[link.state], link=link, renewable=renewable
    )
    if not renewable:
        found.cookies.drop(page, _COOKIE)
    return page


async def _announce_again(found: Services, token: str, who: str) -> None:
    """Somebody comes back to a used link when no answer came, and then the workflow may know nothing of it yet."""
    # The page is for everybody who looks; the signals are for some looks a minute.
    with suppress(TooManyRequestsError):
        await throttle(found, ANNOUNCEMENTS, who)
        if owner := await found.accounts.owner_of(token, state=LinkState.USED):
            await found.registrations.announce_again(owner)
