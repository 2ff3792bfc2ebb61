"""Ask the workflow, the server and the database where a registration stands."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from temporalio.client import Client, WorkflowHandle, WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.service import RPCError

from api.metrics import ApiMetrics, Fallback
from mipres.database.failures import DATABASE_ERRORS, database_fault
from mipres.database.standings import PostgresStandings
from mipres.domain.access import AccessState
from mipres.domain.outcomes import Outcome
from mipres.domain.stages import EngineState, Stage, WaitingOn
from mipres.domain.standing import Standing
from mipres.domain.submissions import UserType
from mipres.temporal.answers import UnknownWorkflowError
from mipres.temporal.names import (
    REGISTRATION_STAGE,
    USER_TYPE,
    WAITING_ON,
    reference_of,
    registration_workflow_id,
)
from mipres.temporal.runs import Run, describe_run, known_word, known_words
from workflows.contract import RegistrationStatus
from workflows.registration import Registration

log = structlog.get_logger()

# A look stays quick, also where the server or every worker is away.
_LOOK = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class RegistrationView:
    """One registration as pages and programs see it; nothing personal.

    Attributes:
        was_cut_off: Whether the run ended without an end of its own, as by a terminate or a failure.
            The stage is then what the database says.
        link_expires_at: Until when the newest link works.
        resend_at: From when another link may be sent; None where that is unknown.
        watched_until: Until when a registry is asked for a person who chose to wait for it.
        access: Whether a completed registration opens anything today.
        is_outcome_known: Whether the workflow itself answered, so that no `outcome` means that there is none.
    """

    radicado: str
    user_type: UserType | None
    stage: Stage
    waiting_on: tuple[WaitingOn, ...]
    submitted_at: datetime
    updated_at: datetime
    outcome: Outcome | None
    was_cut_off: bool = False
    link_expires_at: datetime | None = None
    resend_at: datetime | None = None
    watched_until: datetime | None = None
    is_outcome_known: bool = True
    access: AccessState | None = None


class RegistrationViews:
    """Shows registrations, also those that code, key or engine do not fit.

    Args:
        client: Temporal.
        standings: What is true in the database of a run that was cut off.
        metrics: Counts how often the workflow itself could not answer, and why.
    """

    def __init__(self, client: Client, *, standings: PostgresStandings, metrics: ApiMetrics) -> None:
        self._client = client
        self._standings = standings
        self._metrics = metrics

    async def view(self, radicado: str) -> RegistrationView | None:
        """Show one registration; None for an unknown radicado.

        Raises:
            TemporalUnavailableError: the server gave no answer.
        """
        try:
            run = await describe_run(self._client, registration_workflow_id(radicado))
        except UnknownWorkflowError:
            return None
        published = _published(run)
        if run.engine.was_cut_off and not published.has_ended:
            try:
                standing = await self._standings.of(radicado)
            except DATABASE_ERRORS as error:
                log.warning("standing_unknown", radicado=radicado, error=database_fault(error))
                standing = Standing()
            return _view(run, standing=standing)
        view = _view(run, status=await self._status(run))
        return replace(view, access=await self._access(radicado)) if view.stage is Stage.COMPLETED else view

    async def _access(self, radicado: str) -> AccessState | None:
        """Whether a completed registration opens anything; None if that is unknown."""
        try:
            return await self._standings.access(radicado)
        except DATABASE_ERRORS as error:
            log.warning("access_unknown", radicado=radicado, error=database_fault(error))
            return None

    async def _status(self, run: Run) -> RegistrationStatus | None:
        """Ask the workflow itself; None where it cannot answer now."""
        handle: WorkflowHandle[Registration, RegistrationStatus] = self._client.get_workflow_handle_for(
            Registration.run, run.workflow_id
        )
        try:
            if run.engine.is_open:
                return await handle.query(Registration.status, rpc_timeout=_LOOK)
            if run.engine is EngineState.COMPLETED:
                return await handle.result(rpc_timeout=_LOOK)
        except Exception as error:  # noqa: BLE001 - decoding what another build or key wrote can raise anything.
            self._fall_back(run, error)
        return None

    def _fall_back(self, run: Run, error: Exception) -> None:
        match error:
            case WorkflowQueryFailedError() | WorkflowQueryRejectedError():
                cause = Fallback.QUERY_FAILED
            case RPCError() | TimeoutError():
                cause = Fallback.UNANSWERED
            case _:
                cause = Fallback.UNREADABLE
        self._metrics.fell_back(cause)
        # Only a gRPC message is safe to repeat: every other may hold what could not be decoded.
        reason = f"{error.status.name}: {error.message}" if isinstance(error, RPCError) else None
        log.warning(
            "status_not_answered",
            workflow_id=run.workflow_id,
            cause=cause,
            error=type(error).__name__,
            reason=reason,
        )


def _view(
    run: Run, *, status: RegistrationStatus | None = None, standing: Standing | None = None
) -> RegistrationView:
    """Prefer the database for a cut-off run, then the workflow, then attributes."""
    waiting_on = known_words(run.attributes.get(WAITING_ON), WaitingOn)
    if standing:
        stage, waiting_on = standing.stage, ()
    elif status:
        stage, waiting_on = status.stage, status.waiting_on
    else:
        stage = _published(run)
    return RegistrationView(
        radicado=reference_of(run.workflow_id),
        user_type=known_word(run.attributes.get(USER_TYPE), UserType),
        stage=stage,
        waiting_on=waiting_on,
        submitted_at=run.started_at,
        updated_at=datetime.fromisoformat(status.updated_at) if status else run.closed_at or run.started_at,
        outcome=status.outcome if status else None,
        was_cut_off=standing is not None,
        link_expires_at=standing.link_expires_at
        if standing
        else _moment(status.link_expires_at if status else None),
        resend_at=_moment(status.resend_at if status else None),
        watched_until=_moment(status.watched_until if status else None),
        is_outcome_known=status is not None,
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _published(run: Run) -> Stage:
    """The stage that the workflow last published."""
    return known_word(run.attributes.get(REGISTRATION_STAGE), Stage) or Stage.CHECKING
