"""What support sees of a review of access, and tells it.

Its code is not imported here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from temporalio.client import Client, WorkflowExecution, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from mipres.database.audit import PostgresAuditTrail
from mipres.domain.audit import AuditEvent, AuditEventType
from mipres.domain.errors import MipresError
from mipres.domain.review import ReviewStage
from mipres.temporal import names
from mipres.temporal.answers import UnknownWorkflowError, translated
from mipres.temporal.runs import known_word
from mipres.temporal.ui import workflow_url

_ANSWER = timedelta(seconds=15)


class ReviewDecision(StrEnum):
    """Updates of a review that its guard has stopped; each takes a reason."""

    GO_ON = "go_on"
    ABANDON = "abandon"


_EVENTS = {
    ReviewDecision.GO_ON: AuditEventType.REVIEW_GO_ON_ASKED,
    ReviewDecision.ABANDON: AuditEventType.REVIEW_STOP_ASKED,
}


class NoReviewStoppedError(MipresError):
    """No review waits for support."""


@dataclass(frozen=True, kw_only=True)
class ReviewView:
    """One review that runs.

    Attributes:
        looked: How many profiles it had looked at when its present portion began.
    """

    workflow_id: str
    run_id: str
    stage: ReviewStage
    looked: int
    started_at: datetime
    ui_url: str


class SupportReviews:
    """Finds reviews in Temporal and answers the one that waits."""

    def __init__(self, client: Client, *, audit: PostgresAuditTrail, ui_url: str) -> None:
        self._client = client
        self._audit = audit
        self._ui_url = ui_url

    async def running(self) -> list[ReviewView]:
        """The reviews under way.

        Raises:
            TemporalUnavailableError: Temporal gave no answer.
        """
        with translated():
            return [self._view(run) async for run in self._client.list_workflows(names.RUNNING_REVIEWS)]

    async def decide(self, decision: ReviewDecision, *, reason: str, actor: str) -> ReviewView:
        """Tell the review that waits what to do, and record it first.

        Raises:
            NoReviewStoppedError: none waits.
            TemporalUnavailableError: Temporal or the workers gave no answer.
        """
        stopped = [view for view in await self.running() if view.stage is ReviewStage.STOPPED]
        if not stopped:
            raise NoReviewStoppedError
        (view, *_) = stopped
        event = AuditEvent(
            type=_EVENTS[decision], actor=actor, reason=reason, details={"review": view.workflow_id}
        )
        await self._audit.record(event)
        handle = self._client.get_workflow_handle(view.workflow_id, run_id=view.run_id)
        try:
            with translated():
                await handle.execute_update(decision.value, reason, rpc_timeout=_ANSWER)
        except UnknownWorkflowError as error:
            # It ended meanwhile.
            raise NoReviewStoppedError from error
        except WorkflowUpdateFailedError as error:
            if isinstance(error.cause, ApplicationError):
                # Somebody else was quicker.
                raise NoReviewStoppedError from error
            raise
        return view

    def _view(self, run: WorkflowExecution) -> ReviewView:
        attributes = run.typed_search_attributes
        return ReviewView(
            workflow_id=run.id,
            run_id=run.run_id,
            stage=known_word(attributes.get(names.REVIEW_STAGE), ReviewStage) or ReviewStage.REVIEWING,
            looked=attributes.get(names.REVIEWED_PROFILES) or 0,
            started_at=run.start_time,
            ui_url=workflow_url(run.id, ui_url=self._ui_url, namespace=self._client.namespace),
        )
