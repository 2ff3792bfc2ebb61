"""One worker process: settings → adapters → activities → workers, one for each task queue."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import uvloop
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig

from activities.catalog import Catalog, catalog
from activities.errors import DatabaseOutages
from activities.spacing import SpacedCalls
from mipres import composition
from mipres.database.engine import UNREACHABLE
from mipres.domain.stages import REGISTRIES
from mipres.settings import Settings, load_settings
from mipres.telemetry import MetricsPortTakenError, configure_logging, runtime_with_metrics
from mipres.temporal.connection import SearchAttributesMissingError, connect, require_search_attributes
from mipres.temporal.names import REGISTRATIONS_QUEUE, SEARCH_ATTRIBUTES, registry_queue
from workflows.login_locked import LoginLocked
from workflows.password_recovery import PasswordRecovery
from workflows.registration import Registration
from workflows.retention import Retention
from workflows.schedules import ensure_schedules

# A worker whose cache is full of workflows with a task at hand can stand still for good (temporalio/sdk-rust#886).
# Ten times as many places as tasks leave always some to give up.
CACHED_WORKFLOWS = 1000
WORKFLOW_TASKS = 100
# Registries are other people's machines: this many calls a second, for all workers together.
REGISTRY_CALLS_PER_SECOND = 5.0
# A little less, because a call may reach its registry late and the next one on time.
BEGUN_PER_SECOND = REGISTRY_CALLS_PER_SECOND * 0.95
# Less again, so that a busy moment of a worker leaves no line of calls behind.
HANDED_OUT_PER_SECOND = REGISTRY_CALLS_PER_SECOND * 0.9
# A registry call is cut off after ten seconds; whoever stops the process gives it twenty.
SHUTDOWN_PATIENCE = timedelta(seconds=12)


def versioning(settings: Settings) -> WorkerDeploymentConfig | None:
    """With a build named, Temporal gives tasks to the current build alone; registrations under way move to it."""
    if settings.worker_deployment is None or settings.worker_build is None:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(
            deployment_name=settings.worker_deployment, build_id=settings.worker_build
        ),
        use_worker_versioning=True,
        # Registrations live for days: pinned to their build, they would keep old workers alive.
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )


def build_workers(
    client: Client, activities: Catalog, *, deployment: WorkerDeploymentConfig | None = None
) -> list[Worker]:
    """The main worker knows every activity, because first attempts run beside their workflow."""
    main = Worker(
        client,
        task_queue=REGISTRATIONS_QUEUE,
        workflows=[Registration, PasswordRecovery, LoginLocked, Retention],
        activities=activities.all(),
        interceptors=[DatabaseOutages(signs=UNREACHABLE)],
        max_cached_workflows=CACHED_WORKFLOWS,
        max_concurrent_workflow_tasks=WORKFLOW_TASKS,
        # The sandbox would import the workflow's modules anew for every registration: more than all else
        # that a worker does for it. It stands guard in the tests, over the same code.
        workflow_runner=UnsandboxedWorkflowRunner(),
        graceful_shutdown_timeout=SHUTDOWN_PATIENCE,
        deployment_config=deployment,
    )
    registries = [
        Worker(
            client,
            task_queue=registry_queue(name),
            activities=getattr(activities, name),
            max_task_queue_activities_per_second=HANDED_OUT_PER_SECOND,
            interceptors=[SpacedCalls(per_second=BEGUN_PER_SECOND)],
            graceful_shutdown_timeout=SHUTDOWN_PATIENCE,
            deployment_config=deployment,
        )
        for name in REGISTRIES
    ]
    return [main, *registries]


@asynccontextmanager
async def running(workers: Sequence[Worker]) -> AsyncIterator[None]:
    """Run workers for a block of code; at its end they finish what they do, all at the same time."""
    async with AsyncExitStack() as stack:
        for worker in workers:
            await stack.enter_async_context(worker)
        yield
        await asyncio.gather(*(worker.shutdown() for worker in workers))


async def main() -> None:
    """Run until SIGTERM or SIGINT, then let what is under way finish."""
    settings, stop = load_settings(), asyncio.Event()
    configure_logging()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        client = await _connect(settings, stack)
        ports = await stack.enter_async_context(composition.open_ports(settings))
        await stack.enter_async_context(
            running(build_workers(client, catalog(ports), deployment=versioning(settings)))
        )
        await ensure_schedules(client)
        print("worker listo", flush=True)  # noqa: T201 - the launcher and people wait for this line.
        await stop.wait()


async def _connect(settings: Settings, stack: AsyncExitStack) -> Client:
    tracing = composition.build_tracing(settings, service="registro-mipres-worker")
    if tracing:
        stack.callback(tracing.close)
    try:
        client = await connect(
            composition.temporal_connection(settings),
            identity=f"worker@{socket.gethostname()}",
            interceptors=[tracing.interceptor()] if tracing else [],
            runtime=runtime_with_metrics(settings.metrics_host, settings.metrics_port),
        )
        await require_search_attributes(client, SEARCH_ATTRIBUTES)
    except (MetricsPortTakenError, SearchAttributesMissingError) as error:
        raise SystemExit(str(error)) from None
    return client


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
