"""Ready searches of Temporal's interface: what support looks for, as a query."""

from dataclasses import dataclass
from datetime import UTC, datetime, time

from mipres.domain.eligibility import BOGOTA
from workflows.contract import MAIL_ADDRESS, REGISTRIES
from workflows.steps import DATABASE, MAIL

RUNNING = 'WorkflowType="Registration" AND ExecutionStatus="Running"'
STUCK = f"{RUNNING} AND StuckSince IS NOT NULL"
BROKEN_CODE = "TemporalReportedProblems IS NOT NULL"
_WAITING_TITLES = {
    **{registry: f"Esperan a {registry}" for registry in REGISTRIES},
    DATABASE: "Esperan a la base de datos",
    MAIL: "Esperan al servidor de correo",
    MAIL_ADDRESS: "El servidor de correo rechaza la dirección de la persona",
}


@dataclass(frozen=True, kw_only=True)
class SavedView:
    """One search.

    Attributes:
        key: Stable name, for links and tests.
        title: What support reads, in Spanish.
        query: A list filter of Temporal's visibility.
    """

    key: str
    title: str
    query: str


def saved_views(now: datetime) -> tuple[SavedView, ...]:
    """Every view; `now` decides which day today is in Colombia."""
    return (
        SavedView(
            key="stuck",
            title="Atascados ahora (esperan hace más de 10 minutos)",
            query=STUCK,
        ),
        *(waiting_view(name) for name in _WAITING_TITLES),
        SavedView(
            key="link-unused",
            title="Enlace enviado y sin usar",
            query=f'{RUNNING} AND RegistrationStage="awaiting_password"',
        ),
        SavedView(
            key="refused-today",
            title="Rechazados hoy",
            query=f'WorkflowType="Registration" AND RegistrationStage="refused" AND CloseTime >= "{_midnight(now)}"',
        ),
        SavedView(
            key="paused",
            title="En pausa por soporte",
            query="TemporalPauseInfo IS NOT NULL",
        ),
        SavedView(
            key="broken-code",
            title="Código roto: el programa no puede seguir la historia",
            query=BROKEN_CODE,
        ),
    )


def waiting_view(waiting_on: str) -> SavedView:
    """The registrations that wait for one thing, by its name in WaitingOn."""
    return SavedView(
        key=f"waiting-{waiting_on.replace('_', '-')}",
        title=_WAITING_TITLES[waiting_on],
        query=f'{RUNNING} AND WaitingOn="{waiting_on}"',
    )


def _midnight(now: datetime) -> str:
    today = now.astimezone(BOGOTA).date()
    return datetime.combine(today, time(), BOGOTA).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
