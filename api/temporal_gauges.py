"""Count for monitoring what Temporal knows of all registrations."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import structlog
from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.enums.v1 import TaskQueueType, WorkerVersioningMode
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue, TaskQueueVersioningInfo
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, ListWorkflowExecutionsRequest
from temporalio.client import Client

from mipres.domain.stages import OPEN_STAGES, Stage, WaitingOn
from mipres.temporal import names
from mipres.temporal.answers import NO_ANSWER, translated

log = structlog.get_logger()

_T = TypeVar("_T")

# A scraper that comes more often gets the same figures again: they cost Temporal some twenty questions.
_FRESH = timedelta(seconds=5)
_PATIENCE = timedelta(seconds=3)
# Steps give up after seven days, so nothing is stuck for longer.
_LONGEST = timedelta(days=8)
_PRECISION = timedelta(minutes=1)
# Long enough for a delay to be published, so that support and the alerts of its cause have seen it.
UNSEEN_AFTER = timedelta(minutes=15)
_QUEUES = {
    names.REGISTRATIONS_QUEUE: TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    **dict.fromkeys(names.REGISTRY_QUEUES, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY),
}


@dataclass(frozen=True, kw_only=True)
class QueueFigures:
    """How one task queue is served.

    Attributes:
        pollers: Workers that ask it for work.
        served: Those of them that get work: their build is the current one, or one that is being tried.
        backlog: Tasks that wait for a worker.
        backlog_age_seconds: How long the oldest of them has waited.
    """

    pollers: int
    served: int
    backlog: int
    backlog_age_seconds: float


@dataclass(frozen=True, kw_only=True)
class Figures:
    """All counts at one moment.

    Attributes:
        unseen: Registrations without an answer for UNSEEN_AFTER that count as stuck nowhere.
        purged_at: When the last purge ended; None without any.
    """

    running: dict[str, int]
    waiting: dict[str, int]
    oldest_checking_seconds: float
    unseen: int
    stuck: int
    oldest_stuck_seconds: float
    broken: int
    reviews_stopped: int
    purged_at: datetime | None
    queues: dict[str, QueueFigures]


class TemporalGauges:
    """Asks Temporal, and remembers the answer for some seconds."""

    def __init__(self, client: Client, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._timer = timer
        self._asked_at: float | None = None
        self._figures: Figures | None = None
        self._asking = asyncio.Lock()
        self._known: dict[Callable[[datetime], str], datetime] = {}

    async def figures(self) -> Figures | None:
        """Ask, or repeat a fresh answer; None where Temporal does not answer."""
        async with self._asking:
            if self._asked_at is None or self._timer() - self._asked_at > _FRESH.total_seconds():
                try:
                    with translated():
                        async with asyncio.timeout(_PATIENCE.total_seconds()):
                            self._figures = await self._count_all()
                except NO_ANSWER as error:
                    log.warning("figures_missing", reason=str(error))
                    self._figures = None
                self._asked_at = self._timer()
            return self._figures

    async def _count_all(self) -> Figures:
        now = datetime.now(UTC)
        running = await self._counts(OPEN_STAGES, names.running_in)
        stuck = await self._count(names.STUCK)
        return Figures(
            running=running,
            waiting=await self._counts(WaitingOn, names.waiting_for),
            oldest_checking_seconds=(
                await self._oldest(names.checking_by) if running[Stage.CHECKING] else 0.0
            ),
            unseen=await self._count(names.unseen_by(now - UNSEEN_AFTER)),
            stuck=stuck,
            oldest_stuck_seconds=await self._oldest(names.stuck_by) if stuck else 0.0,
            broken=await self._count(names.BROKEN_CODE),
            reviews_stopped=await self._count(names.STOPPED_REVIEWS),
            purged_at=await self._last_purge(),
            queues=await _by_each(_QUEUES, self._queue),
        )

    async def _counts(self, each: Iterable[str], query: Callable[..., str]) -> dict[str, int]:
        return await _by_each(each, lambda one: self._count(query(one)))

    async def _count(self, query: str) -> int:
        return (await self._client.count_workflows(query, rpc_timeout=_PATIENCE)).count

    async def _oldest(self, by: Callable[[datetime], str]) -> float:
        """Find the age of the oldest, to the minute, by halving.

        Visibility cannot sort by time. Temporal answers only some dozens of such questions a second, so the last answer
        is tried first.

        Args:
            by: The query of all that are as old as a moment, or older.
        """
        now = datetime.now(UTC)
        none_before, some_before = now - _LONGEST, now
        if known := self._known.get(by):
            if await self._count(by(known)):
                some_before = known
                if not await self._count(by(known - _PRECISION)):
                    none_before = known - _PRECISION
            else:
                none_before = known
        while some_before - none_before > _PRECISION:
            middle = none_before + (some_before - none_before) / 2
            if await self._count(by(middle)):
                some_before = middle
            else:
                none_before = middle
        self._known[by] = some_before
        return (now - some_before).total_seconds()

    async def _last_purge(self) -> datetime | None:
        request = ListWorkflowExecutionsRequest(
            namespace=self._client.namespace, page_size=1, query=names.PURGES
        )
        answer = await self._client.workflow_service.list_workflow_executions(request, timeout=_PATIENCE)
        # Those that closed last come first.
        return next((run.close_time.ToDatetime(tzinfo=UTC) for run in answer.executions), None)

    async def _queue(self, queue: str) -> QueueFigures:
        answer = await self._client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=self._client.namespace,
                task_queue=TaskQueue(name=queue),
                task_queue_type=_QUEUES[queue],
                report_stats=True,
            ),
            timeout=_PATIENCE,
        )
        served = _served_versions(answer.versioning_info)
        return QueueFigures(
            pollers=len(answer.pollers),
            served=sum(_version_of(poller) in served for poller in answer.pollers),
            backlog=answer.stats.approximate_backlog_count,
            backlog_age_seconds=answer.stats.approximate_backlog_age.ToTimedelta().total_seconds(),
        )


async def _by_each(each: Iterable[str], ask: Callable[[str], Awaitable[_T]]) -> dict[str, _T]:
    asked = list(each)
    return dict(zip(asked, await asyncio.gather(*(ask(one) for one in asked)), strict=True))


_Version = tuple[str, str] | None
"""Deployment and build; None for a worker that names none."""


def _served_versions(info: TaskQueueVersioningInfo) -> set[_Version]:
    """The current version, and one that gets a share of the work."""
    served = {_named(info.current_deployment_version)}
    if info.ramping_version_percentage:
        served.add(_named(info.ramping_deployment_version))
    return served


def _version_of(poller: PollerInfo) -> _Version:
    options = poller.deployment_options
    if options.worker_versioning_mode != WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED:
        return None
    return options.deployment_name, options.build_id


def _named(version: WorkerDeploymentVersion) -> _Version:
    return (version.deployment_name, version.build_id) if version.build_id else None
