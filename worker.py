"""One worker process: settings → adapters → activities → workers, one for each task queue."""

import asyncio
import signal
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker

from activities.accounts import AccountActivities
from activities.emails import EmailActivities
from activities.registries import HealthTalentChecks, SocialSecurityChecks, SocialServiceChecks
from mipres import composition
from mipres.adapters.clock import SystemClock
from mipres.ports import Accounts
from mipres.settings import Settings, load_settings
from mipres.temporal import connect
from workflows.contract import MISEGURIDADSOCIAL, REGISTRATIONS_QUEUE, RETHUS, SSO, registry_queue
from workflows.registration import Registration

Activities = list[Callable[..., Any]]
# Registries are other people's machines: this many calls a second, for all workers together.
REGISTRY_CALLS_PER_SECOND = 5.0
# Long enough for a registry call under way, short enough for a process manager's patience.
SHUTDOWN_PATIENCE = timedelta(seconds=6)


def build_workers(
    client: Client, settings: Settings, accounts: Accounts, registries: composition.Registries
) -> list[Worker]:
    """The main worker runs every activity too, because first attempts run beside their workflow."""
    clock = SystemClock()
    people = SocialSecurityChecks(registry=registries.miseguridadsocial)
    talent = HealthTalentChecks(registry=registries.rethus, clock=clock)
    placements = SocialServiceChecks(registry=registries.sso, clock=clock)
    mails = EmailActivities(
        accounts=accounts,
        composer=composition.build_composer(settings),
        mailer=composition.build_mailer(settings),
    )
    checks: dict[str, Activities] = {
        MISEGURIDADSOCIAL: [people.check_person, people.check_delegation],
        RETHUS: [talent.check_profession, talent.check_other_user],
        SSO: [placements.check_placement],
    }
    own = [*AccountActivities(accounts=accounts).all(), *mails.all()]
    main = Worker(
        client,
        task_queue=REGISTRATIONS_QUEUE,
        workflows=[Registration],
        activities=[*own, *(check for group in checks.values() for check in group)],
        graceful_shutdown_timeout=SHUTDOWN_PATIENCE,
    )
    return [main, *(_registry_worker(client, name, group) for name, group in checks.items())]


def _registry_worker(client: Client, registry: str, activities: Activities) -> Worker:
    return Worker(
        client,
        task_queue=registry_queue(registry),
        activities=activities,
        max_task_queue_activities_per_second=REGISTRY_CALLS_PER_SECOND,
        graceful_shutdown_timeout=SHUTDOWN_PATIENCE,
    )


async def main() -> None:
    """Run until SIGTERM or SIGINT, then let what is under way finish."""
    settings, stop = load_settings(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        client = await connect(
            composition.temporal_connection(settings), identity=f"worker@{socket.gethostname()}"
        )
        accounts = composition.build_accounts(
            settings, await stack.enter_async_context(composition.open_engine(settings))
        )
        registries = await stack.enter_async_context(composition.open_registries(settings))
        for worker in build_workers(client, settings, accounts, registries):
            await stack.enter_async_context(worker)
        print("worker listo", flush=True)  # noqa: T201 - the launcher and people wait for this line.
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
