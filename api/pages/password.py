"""`/contrasena…`: from the mailed link to the password. Looking consumes no link."""

import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from api.answers import FormAnswer, PasswordAnswer, RecoveryAnswer
from api.captcha import FormCaptcha
from api.errors import TooManyRequestsError
from api.forms import DOCUMENT_FIELDS, DOCUMENT_OPTIONS, by_field, form_errors, secret_of, typed_in
from api.protection import LOOKS, PROTECTED_FORM, PUBLIC, ClientDep, limited
from api.registrations.start import TermsChangedError
from api.services import PasswordDep, PasswordServices
from mipres.database.password_links import PasswordOwner
from mipres.domain import sentences
from mipres.domain.applications import Application
from mipres.domain.errors import FieldError, InvalidSubmissionError, LinkNotUsableError
from mipres.domain.limits import (
    ANNOUNCEMENTS,
    DOCUMENT_RECOVERIES,
    PASSWORDS,
    RECOVERIES,
    RECOVERY_FORMS,
    RESENDS,
    WRONG_LINKS,
)
from mipres.domain.links import LinkState
from mipres.domain.passwords import (
    PASSWORDS_DIFFER,
    PasswordContext,
    PasswordPolicy,
    shown_rules,
    told,
    unmet_rules,
)
from mipres.domain.submissions import check_document

router = APIRouter(prefix="/contrasena", include_in_schema=False)

_COOKIE = "enlace"
_WITHOUT_EFFECTS = frozenset({"HEAD", "OPTIONS"})
_COOKIE_SECONDS = 60 * 60
_LONGEST_TOKEN = 128
_ANOTHER_LINK = (
    f"No se guardó nada: {sentences.ANOTHER_LINK_OPENED} Esta página crea la contraseña del usuario "
    "{login}; si usted es otra persona, abra de nuevo el enlace de su correo"
)
_STATUS = {
    LinkState.OPEN: HTTPStatus.CONFLICT,
    LinkState.EXPIRED: HTTPStatus.GONE,
    LinkState.USED: HTTPStatus.GONE,
    LinkState.SUPERSEDED: HTTPStatus.GONE,
    LinkState.UNKNOWN: HTTPStatus.NOT_FOUND,
}


@router.api_route("", methods=LOOKS, dependencies=[PUBLIC])
async def show_form(request: Request, services: PasswordDep, client: ClientDep) -> Response:
    """Show the form, or why the link is of no use before the person types anything."""
    token = services.cookies.get(request, _COOKIE) or ""
    owner = await services.links.owner_of(token)
    if owner is None:
        return await _unusable(request, services, token, client)
    shown = services.answers.form_here(request)
    return services.pages.render(
        request,
        "password_form",
        status=shown.shown_status,
        owner=owner,
        errors=shown.errors,
        rules=[(rule.text, rule.pattern) for rule in shown_rules(services.policy)],
    )


@router.post("", dependencies=[limited(PASSWORDS), PROTECTED_FORM])
async def set_password(request: Request, services: PasswordDep) -> Response:
    token, form = services.cookies.get(request, _COOKIE) or "", await request.form()
    owner = await services.links.owner_of(token)
    if owner is None:
        return _to_link()
    if not _is_drawn_for(form, owner.link_id):
        return _again(request, services, {"_enlace": _ANOTHER_LINK.format(login=owner.login)})
    password, confirmation = secret_of(form, "contrasena"), secret_of(form, "confirmacion")
    if errors := _errors(services.policy, owner, password, confirmation):
        return _again(request, services, errors)
    try:
        owner = await services.links.set_password(token, await services.hasher.hash(password))
    except LinkNotUsableError:
        return _to_link()
    await services.act.announce_password(owner)
    answer = PasswordAnswer(
        login=owner.login,
        is_password_changed=owner.is_password_changed,
        applications=owner.applications,
    )
    # The cookie stays: Back then says that the link is used, and leads to the login.
    response = services.answers.redirect(request, answer)
    services.devices.remember(request, response, owner.login)
    return response


@router.post("/renovar", dependencies=[limited(RESENDS), PROTECTED_FORM])
async def renew_link(request: Request, services: PasswordDep) -> Response:
    """Start the registration of an expired link again, once, without another form."""
    token = services.cookies.get(request, _COOKIE) or ""
    renewal = await services.links.renewal_of(token)
    if renewal is None or not _is_drawn_for(await request.form(), renewal.link_id):
        return _to_link()
    try:
        submitted = await services.start.renew(renewal)
    except TermsChangedError:
        form = f"/registro/{renewal.submission.user_type.slug}"
        return RedirectResponse(form, status_code=HTTPStatus.SEE_OTHER)
    # Not earlier: a second click joins the same registration, and a crash leaves the link as it was.
    await services.links.mark_renewed(token)
    return services.outcomes.answer(request, submitted)


@router.api_route("/recuperar", methods=LOOKS, dependencies=[PUBLIC])
async def show_recovery(request: Request, services: PasswordDep) -> Response:
    shown = services.answers.form_here(request)
    return services.pages.render(
        request,
        "recovery_form",
        status=shown.shown_status,
        typed=shown.typed,
        errors=shown.errors,
        captcha=services.captcha.view(request, shown.captcha or ""),
        document_types=DOCUMENT_OPTIONS,
    )


@router.post("/recuperar", dependencies=[limited(RECOVERY_FORMS), PROTECTED_FORM])
async def ask_recovery(request: Request, services: PasswordDep, client: ClientDep) -> Response:
    """Give everybody the same answer: only the mail says whether there is an account."""
    form = await request.form()
    typed, captcha = typed_in(form, DOCUMENT_FIELDS), services.captcha.of(request, form)
    if captcha.another_image_asked:
        return _recovery_again(request, services, captcha, typed)
    try:
        document = check_document(typed["tipo_documento"], typed["numero_documento"])
    except InvalidSubmissionError as error:
        errors = (*form_errors(error), *captcha.missing())
        return _recovery_again(request, services, captcha, typed, errors)
    if errors := captcha.missing() or await captcha.wrong():
        return _recovery_again(request, services, captcha, typed, errors)
    # Not earlier: forms that ask for nothing must not spend for an hour what all the people of an address may ask.
    await services.throttle.count(RECOVERIES, client)
    # The count is by what was typed, so that it reveals nothing of any account.
    # Beyond it the answer stays the same: a stranger must not keep a person from recovering.
    is_quiet = await services.throttle.is_beyond(DOCUMENT_RECOVERIES, document.login)
    await services.recoveries.recover_password(document, is_quiet=is_quiet)
    return services.answers.redirect(request, RecoveryAnswer())


@router.api_route("/{token}", methods=LOOKS, dependencies=[PUBLIC])
async def open_link(token: str, services: PasswordDep) -> Response:
    """Move the token from the address into a cookie that scripts cannot read."""
    response = RedirectResponse("/contrasena", status_code=HTTPStatus.SEE_OTHER)
    services.cookies.set(response, _COOKIE, token[:_LONGEST_TOKEN], max_age=_COOKIE_SECONDS)
    return response


def _is_drawn_for(form: FormData, link_id: uuid.UUID) -> bool:
    """Whether a form was drawn for this link.

    Another tab may have changed the cookie since.
    """
    return form.get("enlace") == str(link_id)


def _errors(policy: PasswordPolicy, owner: PasswordOwner, password: str, confirmation: str) -> dict[str, str]:
    errors: dict[str, str] = {}
    context = PasswordContext(login=owner.login, full_name=owner.full_name)
    if not password:
        errors["contrasena"] = "Escriba la contraseña"
    elif unmet := unmet_rules(password, policy, context):
        errors["contrasena"] = told(unmet, password, context)
    if not confirmation:
        errors["confirmacion"] = "Escriba otra vez la contraseña"
    elif password and password != confirmation:
        errors["confirmacion"] = PASSWORDS_DIFFER
    return errors


def _again(request: Request, services: PasswordServices, errors: Mapping[str, str]) -> Response:
    return services.answers.lead_back(request, FormAnswer(page="/contrasena", errors=errors))


def _to_link() -> Response:
    """Lead to the page that says why the link is of no use."""
    return RedirectResponse("/contrasena", status_code=HTTPStatus.SEE_OTHER)


def _recovery_again(
    request: Request,
    services: PasswordServices,
    captcha: FormCaptcha,
    typed: Mapping[str, str],
    errors: Iterable[FieldError] = (),
) -> Response:
    answer = FormAnswer(
        page="/contrasena/recuperar", typed=typed, errors=by_field(errors), captcha=captcha.to_show
    )
    return services.answers.lead_back(request, answer)


async def _unusable(request: Request, services: PasswordServices, token: str, client: str) -> Response:
    """Show why the link is of no use, and the way on from there."""
    link = await services.links.link(token)
    if request.method not in _WITHOUT_EFFECTS:
        await _note_look(services, link.state, token, client)
    renewable = link.state is LinkState.EXPIRED and await services.links.renewal_of(token) is not None
    owner = await services.links.owner_of(token, state=LinkState.USED)
    return services.pages.render(
        request,
        "link_unusable",
        status=_STATUS[link.state],
        link=link,
        renewable=renewable,
        doors=(owner and owner.applications) or tuple(Application),
    )


async def _note_look(services: PasswordServices, state: LinkState, token: str, client: str) -> None:
    """What a look at a link does beside showing it."""
    if state is LinkState.USED:
        await _announce_again(services, token, client)
    if token and state is LinkState.UNKNOWN:
        await services.throttle.count(WRONG_LINKS, client)


async def _announce_again(services: PasswordServices, token: str, client: str) -> None:
    """Signal again: after a lost answer, a person opens the used link once more."""
    # Every look shows the page, but only some looks a minute send signals.
    with suppress(TooManyRequestsError):
        await services.throttle.count(ANNOUNCEMENTS, client)
        if owner := await services.links.owner_of(token, state=LinkState.USED):
            await services.act.announce_again(owner)
