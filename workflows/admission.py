"""When an update may be sent to a registration.

Its validators raise what stands here.
"""

from datetime import datetime, timedelta

from temporalio.exceptions import ApplicationError

from mipres.domain.identifiers import visible
from mipres.domain.stages import Stage
from mipres.temporal import names
from workflows import policies, resending
from workflows.contract import RegistrationState

_TOO_SOON = "Espere para pedir otro enlace"


def require_reason(reason: object) -> None:
    """Refuse an update without a reason that can be read.

    Updates take any value, or none, because the SDK would answer another one with the names of Python's types.
    """
    if not isinstance(reason, str) or not visible(reason):
        raise ApplicationError("Escriba el motivo", type=names.REASON_MISSING)


def resend_problem(state: RegistrationState, now: datetime) -> ApplicationError | None:
    """Why no other link can be sent now; the error's detail is the wait in seconds."""
    if state.stage is not Stage.AWAITING_PASSWORD:
        return ApplicationError("Este registro no espera contraseña", type=names.WRONG_STAGE)
    wait = resending.wait(state.links_sent_at, now=now)
    if wait > timedelta(0):
        seconds = int(wait.total_seconds()) + 1
        said = "Ya se enviaron los enlaces de un día" if resending.is_of_the_day(wait) else _TOO_SOON
        return ApplicationError(said, seconds, type=names.TOO_SOON)
    return None


def may_look_at_address(state: RegistrationState, now: datetime) -> bool:
    """Whether registering again asks for the address, though no link is due.

    A double press is no correction.
    """
    last = max((moment for moment in (state.looked_at, *state.links_sent_at) if moment), default=now)
    return state.stage is Stage.AWAITING_PASSWORD and now - last >= policies.ADDRESS_LOOK_PAUSE


def nothing_to_retry() -> ApplicationError:
    return ApplicationError("Este registro no espera ningún reintento", type=names.WRONG_STAGE)


def not_watching() -> ApplicationError:
    return ApplicationError("Este registro no espera a que un registro lo incluya", type=names.WRONG_STAGE)


def already_ended() -> ApplicationError:
    return ApplicationError("Este registro ya terminó", type=names.WRONG_STAGE)
