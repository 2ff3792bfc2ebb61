"""A run that was cut off.

The page and the JSON API say what is true in the database.
"""

import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import workflow
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from mipres.database.engine import session_factory
from mipres.database.tables import AccountRow, PasswordLinkRow, ProfileRow
from mipres.domain.stages import Stage
from mipres.domain.submissions import UserType
from mipres.temporal import names
from mipres.temporal.names import WorkflowType
from tests.api.conftest import API_KEY, OpenClient

KEY = {"Authorization": f"Bearer {API_KEY}"}
RADICADO = "RM-0123456789AB"
Start = Callable[..., Awaitable[WorkflowHandle[Any, Any]]]


@workflow.defn(name="Registration")
class Failing:
    """As a build that fails its run."""

    @workflow.run
    async def run(self, _request: str) -> None:
        raise ApplicationError("broken", non_retryable=True)


@pytest.fixture
async def client(
    open_client: OpenClient, temporal_env: WorkflowEnvironment, database_url: str
) -> httpx2.AsyncClient:
    address = temporal_env.client.service_client.config.target_host
    return await open_client(temporal_address=address, database_url=database_url)


@pytest.fixture
def start(temporal_env: WorkflowEnvironment) -> Start:
    """Start a registration that has published a stage, on a queue of its own."""

    async def started(stage: Stage = Stage.AWAITING_PASSWORD, **options: Any) -> WorkflowHandle[Any, Any]:
        attributes: list[SearchAttributePair[Any]] = [
            SearchAttributePair(names.REGISTRATION_STAGE, stage),
            SearchAttributePair(names.USER_TYPE, UserType.OTHER),
        ]
        return await temporal_env.client.start_workflow(
            WorkflowType.REGISTRATION,
            "request",
            id=names.registration_workflow_id(RADICADO),
            task_queue="cut-off",
            search_attributes=TypedSearchAttributes(attributes),
            **options,
        )

    return started


async def store(
    engine: AsyncEngine, *, has_password: bool = False, link_hours: float = 24, closed: str | None = None
) -> None:
    """Store the account of the registration, and its link."""
    now, account_id = datetime.now(UTC), uuid.uuid4()
    async with session_factory(engine).begin() as session:
        session.add(
            AccountRow(
                id=account_id,
                document_type="CC",
                document_number="1020304050",
                login="CC1020304050",
                given_names="Ana",
                surnames="Ruiz",
                email="ana@ejemplo.test",
                password_set_at=now if has_password else None,
            )
        )
        await session.flush()
        session.add(ProfileRow(id=uuid.uuid4(), account_id=account_id, user_type="other", radicado=RADICADO))
        session.add(
            PasswordLinkRow(
                id=uuid.uuid4(),
                account_id=account_id,
                reference=RADICADO,
                issue_key="one",
                purpose="create",
                issued_at=now,
                expires_at=now + timedelta(hours=link_hours),
                closed_at=now if closed else None,
                closed_reason=closed,
            )
        )


async def seen(client: httpx2.AsyncClient) -> tuple[str, str]:
    """The stage of the JSON API, and the status page."""
    answer = await client.get(f"/api/v1/registrations/{RADICADO}", headers=KEY)
    page = await client.get(f"/registro/estado/{RADICADO}")
    assert (answer.status_code, page.status_code) == (200, 200)
    return answer.json()["stage"], page.text


async def test_a_terminated_run_whose_link_works_says_so(
    client: httpx2.AsyncClient, start: Start, engine: AsyncEngine
) -> None:
    await store(engine)
    await (await start()).terminate("by hand")
    stage, page = await seen(client)
    assert stage == "awaiting_password"
    assert "sirve hasta el" in page
    assert "Soporte canceló" not in page
    assert "/reenviar" not in page


async def test_a_terminated_run_whose_password_is_set_is_complete(
    client: httpx2.AsyncClient, start: Start, engine: AsyncEngine
) -> None:
    await store(engine, has_password=True, closed="used")
    await (await start()).terminate("by hand")
    stage, page = await seen(client)
    assert stage == "completed"
    assert "Ya puede ingresar con su usuario y contraseña" in page
    assert "Soporte canceló" not in page


@pytest.mark.parametrize("link", [{"link_hours": -1}, {"closed": "superseded"}])
async def test_a_terminated_run_whose_link_is_dead_promises_nothing(
    client: httpx2.AsyncClient, start: Start, engine: AsyncEngine, link: dict[str, Any]
) -> None:
    await store(engine, **link)
    await (await start()).terminate("by hand")
    stage, page = await seen(client)
    assert stage == "cancelled"
    assert "El registro se interrumpió" in page
    assert "En curso" not in page


async def test_a_run_that_timed_out_is_not_under_way(client: httpx2.AsyncClient, start: Start) -> None:
    handle = await start(Stage.CHECKING, execution_timeout=timedelta(seconds=1))
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    stage, page = await seen(client)
    assert stage == "cancelled"
    assert "En curso" not in page
    assert "El registro se interrumpió" in page


async def test_a_run_that_failed_is_not_under_way(
    client: httpx2.AsyncClient, start: Start, temporal_env: WorkflowEnvironment
) -> None:
    runner = UnsandboxedWorkflowRunner()
    async with Worker(temporal_env.client, task_queue="cut-off", workflows=[Failing], workflow_runner=runner):
        handle = await start(Stage.WAITING_REGISTRY)
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    stage, page = await seen(client)
    assert stage == "cancelled"
    assert "En curso" not in page


async def test_without_the_database_a_cut_off_run_is_still_shown(
    open_client: OpenClient, temporal_env: WorkflowEnvironment, start: Start
) -> None:
    address = temporal_env.client.service_client.config.target_host
    client = await open_client(temporal_address=address)
    await (await start()).terminate("by hand")
    stage, page = await seen(client)
    assert stage == "cancelled"
    assert "El registro se interrumpió" in page
