"""Count for monitoring what Temporal knows of all registrations."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from mipres.domain.stages import OPEN_STAGES, WaitingOn
from mipres.temporal import names

# A scraper that comes more often gets the same figures again: they cost Temporal some thirty questions.
_FRESH = timedelta(seconds=5)
_PATIENCE = timedelta(seconds=3)
# Steps give up after seven days, so nothing is stuck for longer.
_LONGEST = timedelta(days=8)
_PRECISION = timedelta(minutes=1)
_QUEUES = {
    names.REGISTRATIONS_QUEUE: TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    **dict.fromkeys(names.REGISTRY_QUEUES, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY),
}


@dataclass(frozen=True, kw_only=True)
class Figures:
    """All counts at one moment."""

    running: dict[str, int]
    waiting: dict[str, int]
    stuck: int
    oldest_stuck_seconds: float
    broken: int
    reviews_stopped: int
    pollers: dict[str, int]


class TemporalGauges:
    """Asks Temporal, and remembers the answer for some seconds."""

    def __init__(self, client: Client, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._timer = timer
        self._asked_at: float | None = None
        self._figures: Figures | None = None
        self._asking = asyncio.Lock()

    async def figures(self) -> Figures | None:
        """Ask, or repeat a fresh answer; None where Temporal does not answer."""
        async with self._asking:
            if self._asked_at is None or self._timer() - self._asked_at > _FRESH.total_seconds():
                try:
                    async with asyncio.timeout(_PATIENCE.total_seconds()):
                        self._figures = await self._count_all()
                except (RPCError, RuntimeError, TimeoutError):
                    # A client that connects with its first call raises RuntimeError where no server answers.
                    self._figures = None
                self._asked_at = self._timer()
            return self._figures

    async def _count_all(self) -> Figures:
        stuck = await self._count(names.STUCK)
        return Figures(
            running={stage: await self._count(names.running_in(stage)) for stage in OPEN_STAGES},
            waiting={what: await self._count(names.waiting_for(what)) for what in WaitingOn},
            stuck=stuck,
            oldest_stuck_seconds=await self._oldest_stuck() if stuck else 0.0,
            broken=await self._count(names.BROKEN_CODE),
            reviews_stopped=await self._count(names.STOPPED_REVIEWS),
            pollers={queue: await self._pollers(queue) for queue in _QUEUES},
        )

    async def _count(self, query: str) -> int:
        return (await self._client.count_workflows(query, rpc_timeout=_PATIENCE)).count

    async def _oldest_stuck(self) -> float:
        """Find the oldest to the minute by halving: visibility cannot sort by time."""
        now = datetime.now(UTC)
        none_before, some_before = now - _LONGEST, now
        while some_before - none_before > _PRECISION:
            middle = none_before + (some_before - none_before) / 2
            if await self._count(names.stuck_by(middle)):
                some_before = middle
            else:
                none_before = middle
        return (now - none_before).total_seconds()

    async def _pollers(self, queue: str) -> int:
        answer = await self._client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=self._client.namespace,
                task_queue=TaskQueue(name=queue),
                task_queue_type=_QUEUES[queue],
            ),
            timeout=_PATIENCE,
        )
        return len(answer.pollers)
