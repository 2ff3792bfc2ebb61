"""What support asks of Temporal, by the names that the workflows publish.

Their code is not imported here.
"""

import asyncio
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from temporalio.api.workflow.v1 import PendingActivityInfo, WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from mipres.domain.errors import MipresError
from mipres.domain.stages import OPEN_STAGES, EngineState, Stage, WaitingOn, state_for_staff
from mipres.domain.submissions import UserType
from mipres.support.mails import MailDesk
from mipres.temporal import names
from mipres.temporal.answers import (
    TemporalUnavailableError,
    UnknownWorkflowError,
    UpdateLostError,
    UpdatesSpentError,
    translated,
)
from mipres.temporal.runs import (
    Run,
    describe_run,
    description_of,
    known_word,
    known_words,
    read_failure,
    run_of,
)
from mipres.temporal.ui import list_url, workflow_url

_LOOK = timedelta(seconds=5)
# A worker that has to fetch a history answers in some hundred milliseconds; without one there is no answer.
_ACTION_SECONDS = 15.0
# A lost update is sent again after a moment, in which the server hands out the next workflow task.
_LOST_PAUSE_SECONDS = 0.05
_PAGE = 500
PAUSED = "Paused"
"""Type of the refusal of a registration that is paused in Temporal."""
UPDATES_SPENT = "UpdatesSpent"
"""Type of the refusal of a run that has got as many updates as the server allows."""


class Action(StrEnum):
    """Updates of the workflow Registration that support may send; each takes a reason."""

    RETRY = "retry_now"
    RESEND = "resend_link"
    CANCEL = "cancel_registration"


class ActionRefusedError(MipresError):
    """The registration refused the action.

    Attributes:
        type: The workflow's own word for the refusal, as `WrongStage`.
        message: The Spanish sentence.
        wait_seconds: How long it would come too soon; None for any other refusal.
    """

    def __init__(self, type_: str, message: str, *, wait_seconds: int | None = None) -> None:
        self.type = type_
        self.message = message
        self.wait_seconds = wait_seconds
        super().__init__(message)


class ActionUnansweredError(MipresError):
    """The action was sent and no worker confirmed it in time; it may still be done."""


@dataclass(frozen=True, kw_only=True)
class PendingActivity:
    """A step under way, with its last error in clear."""

    activity_id: str
    attempt: int
    next_attempt_at: datetime | None
    error_type: str | None
    error_message: str | None


@dataclass(frozen=True, kw_only=True)
class Case:
    """One registration or recovery, as Temporal knows it. Nothing personal."""

    reference: str
    status: EngineState
    stage: Stage | None
    user_type: str | None
    waiting_on: tuple[WaitingOn, ...]
    stuck_since: datetime | None
    started_at: datetime
    closed_at: datetime | None
    ui_url: str
    pending: tuple[PendingActivity, ...] = ()

    @property
    def is_running(self) -> bool:
        return self.status is EngineState.RUNNING

    @property
    def errors(self) -> tuple[str, ...]:
        """What its steps last failed with: which field of which registry, never its value."""
        return tuple(step.error_message for step in self.pending if step.error_message)

    @property
    def state(self) -> str:
        """The state in a word or two for staff."""
        return state_for_staff(self.status, self.stage)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many registrations run, by stage and by what they wait for.

    And how many are stuck.
    """

    by_stage: dict[Stage, int]
    by_waiting: dict[WaitingOn, int]
    stuck: int


class SupportDesk:
    """Finds registrations and acts on them.

    Args:
        client: Temporal; it must hold the payload keys, to read errors.
        ui_url: Address of Temporal's web interface.
    """

    def __init__(self, client: Client, *, ui_url: str) -> None:
        self._client = client
        self._ui_url = ui_url
        self.mails = MailDesk(client, ui_url=ui_url)

    async def case(self, reference: str) -> Case:
        """One registration or recovery, by its newest run.

        Raises:
            UnknownWorkflowError: Temporal has none of this reference, or forgot it after its retention.
        """
        workflow_id = names.workflow_id_of(reference)
        description = await description_of(self._client, workflow_id)
        pending = [await self._pending(item) for item in description.pending_activities]
        return self._case(run_of(description.workflow_execution_info), tuple(pending))

    async def cases(self, references: Sequence[str]) -> list[Case]:
        """Those of the references that Temporal knows."""
        answers = await asyncio.gather(
            *(self.case(reference) for reference in references), return_exceptions=True
        )
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, UnknownWorkflowError):
                raise answer
        return [answer for answer in answers if isinstance(answer, Case)]

    async def stuck(self, *, waiting_on: WaitingOn | None = None, limit: int = 50) -> list[Case]:
        """Registrations that have waited for too long and why, the oldest first."""
        listed = sorted(await self._listed(names.stuck_on(waiting_on)), key=_age)[:limit]
        return await self._with_errors(listed)

    async def waiting(self, waiting_on: WaitingOn) -> list[Case]:
        """Every registration that waits for something, stuck or not, the oldest first."""
        return sorted(await self._listed(names.waiting_for(waiting_on)), key=_age)

    async def newest(self, query: str, *, limit: int) -> list[Case]:
        """The newest registrations of a query, and why they wait."""
        request = ListWorkflowExecutionsRequest(
            namespace=self._client.namespace, query=query, page_size=limit
        )
        with translated():
            page = await self._client.workflow_service.list_workflow_executions(
                request, retry=True, timeout=_LOOK
            )
        return await self._with_errors(list(self._own(page.executions)))

    async def oldest_waiting(self, *, limit: int = 10) -> list[Case]:
        """The registrations that have waited longest for something that is down, and why."""
        return await self._with_errors(sorted(await self._listed(names.WAITING), key=_age)[:limit])

    async def cut_off(self, *, limit: int = 50) -> list[Case]:
        """Registrations that Temporal stopped while the person waited, newest first."""
        listed = await self._listed(names.CUT_OFF)
        newest = await self.cases(list(dict.fromkeys(case.reference for case in listed))[:limit])
        return [case for case in newest if case.status.was_cut_off]

    async def counts(self) -> Counts:
        """One count each, because visibility groups by nothing but the execution's status."""
        queries = [names.running_in(stage) for stage in OPEN_STAGES]
        queries += [names.waiting_for(what) for what in WaitingOn]
        queries += [names.STUCK]
        with translated():
            counts = await asyncio.gather(
                *(self._client.count_workflows(query, rpc_timeout=_LOOK) for query in queries)
            )
        numbers = [count.count for count in counts]
        return Counts(
            by_stage=dict(zip(OPEN_STAGES, numbers, strict=False)),
            by_waiting=dict(zip(WaitingOn, numbers[len(OPEN_STAGES) :], strict=False)),
            stuck=numbers[-1],
        )

    async def act(self, action: Action, reference: str, *, reason: str) -> None:
        """Have the registration do it.

        Raises:
            UnknownWorkflowError: no such registration is running.
            ActionRefusedError: it does not fit the registration's stage, or comes too soon.
            ActionUnansweredError: no worker confirmed it; mostly none runs.
        """
        # An unknown workflow and an absent server show at once, also where no worker could take the update.
        run = await describe_run(self._client, names.workflow_id_of(reference))
        if run.engine is EngineState.PAUSED:
            raise ActionRefusedError(PAUSED, "El registro está en pausa en Temporal; reanúdelo allí primero")
        if run.engine is not EngineState.RUNNING:
            raise UnknownWorkflowError(reference)
        try:
            with translated():
                async with asyncio.timeout(_ACTION_SECONDS):
                    await self._update_until_taken(action, reference, reason)
        except WorkflowUpdateFailedError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError):
                raise _refusal(cause) from error
            # The registration ended while the update was under way.
            raise UnknownWorkflowError(reference) from error
        except UpdatesSpentError as error:
            raise ActionRefusedError(
                UPDATES_SPENT,
                "Temporal no admite más solicitudes para esta ejecución, que sigue su curso. "
                "Para cancelarla use Request Cancellation en la interfaz de Temporal",
            ) from error
        except TemporalUnavailableError as error:
            raise ActionUnansweredError(reference) from error

    async def _update_until_taken(self, action: Action, reference: str, reason: str) -> None:
        """Send an update again for as long as the server loses it.

        Its id keeps it one update.
        """
        handle, update_id = (
            self._client.get_workflow_handle(names.workflow_id_of(reference)),
            str(uuid.uuid4()),
        )
        while True:
            try:
                with translated():
                    await handle.execute_update(action.value, reason, id=update_id)
            except UpdateLostError:
                await asyncio.sleep(_LOST_PAUSE_SECONDS)
            else:
                return

    def url_of(self, reference: str) -> str:
        """The page of a registration or recovery in Temporal's interface."""
        return workflow_url(
            names.workflow_id_of(reference), ui_url=self._ui_url, namespace=self._client.namespace
        )

    def url_of_list(self, query: str) -> str:
        """The list of a query in Temporal's interface."""
        return list_url(query, ui_url=self._ui_url, namespace=self._client.namespace)

    async def _listed(self, query: str) -> list[Case]:
        """All of them: visibility cannot sort by these attributes."""
        request = ListWorkflowExecutionsRequest(
            namespace=self._client.namespace, query=query, page_size=_PAGE
        )
        cases: list[Case] = []
        with translated():
            while True:
                page = await self._client.workflow_service.list_workflow_executions(
                    request, retry=True, timeout=_LOOK
                )
                cases += self._own(page.executions)
                if not page.next_page_token:
                    return cases
                request.next_page_token = page.next_page_token

    async def _with_errors(self, listed: Sequence[Case]) -> list[Case]:
        """The same cases with their pending steps, which a list does not hold."""
        known = {case.reference: case for case in await self.cases([case.reference for case in listed])}
        return [
            replace(case, pending=known[case.reference].pending) if case.reference in known else case
            for case in listed
        ]

    async def _pending(self, info: PendingActivityInfo) -> PendingActivity:
        error_type = error_message = None
        if info.HasField("last_failure"):
            error = await read_failure(self._client, info.last_failure)
            error_type = error.type if isinstance(error, ApplicationError) else type(error).__name__
            error_message = error.message if isinstance(error, ApplicationError) else str(error)
        next_attempt = info.next_attempt_schedule_time
        return PendingActivity(
            activity_id=info.activity_id,
            attempt=info.attempt,
            # A moment that has not come is an empty timestamp.
            next_attempt_at=next_attempt.ToDatetime(UTC) if next_attempt.ByteSize() else None,
            error_type=error_type,
            error_message=error_message,
        )

    def _own(self, listed: Iterable[WorkflowExecutionInfo]) -> Iterator[Case]:
        """The registrations among runs of their type.

        Others with the same type are a stranger's.
        """
        own = (info for info in listed if names.is_of_a_person(info.execution.workflow_id))
        return (self._case(run_of(info)) for info in own)

    def _case(self, run: Run, pending: tuple[PendingActivity, ...] = ()) -> Case:
        reference = names.reference_of(run.workflow_id)
        return Case(
            reference=reference,
            status=run.engine,
            stage=known_word(run.attributes.get(names.REGISTRATION_STAGE), Stage),
            user_type=known_word(run.attributes.get(names.USER_TYPE), UserType),
            waiting_on=known_words(run.attributes.get(names.WAITING_ON), WaitingOn),
            stuck_since=run.attributes.get(names.STUCK_SINCE),
            started_at=run.started_at,
            closed_at=run.closed_at,
            ui_url=self.url_of(reference),
            pending=pending,
        )


def _age(case: Case) -> datetime:
    return case.stuck_since or case.started_at


def _refusal(cause: ApplicationError) -> ActionRefusedError:
    seconds = cause.details[0] if cause.type == names.TOO_SOON and cause.details else None
    return ActionRefusedError(cause.type or "", cause.message, wait_seconds=seconds)
