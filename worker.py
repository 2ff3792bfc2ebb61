"""One worker process: connect, build, run."""

import asyncio
import dataclasses
import signal
import socket
from contextlib import AsyncExitStack

import uvloop
from temporalio.client import Client

from activities.catalog import catalog
from mipres import composition
from mipres.database.engine import UNREACHABLE
from mipres.settings import Settings, load_settings
from mipres.telemetry import MetricsPortTakenError, configure_logging, runtime_with_metrics
from mipres.temporal.connection import (
    SearchAttributesMissingError,
    WorkerPayloadConverter,
    connect,
    require_search_attributes,
)
from mipres.temporal.names import SEARCH_ATTRIBUTES
from workflows.schedules import ensure_schedules
from workflows.workers import build_workers, running, versioning


async def main() -> None:
    """Run until SIGTERM or SIGINT, then let what is under way finish."""
    settings, stop = load_settings(), asyncio.Event()
    configure_logging()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        client = await connected(settings, stack)
        ports = await stack.enter_async_context(composition.open_ports(settings))
        deployment = versioning(settings.worker_deployment, settings.worker_build)
        workers = build_workers(client, catalog(ports), outages=UNREACHABLE, deployment=deployment)
        await stack.enter_async_context(running(workers))
        await ensure_schedules(client)
        print("worker listo", flush=True)  # noqa: T201 - the launcher and people wait for this line.
        await stop.wait()


async def connected(settings: Settings, stack: AsyncExitStack) -> Client:
    """Connect to a Temporal that has what the workflows need.

    Exit with one line where it has not.
    """
    tracing = composition.build_tracing(settings, service="registro-mipres-worker")
    if tracing:
        stack.callback(tracing.close)
    try:
        runtime = runtime_with_metrics(settings.metrics_host, settings.metrics_port)
        client = await connect(
            dataclasses.replace(
                composition.temporal_connection(settings),
                converter=WorkerPayloadConverter,
                on_refused=composition.refused_payloads(runtime),
            ),
            identity=f"worker@{socket.gethostname()}",
            interceptors=[tracing.interceptor()] if tracing else [],
            runtime=runtime,
        )
        await require_search_attributes(client, SEARCH_ATTRIBUTES)
    except (MetricsPortTakenError, SearchAttributesMissingError) as error:
        raise SystemExit(str(error)) from None
    return client


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
