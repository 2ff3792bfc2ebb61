"""The product that is measured.

A private stack whose database is as durable as in production.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from temporalio.client import Client

from dev.postgres import QUIET
from dev.private_stack import PrivateStack, private_stack
from mipres.temporal.names import RETENTION_ID

# Every commit is on disk before it is answered, and statements are counted.
DATABASE_OPTIONS: Mapping[str, str] = {
    **QUIET,
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "all",
    "max_connections": "200",
}


@asynccontextmanager
async def measured_stack(**settings: object) -> AsyncIterator[PrivateStack]:
    """Start the product with some settings.

    Its worker serves no metrics, as by default.
    """
    options = {"metrics_port": 0, **settings}
    async with private_stack(database_options=DATABASE_OPTIONS, prepare=None, **options) as stack:
        yield stack


async def stop_purges(client: Client) -> None:
    """Pause the hourly purge.

    It closes every link whose registration has no workflow, as no registration of another engine has, nor an
    invented one: at the full hour, all who were on the way to their password would find their links closed.
    """
    await client.get_schedule_handle(RETENTION_ID).pause(note="bench")
