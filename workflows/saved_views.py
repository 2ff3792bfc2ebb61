"""Ready searches of Temporal's interface: what support looks for, as a query."""

from dataclasses import dataclass
from datetime import UTC, datetime, time

from mipres.domain import sentences
from mipres.domain.eligibility import BOGOTA
from mipres.domain.stages import WAITING_FOR_STAFF, Stage, WaitingOn
from mipres.temporal import names


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
            query=names.STUCK,
        ),
        *(waiting_view(what) for what in WaitingOn),
        SavedView(
            key="link-unused",
            title="Enlace enviado y sin usar",
            query=names.running_in(Stage.AWAITING_PASSWORD),
        ),
        SavedView(
            key="watching",
            title="Esperan por decisión propia a aparecer en un registro",
            query=names.running_in(Stage.WATCHING),
        ),
        SavedView(
            key="refused-today",
            title="Rechazados hoy",
            query=names.closed_in(Stage.REFUSED, since=_midnight(now)),
        ),
        SavedView(
            key="cut-off",
            title="Interrumpidos: fallaron o se detuvieron y la persona aún espera",
            query=names.CUT_OFF,
        ),
        SavedView(
            key="given-up",
            title="Abandonados: lo que esperaban no se arregló en varios días",
            query=names.GIVEN_UP,
        ),
        SavedView(
            key="review-stopped",
            title=sentences.REVIEW_STOPPED,
            query=names.STOPPED_REVIEWS,
        ),
        SavedView(
            key="paused",
            title="En pausa por soporte",
            query=names.PAUSED,
        ),
        SavedView(
            key="broken-code",
            title="Código roto: el programa no puede seguir la historia",
            query=names.BROKEN_CODE,
        ),
    )


def waiting_view(waiting_on: WaitingOn) -> SavedView:
    """The registrations that wait for one thing."""
    return SavedView(
        key=f"waiting-{waiting_on.replace('_', '-')}",
        title=f"Esperan a {WAITING_FOR_STAFF[waiting_on]}".replace(" a el ", " al "),
        query=names.waiting_for(waiting_on),
    )


def _midnight(now: datetime) -> datetime:
    today = now.astimezone(BOGOTA).date()
    return datetime.combine(today, time(), BOGOTA).astimezone(UTC)
