"""One worker process: connect, build, run."""

import asyncio
import dataclasses
import signal
import socket
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, TypeVar

import structlog
import uvloop
from temporalio.client import Client, Interceptor
from temporalio.runtime import Runtime

from activities.catalog import catalog
from activities.metrics import WorkerMetrics, count_with
from mipres import composition
from mipres.arguments import take_none
from mipres.database.failures import server_fault
from mipres.logs import configure_logging
from mipres.settings.loading import load_settings
from mipres.settings.model import Settings
from mipres.telemetry import MetricsPortTakenError, runtime_with_metrics
from mipres.temporal.answers import TemporalUnavailableError, fault_for_operators
from mipres.temporal.connection import (
    SearchAttributesMissingError,
    TemporalConnection,
    WorkerPayloadConverter,
    connect,
    require_search_attributes,
    until_it_answers,
)
from mipres.temporal.names import SEARCH_ATTRIBUTES
from workflows.metrics import begin_at_zero
from workflows.schedules import ensure_schedules
from workflows.workers import build_workers, running, versioning

T = TypeVar("T")


async def main() -> None:
    """Run until SIGTERM or SIGINT, then let what is under way finish."""
    configure_logging()
    settings, stop = load_settings(say=complain), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(composition.open_database(settings))
        client = await unless_stopped(connected(settings, stack, database), stop)
        ports = await stack.enter_async_context(composition.open_ports(settings, database))
        deployment = versioning(settings.worker_deployment, settings.worker_build)
        workers = build_workers(client, catalog(ports), database_fault=server_fault, deployment=deployment)
        await stack.enter_async_context(running(workers))
        reviews, connection = settings.registry_review_days > 0, composition.temporal_connection(settings)
        await unless_stopped(scheduled(client, connection, reviews=reviews), stop)
        say("worker listo")
        await stop.wait()


async def connected(
    settings: Settings, stack: AsyncExitStack, database: composition.DatabaseServices
) -> Client:
    """Connect to a Temporal that has what the workflows need.

    Wait for one that is away; exit with one line where it lacks something.
    """
    tracing = composition.build_tracing(settings, service="registro-mipres-worker")
    if tracing:
        stack.callback(tracing.close)
    try:
        runtime = runtime_with_metrics(settings.metrics_host, settings.metrics_port)
        counts = WorkerMetrics(
            runtime.metric_meter,
            templates=composition.mail_templates(),
            build=settings.worker_build,
        )
        connection = dataclasses.replace(
            composition.temporal_connection(settings),
            converter=WorkerPayloadConverter,
            on_refused=await stack.enter_async_context(
                composition.refused_payloads(database, count=counts.payload_refused)
            ),
        )
        connecting = partial(
            connect_completely,
            connection,
            interceptors=[tracing.interceptor()] if tracing else [],
            runtime=runtime,
        )
        client = await until_it_answers(connecting, on_away=partial(say_that_it_waits, connection))
        count_with(counts)
        begin_at_zero(counts.meter, namespace=client.namespace)
    except (MetricsPortTakenError, SearchAttributesMissingError) as error:
        complain(str(error))
        raise SystemExit(1) from None
    return client


async def scheduled(client: Client, connection: TemporalConnection, *, reviews: bool) -> None:
    """Set the schedules up, at a server that may have left since it was connected to."""
    ensuring = partial(ensure_schedules, client, reviews=reviews)
    await until_it_answers(ensuring, on_away=partial(say_that_it_waits, connection))


async def connect_completely(
    connection: TemporalConnection, *, interceptors: Sequence[Interceptor], runtime: Runtime
) -> Client:
    """Connect once to a server that has what the workflows search by."""
    identity = f"worker@{socket.gethostname()}"
    client = await connect(connection, identity=identity, interceptors=interceptors, runtime=runtime)
    await require_search_attributes(client, SEARCH_ATTRIBUTES)
    return client


def say_that_it_waits(connection: TemporalConnection, error: TemporalUnavailableError) -> None:
    """Say once what the worker waits for, and which setting to look at if that lasts."""
    fault = fault_for_operators(error, address=connection.address, namespace=connection.namespace)
    say(f"el worker espera a Temporal y se conecta solo. {fault}.")


async def unless_stopped(asking: Coroutine[Any, Any, T], stop: asyncio.Event) -> T:
    """Wait for the server; exit when the worker is to stop first."""
    waiting, stopping = asyncio.current_task(), asyncio.create_task(stop.wait())
    stopping.add_done_callback(lambda ended: ended.cancelled() or (waiting and waiting.cancel()))
    try:
        return await asking
    except asyncio.CancelledError:
        raise SystemExit(0) from None
    finally:
        stopping.cancel()


def say(line: str) -> None:
    """Log a line that the launcher and people wait for."""
    structlog.stdlib.get_logger("mipres.worker").info(line)


def complain(line: str) -> None:
    """Log why this process does not start as it is."""
    structlog.stdlib.get_logger("mipres.worker").error(line)


if __name__ == "__main__":
    take_none("python worker.py", "Worker de Registro MIPRES.")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
