"""Decide what the status page shows at each stage, without any HTML."""

from dataclasses import dataclass
from enum import StrEnum

from api.registrations.ask import RegistrationView
from mipres.domain import sentences
from mipres.domain.applications import Application, application_of
from mipres.domain.remedies import Explanation, explain
from mipres.domain.stages import WAITING_FOR_CITIZENS, Stage, WaitingOn
from mipres.domain.submissions import UserType
from mipres.mail.dates import long_date_time


class StepState(StrEnum):
    """How far a step is. Values are names of the style sheet."""

    DONE = "done"
    CURRENT = "current"
    PENDING = "pending"
    NEVER = "never"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a registration: what happens, how far it is, and since when."""

    label: str
    state: StepState
    detail: str | None = None
    time: str | None = None


@dataclass(frozen=True, kw_only=True)
class Notice:
    """Why a registration stands still, where no step can say it."""

    title: str
    text: str


@dataclass(frozen=True, kw_only=True)
class StatusPage:
    """The status page of one registration.

    Attributes:
        procedure_step: The stage of the procedure as a whole, 1 to 4.
        can_stop_watching: Whether the person waits for a registry by choice, and may end that.
        can_wait: Whether the person may begin to.
        can_resend: Whether a run is there to send another link.
        is_mail_held: Whether the mail with the link could not be delivered yet.
        refresh_seconds: How often the page looks for changes; None where nothing changes any more.
        login: Where the person logs in, once the registration is complete.
        register_again: The form for another attempt.
        refusal: Why it was refused, for the browser that sent the form and no other.
    """

    radicado: str
    procedure_step: int
    steps: tuple[Step, ...]
    notice: Notice | None
    can_stop_watching: bool
    can_wait: bool
    can_resend: bool
    is_mail_held: bool
    refresh_seconds: int | None
    login: Application | None
    register_again: str
    can_register_again: bool
    refusal: Explanation | None


REFRESH_SECONDS = 10
_STILL_TRYING = "Esperamos a que responda {}. Seguimos intentando; no tiene que repetir el registro."
_WATCHING = (
    "{} todavía no lo incluye. Consultamos cada día; cuando aparezca, terminamos su registro y le enviamos el enlace "
    f"a su correo. {sentences.NOTHING_TO_DO} más."
)
_WATCHED = {UserType.PROFESSIONAL: "ReTHUS", UserType.SOCIAL_SERVICE: "El aplicativo SSO"}
_REFUSED = "La verificación no fue favorable."
_REFUSED_UNTOLD = f"{_REFUSED} Repita el registro para ver el motivo y qué hacer."
_GIVEN_UP = (
    "Un sistema que necesitamos no respondió en siete días, y dejamos de intentar. "
    f"{sentences.NO_REFUSAL} Soporte ya está avisado; por favor repita el registro."
)
_LINK_SENT = (
    "Le enviamos el enlace al correo que figura en www.miseguridadsocial.gov.co{}. Abra «AQUÍ» en el mensaje y cree "
    "su contraseña."
)
_WORKS_UNTIL = "; sirve hasta el {}"
_ADDRESS_REJECTED = (
    "El servidor de correo rechaza la dirección que figura en www.miseguridadsocial.gov.co. Corríjala allí y después "
    f"oprima «{sentences.RESEND_LINK}»: consultamos de nuevo la dirección."
)
_MAIL_DELAYED = "No hemos podido entregar el correo todavía; seguimos intentando."
_LINK_EXPIRED = "El enlace venció sin usarse. Repita el registro para recibir otro."
_READY = "Ya puede ingresar con su usuario y contraseña."

_CANCELLED = Notice(
    title="El registro fue cancelado", text="Soporte canceló este registro. Puede registrarse de nuevo."
)
_EXPIRED = Notice(title="El registro venció", text=f"Venció sin terminar. {sentences.REGISTER_AGAIN}")
_INTERRUPTED = Notice(
    title="El registro se interrumpió",
    text=f"No terminó por una falla nuestra, no por sus datos, y no va a continuar. {sentences.REGISTER_AGAIN}",
)
_INTERRUPTED_WITH_LINK = Notice(
    title="El registro se interrumpió",
    text="Su cuenta ya está creada y el enlace que recibió todavía sirve. Si no lo encuentra, regístrese de nuevo y "
    "recibirá otro.",
)


def status_page(view: RegistrationView, *, sent_here: bool = False) -> StatusPage:
    """Decide everything that the status page shows of a registration.

    Only the browser that sent the form (`sent_here`) learns why a registration was refused.
    """
    refusal = refusal_of(view) if sent_here else None
    user_type = view.user_type
    login = application_of(user_type) if user_type else Application.MIPRES
    return StatusPage(
        radicado=view.radicado,
        # Of the four stages that every procedure of the State has.
        procedure_step=4 if view.stage.has_ended or view.stage is Stage.AWAITING_PASSWORD else 3,
        steps=timeline(view, is_refusal_told=refusal is not None),
        notice=notice(view),
        can_stop_watching=view.stage is Stage.WATCHING,
        can_wait=refusal is not None and view.outcome is not None and view.outcome.may_wait,
        can_resend=view.stage is Stage.AWAITING_PASSWORD and not view.was_cut_off,
        is_mail_held=view.stage is Stage.AWAITING_PASSWORD and bool(view.waiting_on),
        # Who waits by choice waits for days.
        refresh_seconds=(None if view.stage.has_ended or view.stage is Stage.WATCHING else REFRESH_SECONDS),
        login=login if view.stage is Stage.COMPLETED else None,
        register_again=f"/registro/{user_type.slug}" if user_type else "/",
        can_register_again=view.was_cut_off or view.stage.has_ended,
        refusal=refusal,
    )


def refusal_of(view: RegistrationView) -> Explanation | None:
    """Why a registration was refused, where its run can tell."""
    if view.stage is not Stage.REFUSED or not view.outcome or not view.outcome.refusal:
        return None
    return explain(view.outcome.refusal, view.user_type, may_wait=view.outcome.may_wait)


def notice(view: RegistrationView) -> Notice | None:
    """Say that the registration stopped before its end, and who or what stopped it."""
    match view.stage:
        case Stage.CANCELLED:
            return _INTERRUPTED if view.was_cut_off else _CANCELLED
        case Stage.AWAITING_PASSWORD if view.was_cut_off:
            return _INTERRUPTED_WITH_LINK
        case Stage.EXPIRED if not view.is_outcome_known:
            return _EXPIRED
    return None


def timeline(view: RegistrationView, *, is_refusal_told: bool) -> tuple[Step, ...]:
    """Make the four steps of a registration."""
    return (
        Step(label="Registro recibido", state=StepState.DONE, time=long_date_time(view.submitted_at)),
        verification_step(view, is_refusal_told=is_refusal_told),
        password_step(view),
        completion_step(view),
    )


def verification_step(view: RegistrationView, *, is_refusal_told: bool) -> Step:
    state, detail, time = StepState.DONE, None, None
    match view.stage:
        case Stage.CHECKING | Stage.WAITING_REGISTRY:
            state = StepState.CURRENT
            if view.waiting_on:
                waiting_on = ", ".join(WAITING_FOR_CITIZENS[what] for what in view.waiting_on)
                detail, time = _STILL_TRYING.format(waiting_on), _since(view)
        case Stage.WATCHING:
            state, detail = StepState.CURRENT, _watching(view)
        case Stage.REFUSED:
            state, detail = StepState.FAILED, _REFUSED if is_refusal_told else _REFUSED_UNTOLD
        case Stage.EXPIRED if view.is_outcome_known and not view.outcome:
            state, detail = StepState.FAILED, _GIVEN_UP
        case Stage.CANCELLED | Stage.EXPIRED if not view.outcome:
            state = StepState.NEVER
    return Step(label="Verificación en los registros del Estado", state=state, detail=detail, time=time)


def _watching(view: RegistrationView) -> str:
    registry = _WATCHED.get(view.user_type) if view.user_type else None
    until = f" Esperamos hasta el {long_date_time(view.watched_until)}." if view.watched_until else ""
    return _WATCHING.format(registry or "El registro del Estado") + until


def _not_yet(view: RegistrationView) -> StepState:
    """What is not done yet is still to come, or never comes."""
    return StepState.NEVER if view.stage.has_ended else StepState.PENDING


def password_step(view: RegistrationView) -> Step:
    state, detail, time = _not_yet(view), None, None
    match view.stage:
        case Stage.COMPLETED:
            state = StepState.DONE
        case Stage.EXPIRED if view.outcome:
            state, detail = StepState.FAILED, _LINK_EXPIRED
        case Stage.AWAITING_PASSWORD:
            state, detail = StepState.CURRENT, _link(view)
            time = _since(view) if view.waiting_on else None
    return Step(label="Envío del enlace y creación de la contraseña", state=state, detail=detail, time=time)


def _link(view: RegistrationView) -> str:
    if WaitingOn.MAIL_ADDRESS in view.waiting_on:
        return _ADDRESS_REJECTED
    if view.waiting_on:
        return _MAIL_DELAYED
    until = _WORKS_UNTIL.format(long_date_time(view.link_expires_at)) if view.link_expires_at else ""
    return _LINK_SENT.format(until)


def completion_step(view: RegistrationView) -> Step:
    label = "Registro completo"
    if view.stage is not Stage.COMPLETED:
        return Step(label=label, state=_not_yet(view))
    # When a run was cut off says nothing about when the person set the password.
    time = None if view.was_cut_off else long_date_time(view.updated_at)
    return Step(label=label, state=StepState.DONE, detail=_READY, time=time)


def _since(view: RegistrationView) -> str:
    return f"Desde el {long_date_time(view.updated_at)}"
