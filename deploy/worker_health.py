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

from deploy.verdict import end, reason_of
from mipres import composition
from mipres.arguments import take_none
from mipres.settings.loading import load_settings
from mipres.temporal.answers import NO_ANSWER, translated
from mipres.temporal.connection import TemporalConnection, connect
from mipres.temporal.names import REGISTRATIONS_QUEUE

# A poll lasts up to a minute when there is nothing to do.
STALE = timedelta(minutes=2)
PATIENCE = timedelta(seconds=10)


async def last_poll(connection: TemporalConnection) -> datetime | None:
    """When the worker of this host last asked for work; None if never."""
    client = await connect(connection, identity="health")
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
    connection = composition.temporal_connection(load_settings())
    try:
        with translated():
            async with asyncio.timeout(PATIENCE.total_seconds()):
                last = await last_poll(connection)
    except NO_ANSWER as error:
        return f"{reason_of(error, connection)}."
    if last is None or datetime.now(UTC) - last > STALE:
        return "El worker no está pidiendo trabajo a Temporal."
    return None


def main() -> None:
    """End the process with what is wrong."""
    take_none("python -m deploy.worker_health", __doc__)
    end(asyncio.run(complaint()))


if __name__ == "__main__":
    main()
