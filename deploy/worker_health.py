"""Whether this machine's worker polls Temporal.

`python -m deploy.worker_health`, exit status 0 or 1.

A process that is alive but has lost its server, or hangs, does no work; its last poll tells.
"""

import asyncio
import socket
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.service import RPCError

from deploy.verdict import end
from mipres import composition
from mipres.arguments import take_none
from mipres.settings import Settings, load_settings
from mipres.temporal.connection import connect
from mipres.temporal.names import REGISTRATIONS_QUEUE

# A poll lasts up to a minute when there is nothing to do.
STALE = timedelta(minutes=2)
PATIENCE = timedelta(seconds=10)


async def last_poll(settings: Settings) -> datetime | None:
    """When the worker of this host last asked for work; None if never."""
    client = await connect(composition.temporal_connection(settings), identity="health")
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=REGISTRATIONS_QUEUE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        ),
        timeout=PATIENCE,
    )
    identity = f"worker@{socket.gethostname()}"
    polls = [poller.last_access_time for poller in answer.pollers if poller.identity == identity]
    return max((poll.ToDatetime(tzinfo=UTC) for poll in polls), default=None)


async def complaint() -> str | None:
    """What is wrong, in one line; None when nothing is."""
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            last = await last_poll(load_settings())
    except (RPCError, RuntimeError, TimeoutError) as error:
        return f"Temporal no responde: {type(error).__name__}"
    if last is None or datetime.now(UTC) - last > STALE:
        return "El worker no está pidiendo trabajo a Temporal."
    return None


def main() -> None:
    """End the process with what is wrong."""
    take_none("python -m deploy.worker_health", __doc__)
    end(asyncio.run(complaint()))


if __name__ == "__main__":
    main()
