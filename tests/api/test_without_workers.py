"""Temporal is there and no worker is.

What was accepted is promised in time, and is found again.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.testing import WorkflowEnvironment

from tests.api.conftest import API_KEY, OpenClient
from tests.support.conftest import eventually

KEY = {"Authorization": f"Bearer {API_KEY}"}
BODY = {"user_type": "other", "document": {"type": "CC", "number": "1020304050"}, "data_terms_accepted": True}


async def test_a_registration_is_promised_after_the_wait_though_nobody_works_on_it(
    open_client: OpenClient, temporal_env: WorkflowEnvironment, database_url: str
) -> None:
    address = temporal_env.client.service_client.config.target_host
    client = await open_client(temporal_address=address, database_url=database_url, submit_wait_seconds=0.2)
    answers = [await client.post("/api/v1/registrations", json=BODY, headers=KEY) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    body = answers[0].json()
    assert (body["status"], answers[1].json()) == ("in_progress", body)
    handle = temporal_env.client.get_workflow_handle(f"registration/{body['radicado']}")
    try:
        seen = await client.get(f"/api/v1/registrations/{body['radicado']}", headers=KEY)
        assert (seen.status_code, seen.json()["stage"], seen.json()["outcome"]) == (200, "checking", None)
        page = await client.get(f"/registro/estado/{body['radicado']}")
        assert (page.status_code, body["radicado"] in page.text) == (200, True)
        assert "1020304050" not in page.text
    finally:
        await handle.terminate("the test is over")


async def test_the_trail_names_the_client_that_submitted(
    open_client: OpenClient, temporal_env: WorkflowEnvironment, database_url: str, engine: AsyncEngine
) -> None:
    address = temporal_env.client.service_client.config.target_host
    client = await open_client(
        temporal_address=address,
        database_url=database_url,
        submit_wait_seconds=0.2,
        api_keys="siis:a-named-key,a-plain-key",
    )

    async def actors() -> set[str]:
        statement = text("SELECT actor FROM audit_entries WHERE type = 'registration_submitted'")
        async with engine.connect() as connection:
            return set((await connection.execute(statement)).scalars())

    async def both_are_written() -> bool:
        return await actors() == {"program:siis", "program"}

    keys = ("a-named-key", "a-plain-key")
    bearers = [{"Authorization": f"Bearer {key}"} for key in keys]
    answers = [await client.post("/api/v1/registrations", json=BODY, headers=header) for header in bearers]
    await temporal_env.client.get_workflow_handle(f"registration/{answers[0].json()['radicado']}").terminate()
    assert [answer.status_code for answer in answers] == [202, 202]
    wrong = {"Authorization": "Bearer siis:a-named-key"}
    assert (await client.post("/api/v1/registrations", json=BODY, headers=wrong)).status_code == 401
    await eventually(both_are_written)
