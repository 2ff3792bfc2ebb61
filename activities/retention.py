"""Remove what has served its purpose, and close links that no run watches over."""

import asyncio
from dataclasses import dataclass

from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.service import RPCError, RPCStatusCode

from mipres.ports import Retention
from mipres.temporal import names

_DESCRIBED_AT_ONCE = 20
_ALIVE = frozenset(
    {
        WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING,
        WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED,
    }
)


@dataclass(frozen=True, kw_only=True)
class PurgeResult:
    """How many rows went, by table.

    And how many links were closed because their run is gone.
    """

    removed: dict[str, int]
    closed_links: int = 0


class RetentionActivities:
    """Served by the queue `registrations`."""

    def __init__(self, *, retention: Retention) -> None:
        self._retention = retention

    @activity.defn
    async def purge_expired(self) -> PurgeResult:
        """Remove expired accounts without a password, links, sessions, locks and counts."""
        removed = dict(await self._retention.purge())
        closed = await self._close_links_without_a_run()
        activity.logger.info("retention removed %s rows and closed %s links", sum(removed.values()), closed)
        return PurgeResult(removed=removed, closed_links=closed)

    async def _close_links_without_a_run(self) -> int:
        """Close what a terminated, failed or deleted run left open.

        Only a running one ends its own links.
        """
        links = await self._retention.open_links()
        slots = asyncio.Semaphore(_DESCRIBED_AT_ONCE)

        async def is_gone(reference: str) -> bool:
            async with slots:
                return not await _is_alive(reference)

        references = sorted(set(links.values()))
        gone = await asyncio.gather(*(is_gone(reference) for reference in references))
        without_a_run = {reference for reference, lost in zip(references, gone, strict=True) if lost}
        wanted = [link for link, reference in links.items() if reference in without_a_run]
        return await self._retention.close_links(wanted) if wanted else 0


async def _is_alive(reference: str) -> bool:
    """Whether the newest run continues, or would after a pause."""
    client = activity.client()
    request = DescribeWorkflowExecutionRequest(
        namespace=client.namespace,
        execution=WorkflowExecution(workflow_id=names.workflow_id_of(reference)),
    )
    try:
        description = await client.workflow_service.describe_workflow_execution(request, retry=True)
    except RPCError as error:
        # The namespace is there, because this activity's own workflow runs in it: so the run is not.
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return description.workflow_execution_info.status in _ALIVE
