"""Explain one registration to support: why it stands, what to do, what applies."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from api.pages.timeline import Notice, Step, refusal_of, timeline
from api.pages.timeline import notice as notice_of
from api.registrations.ask import RegistrationView
from mipres.domain import sentences
from mipres.domain.remedies import Explanation
from mipres.domain.stages import REGISTRIES, STAGES_FOR_STAFF, WAITING_FOR_STAFF, Stage, WaitingOn
from mipres.support.desk import Action, Case

CHOICES = {
    "reintentar": (Action.RETRY, "Reintentar ya lo que espera"),
    "reenviar": (Action.RESEND, "Enviar otro enlace"),
}
"""What the form of a registration offers, as far as it applies."""
_AT_STAGE = {
    Stage.CHECKING: "Esto dura segundos. Si dura más de un minuto, avise a operaciones: puede que no corra ningún proceso.",
    Stage.WATCHING: sentences.NOT_STUCK_BUT_WATCHING,
    Stage.AWAITING_PASSWORD: "La persona debe abrir el enlace del correo. Si no lo encuentra, que busque en correo no deseado; si el correo ya no es el suyo, que lo corrija en miseguridadsocial. Después envíe otro enlace.",
    Stage.COMPLETED: f"{sentences.NOTHING_LEFT} Si la persona no recuerda la contraseña, que la recupere en la página de ingreso.",
    Stage.REFUSED: sentences.REGISTRIES_DECIDED,
    Stage.EXPIRED: f"{sentences.PERSON_MAY_REGISTER_AGAIN}; recibirá otro enlace.",
    Stage.CANCELLED: f"{sentences.PERSON_MAY_REGISTER_AGAIN}.",
}
_WHEN_WAITING = {
    **{
        registry: f"Se reintenta solo durante siete días. Si dura, avise a la entidad que opera {WAITING_FOR_STAFF[registry]} y dígale lo que va entre paréntesis; cuando responda bien, todo sigue solo."
        for registry in REGISTRIES
    },
    WaitingOn.MAIL: "El servidor de correo no recibe. Avise a operaciones; cuando vuelva, el enlace sale solo.",
    WaitingOn.DATABASE: "La base de datos no responde. Avise a operaciones; cuando vuelva, todo sigue solo.",
    WaitingOn.MAIL_ADDRESS: "El servidor rechazó la dirección de la persona. Pídale que corrija su correo en miseguridadsocial y después envíe otro enlace: se consulta la dirección otra vez.",
}
_GIVEN_UP = "Se reintentó durante siete días y nadie reparó lo que faltaba. Cuando vuelva, la persona debe registrarse de nuevo."
_CUT_OFF = "Se interrumpió en Temporal y no va a continuar: la persona debe registrarse de nuevo."
_LINK_EXPIRED = "El enlace enviado ya venció: envíe otro. Si la persona no encontró el correo, que busque en correo no deseado; si el correo ya no es el suyo, que lo corrija antes en miseguridadsocial."
_RECOVERY = "Es una recuperación de contraseña. Si el correo cambió en miseguridadsocial, el enlace espera a que la persona pueda detener el cambio; nadie acorta esa espera."


@dataclass(frozen=True, kw_only=True)
class CaseExplanation:
    """Why a registration stands where it does, beside what its person sees.

    Attributes:
        choices: What the form offers: value and label of each.
        resend_at: From when another link may be sent, where that is still to come.
        can_cancel: Whether a cancellation applies.
        steps: The steps of the person's status page; none for a recovery.
    """

    sentence: str
    advice: str
    choices: tuple[tuple[str, str], ...]
    can_cancel: bool
    resend_at: datetime | None = None
    refusal: Explanation | None = None
    steps: tuple[Step, ...] = ()
    notice: Notice | None = None


def explain_case(
    case: Case, view: RegistrationView | None, *, now: datetime, link_expires_at: datetime | None = None
) -> CaseExplanation:
    """Explain a registration.

    Args:
        case: What the engine says.
        view: What its person sees, if there is such a page.
        now: Judges what has expired, and what may be sent again.
        link_expires_at: Until when the newest link opens something.
    """
    link_has_expired = link_expires_at is not None and link_expires_at <= now
    resend_at = view.resend_at if view and view.resend_at and view.resend_at > now else None
    awaits_password = case.stage is Stage.AWAITING_PASSWORD and not case.waiting_on and case.is_running
    return CaseExplanation(
        sentence=STAGES_FOR_STAFF[case.stage].sentence if case.stage else "Recuperación de contraseña",
        advice=_LINK_EXPIRED if awaits_password and link_has_expired else _advice(case),
        choices=tuple(
            (value, label)
            for value, (action, label) in CHOICES.items()
            if _applies(action, case) and not (action is Action.RESEND and resend_at)
        ),
        resend_at=_on_the_minute(resend_at) if resend_at and awaits_password else None,
        can_cancel=_applies(Action.CANCEL, case),
        refusal=refusal_of(view) if view else None,
        steps=timeline(view, is_refusal_told=True) if view else (),
        notice=notice_of(view) if view else None,
    )


def _on_the_minute(moment: datetime) -> datetime:
    """The next whole minute: pages say no seconds, and it must be true by then."""
    return moment.replace(second=0, microsecond=0) + timedelta(minutes=1)


def _advice(case: Case) -> str:
    if case.stage is None:
        return _RECOVERY
    if case.status.was_cut_off:
        return _CUT_OFF
    if case.waiting_on:
        return _GIVEN_UP if case.stage.has_ended else _WHEN_WAITING[case.waiting_on[0]]
    return _AT_STAGE[case.stage]


def _applies(action: Action, case: Case) -> bool:
    """Whether an action fits; the registration itself decides again when it gets it."""
    if not case.is_running or case.stage is None or case.stage.has_ended:
        return False
    match action:
        case Action.RETRY:
            return bool(case.pending)
        case Action.RESEND:
            return case.stage is Stage.AWAITING_PASSWORD
        case Action.CANCEL:
            return True
