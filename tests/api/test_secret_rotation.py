"""What began under one MIPRES_SECRET_KEY goes on under the next."""

from typing import Any

from temporalio.testing import WorkflowEnvironment

from mipres.domain.audit import operator
from mipres.domain.documents import parse_document
from mipres.support.actions import Support
from tests.api.conftest import API_KEY, OpenClient
from tests.support.conftest import eventually

KEY = {"Authorization": f"Bearer {API_KEY}"}
DOCUMENT = {"type": "CC", "number": "1020304987"}
BODY = {"user_type": "other", "document": DOCUMENT, "data_terms_accepted": True}
PROFESSIONAL = BODY | {"user_type": "professional", "professional_registration": "76-1234"}
OLD, NEW = "the secret of last year and long enough", "the secret of this year and long enough"


async def test_a_person_joins_is_found_and_keeps_the_status_page_under_another_secret(
    open_client: OpenClient, temporal_env: WorkflowEnvironment, database_url: str
) -> None:
    address = temporal_env.client.service_client.config.target_host
    common: dict[str, Any] = {
        "temporal_address": address,
        "database_url": database_url,
        "submit_wait_seconds": 0.2,
    }
    before = await open_client(**common, secret_key=OLD)
    after = await open_client(**common, secret_key=NEW, secret_key_previous=OLD)
    handles = []
    try:
        for body in (BODY, PROFESSIONAL):
            first, again = [
                (await client.post("/api/v1/registrations", json=body, headers=KEY)).json()
                for client in (before, after)
            ]
            handles.append(temporal_env.client.get_workflow_handle(f"registration/{first['radicado']}"))
            assert again == first
            seen = await after.get(first["status_url"].partition("://")[2].partition("/")[2])
            assert (seen.status_code, first["radicado"] in seen.text) == (200, True)

        support: Support = after._transport.app.state.services.support.support  # type: ignore[attr-defined]

        async def is_found() -> bool:
            found = await support.find(parse_document(*DOCUMENT.values()), actor=operator("ana"))
            return {case.reference for case in found.cases} == {
                handle.id.partition("/")[2] for handle in handles
            }

        await eventually(is_found)
    finally:
        for handle in handles:
            await handle.terminate("the test is over")
