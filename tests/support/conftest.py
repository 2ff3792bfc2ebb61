import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from mipres.database.audit import PostgresAuditTrail
from mipres.domain.radicado import radicado_of
from mipres.domain.submissions import Submission, UserType
from mipres.support.actions import Support
from mipres.support.desk import SupportDesk
from mipres.support.records import SupportRecords
from tests.database.registrations import DOCTOR
from tests.fakes import FakeClock
from tests.patience import PATIENCE_SECONDS
from tests.support.registrations import served

UI = "http://ui.test"


@pytest.fixture
def client(temporal_env: WorkflowEnvironment) -> Client:
    return temporal_env.client


@pytest.fixture
async def worker(client: Client) -> AsyncIterator[None]:
    async with served(client):
        yield


@pytest.fixture
def desk(client: Client) -> SupportDesk:
    return SupportDesk(client, ui_url=UI)


@pytest.fixture
def records(engine: AsyncEngine, audit: PostgresAuditTrail, clock: FakeClock) -> SupportRecords:
    return SupportRecords(engine, audit=audit, clock=clock)


@pytest.fixture
def radicado_key() -> bytes:
    """Another for each test, because all of them share one Temporal."""
    return uuid.uuid4().bytes


@pytest.fixture
def radicado(radicado_key: bytes) -> str:
    """The radicado that follows from the doctor's document alone."""
    return radicado_of(Submission(user_type=UserType.OTHER, document=DOCTOR.document), key=radicado_key)


@pytest.fixture
def support(
    desk: SupportDesk, records: SupportRecords, audit: PostgresAuditTrail, radicado_key: bytes
) -> Support:
    return Support(desk=desk, records=records, audit=audit, radicado_key=radicado_key)


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Ask again until visibility, which follows by a moment, shows it."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await holds():
            await asyncio.sleep(0.02)
