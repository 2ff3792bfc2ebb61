"""What support reads at the top of a workflow in the Temporal UI.

Where it stands and what can be done.

Nothing personal. These words are no commands: they may change while registrations are under way.
"""

from datetime import datetime

from mipres.domain import sentences
from mipres.domain.eligibility import BOGOTA
from mipres.domain.review import ReviewStage
from mipres.domain.stages import (
    ENGINE_FOR_STAFF,
    REGISTRIES,
    STAGES_FOR_STAFF,
    WAITING_FOR_STAFF,
    EngineState,
    Stage,
    WaitingOn,
)
from workflows.publishing import Position
from workflows.review_contract import ReviewState

_RETRIES = (
    "Se reintenta solo: primero a los pocos segundos, después cada 5 minutos, durante 7 días. "
    "Los intentos y el último error están en *Pending Activities*."
)
_RETRY = (
    'Reintentar ya: `python -m mipres.cli retry {radicado} --reason "…"`, o la actualización `retry_now`.'
)
_RESEND = 'Enviar otro enlace: `python -m mipres.cli resend {radicado} --reason "…"`, o la actualización `resend_link`.'
_CANCEL = (
    "Deshacer el registro para que la persona pueda empezar de nuevo: "
    '`python -m mipres.cli cancel {radicado} --reason "…"`, o la actualización `cancel_registration`.'
)
_AT_EACH_STAGE = {
    Stage.CHECKING: (
        "Esto dura segundos. Si dura más de un minuto, revise que haya un *worker* en marcha (pestaña *Workers*).",
    ),
    Stage.WATCHING: (
        sentences.NOT_STUCK_BUT_WATCHING,
        "Si la persona ya no quiere esperar, que lo diga en su página de estado, o use la actualización `stop_watching`.",
        _CANCEL,
    ),
    Stage.AWAITING_PASSWORD: (
        "Si no llegó el correo: que busque en correo no deseado y confirme en miseguridadsocial su dirección.",
        _RESEND,
        _CANCEL,
    ),
    Stage.COMPLETED: (
        f"{sentences.NOTHING_LEFT} Si la persona no recuerda la clave, que la recupere en la página.",
    ),
    Stage.REFUSED: (sentences.REGISTRIES_DECIDED,),
    Stage.EXPIRED: (f"{sentences.PERSON_MAY_REGISTER_AGAIN}; recibirá otro enlace.",),
    Stage.CANCELLED: (f"{sentences.PERSON_MAY_REGISTER_AGAIN}.",),
}
_WHEN_WAITING = {
    **{
        registry: (
            _RETRY,
            f"Si dura, avise a quien opera {WAITING_FOR_STAFF[registry]}; cuando vuelva, todo sigue solo.",
            _CANCEL,
        )
        for registry in REGISTRIES
    },
    WaitingOn.MAIL: (
        "Revise el servidor de correo (`MIPRES_SMTP_URL`); cuando vuelva, todo sigue solo.",
        _RETRY,
    ),
    WaitingOn.DATABASE: (
        "Revise PostgreSQL (`/health/dependencies` de la API); cuando vuelva, todo sigue solo.",
        _RETRY,
    ),
    WaitingOn.MAIL_ADDRESS: (
        "La persona corrige su correo en miseguridadsocial; con el próximo enlace se consulta otra vez.",
        _RESEND,
        _CANCEL,
    ),
}
_ADDRESS_WAITS = (
    "**Recuperación de contraseña en espera: el correo cambió en miseguridadsocial**\n\n"
    "El enlace sale al correo nuevo desde: **{until}**\n\n"
    "Al correo anterior se le avisó, y desde allí la persona puede detener el cambio. "
    f"{sentences.SUPPORT_CUTS_NO_WAIT} Protege a la persona si otro cambió su correo."
)
LOCK_NOTICE = (
    "**Aviso de que un ingreso se bloqueó**\n\nSi el documento tiene cuenta, se envía un correo; si no, nada. "
    f"{sentences.TRIED_FOR_A_DAY}"
)
CANCELLED_NOTICE = (
    "**Aviso de que soporte canceló un registro**\n\nSe envía un correo a la persona. "
    f"{sentences.TRIED_FOR_A_DAY}"
)
FACTOR_RESET = (
    f"**{sentences.FACTOR_RESET}**\n\nPrimero se avisa a la persona; desde ese aviso corren 24 horas en las que lo "
    f"puede detener. Después se quita su segundo factor y se cierran sus sesiones. {sentences.SUPPORT_CUTS_NO_WAIT} "
    "Para cancelarlo use la página de la cuenta en /soporte."
)
RETENTION = (
    "**Depuración de lo que venció**\n\nCorre cada hora. Si espera, revise PostgreSQL; "
    "la siguiente recupera lo que esta no alcance."
)
BACKCHANNEL_LOGOUTS = (
    f"**{sentences.BACKCHANNEL_LOGOUTS}**\n\nCorre cada minuto: a cada aplicación le dice qué sesiones terminaron. "
    "Si espera, la aplicación que nombra *Pending Activities* no responde; avise a quien la opera."
)
ACCESS_NOTICES = (
    f"**{sentences.ACCESS_NOTICES}**\n\nCorre cada minuto y envía los correos pendientes. "
    "Si espera, revise el servidor de correo; soporte no tiene que hacer nada más."
)


_AT_EACH_STAGE_OF_A_REVIEW = {
    ReviewStage.REVIEWING: (
        "**Revisión de accesos en curso**",
        f"Compara cada perfil en uso con su registro, despacio y detrás de quienes se registran. {sentences.NOTHING_FOR_SUPPORT}",
    ),
    ReviewStage.STOPPED: (
        f"**{sentences.REVIEW_STOPPED}**",
        "Retiraría más accesos de lo normal y no ha retirado ninguno de los que detuvo. Pregunte a quien opera el registro si perdió datos.",
        f'{sentences.IF_DATA_ARE_TRUE} `python -m mipres.cli review go-on --reason "…"`, o la actualización `go_on`.',
        f'{sentences.IF_DATA_ARE_LOST} `python -m mipres.cli review abandon --reason "…"`, o la actualización `abandon`. {sentences.NEXT_REVIEW_ASKS}',
        "Paso a paso: docs/support.md, «A review of access was stopped».",
    ),
    ReviewStage.REVIEWED: ("**Revisión de accesos terminada**",),
    ReviewStage.ABANDONED: (
        "**Revisión de accesos abandonada por soporte**",
        f"No retiró lo que el freno detuvo. {sentences.NEXT_REVIEW_ASKS}",
    ),
}


def review_details(state: ReviewState) -> str:
    """Markdown for a review: where it stands, and what it found by registry."""
    lines = [*_AT_EACH_STAGE_OF_A_REVIEW[state.stage]]
    for registry, tally in state.tallies.items():
        lines.append(
            f"{WAITING_FOR_STAFF[WaitingOn(registry)]}: {tally.looked} revisados, {tally.closing} por cerrar o cerrados, "
            f"{tally.changed} con otro cambio, {tally.unclear} sin respuesta clara"
        )
    if state.left_out:
        named = ", ".join(WAITING_FOR_STAFF[registry] for registry in state.left_out)
        lines.append(f"Sin respuestas claras, queda para la próxima revisión: {named}")
    return "\n\n".join(lines)


def registration_details(radicado: str, position: Position, since: datetime) -> str:
    """Markdown for a registration.

    Args:
        radicado: For the commands that support can copy.
        position: Where it stands; its stage is known.
        since: When it came there.
    """
    stage, waiting_on = position.stage or Stage.CHECKING, position.waiting_on
    lines = [f"**{STAGES_FOR_STAFF[stage].sentence}**", f"Desde: {_local(since)}"]
    advice = _AT_EACH_STAGE.get(stage, ())
    if waiting_on and stage.has_ended:
        lines.append(f"Quedó sin terminar por: **{WAITING_FOR_STAFF[waiting_on]}**")
    elif waiting_on:
        lines += _waiting(waiting_on, position.stuck_since)
        advice = _WHEN_WAITING[waiting_on]
    lines.append("**Qué puede hacer soporte**")
    lines.append("\n".join(f"- {line.format(radicado=radicado)}" for line in advice))
    return "\n\n".join(lines)


def recovery_details(position: Position, *, link_sent: bool, waits_until: datetime | None = None) -> str:
    """Markdown for a recovery of a password.

    Args:
        position: What it waits for, if anything is down.
        link_sent: Whether a link was mailed.
        waits_until: The end of the wait for a change of address.
    """
    if position.waiting_on:
        waiting = _waiting(position.waiting_on, position.stuck_since)
        return "\n\n".join(["**Recuperación de contraseña detenida**", *waiting])
    if waits_until:
        return _ADDRESS_WAITS.format(until=_local(waits_until))
    running = ENGINE_FOR_STAFF[EngineState.RUNNING]
    stage = f"{running}; el enlace dura 30 minutos" if link_sent else running
    return f"**Recuperación de contraseña {stage}**\n\n{sentences.NOTHING_FOR_SUPPORT}"


def _waiting(waiting_on: WaitingOn, stuck_since: datetime | None) -> list[str]:
    lines = [f"Espera a: **{WAITING_FOR_STAFF[waiting_on]}**"]
    if stuck_since:
        lines.append(f"Atascado desde: {_local(stuck_since)}")
    return lines if waiting_on is WaitingOn.MAIL_ADDRESS else [*lines, _RETRIES]


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(BOGOTA):%Y-%m-%d %H:%M} (hora de Colombia)"
