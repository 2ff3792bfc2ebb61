"""Make one build of the workers the one that gets the work.

`python -m deploy.current_build`.

The build is the one of `MIPRES_WORKER_DEPLOYMENT` and `MIPRES_WORKER_BUILD`. Rolling back is the same step
with the build before. It waits until workers of the build ask every queue for work: what a current build
without workers is given waits for ever.
"""

import asyncio
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client

from deploy.verdict import end, reason_of
from mipres import composition
from mipres.arguments import Arguments
from mipres.settings.loading import load_settings
from mipres.settings.names import variable
from mipres.temporal.answers import NO_ANSWER, translated
from mipres.temporal.connection import TemporalConnection, connect
from mipres.temporal.names import REGISTRATIONS_QUEUE, REGISTRY_QUEUES

PAUSE_SECONDS = 1.0
# A poll lasts up to a minute when there is nothing to do.
STALE = timedelta(minutes=2)
QUEUES = {
    REGISTRATIONS_QUEUE: TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    **dict.fromkeys(REGISTRY_QUEUES, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY),
}


async def queues_without(client: Client, build: str) -> list[str]:
    """Name the queues that no worker of the build asks for work."""
    without = []
    for queue, kind in QUEUES.items():
        answer = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
            )
        )
        recent = datetime.now(UTC) - STALE
        if not any(
            poller.deployment_options.build_id == build
            and poller.last_access_time.ToDatetime(tzinfo=UTC) > recent
            for poller in answer.pollers
        ):
            without.append(queue)
    return without


async def make_current(client: Client, *, deployment: str, build: str) -> None:
    """Let the build get the work."""
    await client.workflow_service.set_worker_deployment_current_version(
        SetWorkerDeploymentCurrentVersionRequest(
            namespace=client.namespace,
            deployment_name=deployment,
            build_id=build,
            identity="current-build",
        )
    )


async def until_current(
    client: Client, connection: TemporalConnection, *, deployment: str, build: str, patience: timedelta
) -> str | None:
    """Wait for the build's workers, then make it current.

    Returns:
        What went wrong, in one line; None when the build is current.
    """
    reason = f"Temporal no responde en {connection.address}"
    try:
        async with asyncio.timeout(patience.total_seconds()):
            while True:
                try:
                    with translated():
                        if not (without := await queues_without(client, build)):
                            await make_current(client, deployment=deployment, build=build)
                            return None
                        reason = f"ningún worker de {build} atiende {', '.join(without)}"
                except NO_ANSWER as error:
                    reason = reason_of(error, connection)
                await asyncio.sleep(PAUSE_SECONDS)
    except TimeoutError:
        return f"{deployment}.{build} no es la versión actual: {reason}"


async def run(patience: timedelta) -> str | None:
    """Make the build of the settings current; what went wrong, in one line."""
    settings = load_settings()
    if settings.worker_deployment is None or settings.worker_build is None:
        return f"{variable('worker_deployment')} y {variable('worker_build')}: faltan; nombran la versión."
    connection = composition.temporal_connection(settings)
    client = await connect(connection, identity="current-build", lazy=True)
    names = {"deployment": settings.worker_deployment, "build": settings.worker_build}
    return await until_current(client, connection, **names, patience=patience)


def main() -> None:
    """Make the build of the settings current, and end the process."""
    parser = Arguments(prog="python -m deploy.current_build", description=__doc__)
    parser.add_argument(
        "--patience-seconds", type=int, default=300, help="how long to wait for its workers (300)"
    )
    complaint = asyncio.run(run(timedelta(seconds=parser.parse_args().patience_seconds)))
    end(f"current-build: {complaint}" if complaint else None)


if __name__ == "__main__":
    main()
