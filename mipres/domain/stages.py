"""Where a registration stands and what it waits for, with the only words for each.

Staff's, citizens', the engine's.
"""

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """Where a registration stands.

    Values are those of the JSON API and of RegistrationStage.
    """

    CHECKING = "checking"
    WAITING_REGISTRY = "waiting_registry"
    WATCHING = "watching"
    AWAITING_PASSWORD = "awaiting_password"  # noqa: S105 - the name of a stage, no secret.
    COMPLETED = "completed"
    REFUSED = "refused"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def has_ended(self) -> bool:
        return self in _ENDED


_ENDED = frozenset({Stage.COMPLETED, Stage.REFUSED, Stage.EXPIRED, Stage.CANCELLED})
OPEN_STAGES = tuple(stage for stage in Stage if not stage.has_ended)


class WaitingOn(StrEnum):
    """What a registration can wait for.

    Values are those of the JSON API and of WaitingOn.
    """

    MISEGURIDADSOCIAL = "miseguridadsocial"
    RETHUS = "rethus"
    SSO = "sso"
    DATABASE = "database"
    MAIL = "mail"
    MAIL_ADDRESS = "mail_address"

    @property
    def is_registry(self) -> bool:
        return self in REGISTRIES


REGISTRIES = (WaitingOn.MISEGURIDADSOCIAL, WaitingOn.RETHUS, WaitingOn.SSO)


class EngineState(StrEnum):
    """What Temporal itself says of a run, by the names of its API."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    TERMINATED = "TERMINATED"
    CONTINUED_AS_NEW = "CONTINUED_AS_NEW"
    TIMED_OUT = "TIMED_OUT"
    PAUSED = "PAUSED"
    UNKNOWN = "UNKNOWN"

    @property
    def is_open(self) -> bool:
        """Whether the server still holds the run and will go on with it."""
        return self in {self.RUNNING, self.PAUSED}

    @property
    def was_cut_off(self) -> bool:
        """Whether the run ended without reaching an end of its own."""
        return self in {self.FAILED, self.CANCELED, self.TERMINATED, self.TIMED_OUT}


@dataclass(frozen=True, kw_only=True)
class StageWords:
    """How staff read a stage.

    One or two words in lists, a sentence at the top of a page.
    """

    label: str
    sentence: str


STAGES_FOR_STAFF = {
    Stage.CHECKING: StageWords(label="verificando", sentence="Verificando los datos en los registros"),
    Stage.WAITING_REGISTRY: StageWords(
        label="esperando un registro", sentence="Esperando de un registro una respuesta que sirva"
    ),
    Stage.WATCHING: StageWords(
        label="espera aparecer en un registro",
        sentence="La persona decidió esperar a que el registro la incluya",
    ),
    Stage.AWAITING_PASSWORD: StageWords(
        label="esperando la contraseña",
        sentence="Registro creado; falta que la persona cree la contraseña",
    ),
    Stage.COMPLETED: StageWords(label="completo", sentence="Registro completo"),
    Stage.REFUSED: StageWords(label="no procedente", sentence="Registro no procedente según los registros"),
    Stage.EXPIRED: StageWords(label="vencido", sentence="Vencido sin terminar"),
    Stage.CANCELLED: StageWords(label="cancelado", sentence="Cancelado por soporte"),
}
WAITING_FOR_STAFF = {
    WaitingOn.MISEGURIDADSOCIAL: "miseguridadsocial",
    WaitingOn.RETHUS: "ReTHUS",
    WaitingOn.SSO: "SSO",
    WaitingOn.DATABASE: "la base de datos",
    WaitingOn.MAIL: "el servidor de correo",
    WaitingOn.MAIL_ADDRESS: "una dirección de correo que sirva",
}
WAITING_FOR_CITIZENS = {
    WaitingOn.MISEGURIDADSOCIAL: "miseguridadsocial",
    WaitingOn.RETHUS: "ReTHUS",
    WaitingOn.SSO: "SSO",
    WaitingOn.DATABASE: "el sistema de cuentas",
    WaitingOn.MAIL: "el servidor de correo",
    WaitingOn.MAIL_ADDRESS: "la dirección de correo",
}
ENGINE_FOR_STAFF = {
    EngineState.RUNNING: "en curso",
    EngineState.COMPLETED: "terminado",
    EngineState.FAILED: "fallido",
    EngineState.CANCELED: "cancelado en Temporal",
    EngineState.TERMINATED: "interrumpido en Temporal",
    EngineState.CONTINUED_AS_NEW: "sigue en otra ejecución",
    EngineState.TIMED_OUT: "fuera de plazo",
    EngineState.PAUSED: "en pausa",
    EngineState.UNKNOWN: "desconocido",
}


def state_for_staff(engine: EngineState, stage: Stage | None) -> str:
    """The state of a run in few words.

    Its stage, unless Temporal stopped the run before the stage's end.
    """
    if stage is None:
        return ENGINE_FOR_STAFF[engine]
    label = STAGES_FOR_STAFF[stage].label
    stopped = engine.was_cut_off or engine is EngineState.PAUSED
    return f"{ENGINE_FOR_STAFF[engine]} ({label})" if stopped and not stage.has_ended else label
