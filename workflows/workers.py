"""Which worker serves which task queue, and how gently."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig

from activities.catalog import Activities, Catalog
from activities.errors import NamedFailures
from activities.log_context import LogContext
from activities.spacing import SpacedCalls
from mipres.domain.stages import REGISTRIES
from mipres.temporal.names import REGISTRATIONS_QUEUE, registry_queue
from mipres.temporal.trust import TrustedPayloads
from workflows import policies
from workflows.access_notices import AccessNotices
from workflows.access_review import AccessReview
from workflows.backchannel_logouts import BackchannelLogouts
from workflows.cancelled_notice import CancelledNotice
from workflows.factor_reset import SecondFactorReset
from workflows.fast_path import FastPath
from workflows.login_locked import LoginLocked
from workflows.password_recovery import PasswordRecovery
from workflows.registration import Registration
from workflows.retention import Retention

WORKFLOWS = (
    Registration,
    PasswordRecovery,
    LoginLocked,
    CancelledNotice,
    Retention,
    AccessNotices,
    BackchannelLogouts,
    AccessReview,
    SecondFactorReset,
)


def versioning(deployment: str | None, build: str | None) -> WorkerDeploymentConfig | None:
    """With a build named, Temporal gives tasks to the current build alone.

    Registrations under way move to it.
    """
    if deployment is None or build is None:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=deployment, build_id=build),
        use_worker_versioning=True,
        # Registrations live for days: pinned to their build, they would keep old workers alive.
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )


def of_registrations(activities: Catalog) -> Activities:
    """What the queue `registrations` serves.

    That is everything, because first attempts run beside their workflow.
    """
    return (*activities.all(), FastPath(activities.all()).check_and_register)


def build_workers(
    client: Client,
    activities: Catalog,
    *,
    database_fault: Callable[[Exception], str | None],
    deployment: WorkerDeploymentConfig | None = None,
) -> list[Worker]:
    """Build one worker for each task queue.

    Args:
        client: Temporal, with the payload converter of a worker.
        activities: All of them.
        database_fault: What a failure of the database is called; None for any other.
        deployment: The build that these workers are of, where builds are distinguished.
    """
    main = Worker(
        client,
        task_queue=REGISTRATIONS_QUEUE,
        workflows=WORKFLOWS,
        activities=of_registrations(activities),
        interceptors=[LogContext(), TrustedPayloads(), NamedFailures(database_fault=database_fault)],
        max_cached_workflows=policies.CACHED_WORKFLOWS,
        max_concurrent_workflow_tasks=policies.WORKFLOW_TASKS,
        # The sandbox would import the modules of the workflow again for every registration: more than all else
        # that a worker does for it. It stands guard in the tests, over the same code.
        workflow_runner=UnsandboxedWorkflowRunner(),
        # All payloads are in the history itself: several at once would only be a task each.
        max_workflow_task_external_storage_concurrency=1,
        graceful_shutdown_timeout=policies.SHUTDOWN_PATIENCE,
        deployment_config=deployment,
    )
    registries = [
        Worker(
            client,
            task_queue=registry_queue(name),
            activities=getattr(activities, name),
            max_task_queue_activities_per_second=policies.HANDED_OUT_PER_SECOND,
            interceptors=[
                LogContext(),
                TrustedPayloads(),
                NamedFailures(database_fault=database_fault),
                SpacedCalls(per_second=policies.BEGUN_PER_SECOND),
            ],
            graceful_shutdown_timeout=policies.SHUTDOWN_PATIENCE,
            deployment_config=deployment,
        )
        for name in REGISTRIES
    ]
    return [main, *registries]


@asynccontextmanager
async def running(workers: Sequence[Worker]) -> AsyncIterator[None]:
    """Run workers for a block of code.

    At its end they finish what they do, all at the same time.
    """
    async with AsyncExitStack() as stack:
        for worker in workers:
            await stack.enter_async_context(worker)
        yield
        await asyncio.gather(*(worker.shutdown() for worker in workers))
