"""What support reads at the top of a registration in the Temporal UI. Nothing personal."""

from datetime import datetime

from mipres.domain.eligibility import BOGOTA
from mipres.domain.outcomes import Stage

_STAGES = {
    Stage.CHECKING: "Verificando los datos en los registros",
    Stage.WAITING_REGISTRY: "Esperando a un registro que no responde",
    Stage.AWAITING_PASSWORD: "Enlace enviado; esperando que la persona cree la contraseña",
    Stage.COMPLETED: "Registro completo",
    Stage.REFUSED: "Registro no procedente según los registros",
    Stage.EXPIRED: "Vencido sin terminar; la persona puede registrarse de nuevo",
    Stage.CANCELLED: "Cancelado por soporte",
}
_WAITING = {
    "mail": "el servidor de correo",
    "database": "la base de datos de cuentas",
}
_WHAT_SUPPORT_CAN_DO = (
    "Se reintenta solo. Soporte: revise *Pending Activities*; allí están los intentos y el último error."
)


def details_of(stage: Stage, waiting_on: str | None, since: datetime) -> str:
    """Markdown for `set_current_details`."""
    lines = [f"**{_STAGES[stage]}**", f"Desde: {since.astimezone(BOGOTA):%Y-%m-%d %H:%M} (hora de Colombia)"]
    if waiting_on:
        lines += [f"Espera a: **{_WAITING.get(waiting_on, waiting_on)}**", _WHAT_SUPPORT_CAN_DO]
    return "\n\n".join(lines)
