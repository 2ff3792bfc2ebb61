"""Who may see `/metrics` of the API, and what it says where Temporal is away."""

import asyncio
import tomllib
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.testing import WorkflowEnvironment

from api import temporal_gauges
from api.temporal_gauges import TemporalGauges
from mipres.temporal import names
from mipres.version import VERSION
from tests.api.conftest import API_KEY, OpenClient, hidden
from tests.patience import PATIENCE_SECONDS

KEY = "mEtRiCs-k3y-0f-Th15-t35t-0nly-99"
CLIENTS_KEY = "cL13nTs-k3y-0f-Th15-t35t-0nly-42x"
PRODUCTION = {
    "environment": "production",
    "public_url": "https://mipres.test",
    "secret_key": "s3cR3t-0f-Th15-t35t-0nly-XyZ-4217",
    "payload_keys": f"k1:{b64encode(bytes(range(32))).decode()}",
    "audit_keys": f"a1:{b64encode(bytes(range(32, 64))).decode()}",
    "api_keys": CLIENTS_KEY,
    "temporal_plaintext": "accepted",
    "smtp_url": "smtps://mail.test",
    "captcha": "image",
    **{f"{name}_url": f"https://{name}.test" for name in ("miseguridadsocial", "rethus", "sso")},
    **{f"{name}_token": "t" * 32 for name in ("miseguridadsocial", "rethus", "sso")},
}


@pytest.mark.parametrize(
    ("key", "authorization", "status"),
    [
        (None, None, 404),
        (None, "Bearer ", 404),
        (KEY, None, 401),
        (KEY, f"Bearer {CLIENTS_KEY}", 401),
        (KEY, f"Bearer {KEY}", 200),
    ],
)
async def test_in_production_metrics_are_behind_their_own_key(
    open_client: OpenClient, key: str | None, authorization: str | None, status: int
) -> None:
    client = await open_client(**PRODUCTION, **({"metrics_key": key} if key else {}))
    answer = await client.get("/metrics", headers={"Authorization": authorization} if authorization else {})
    assert answer.status_code == status
    assert ("mipres_" in answer.text) is (status == 200)


async def test_a_key_counts_in_development_too(open_client: OpenClient) -> None:
    assert (await (await open_client()).get("/metrics")).status_code == 200
    closed = await open_client(metrics_key=KEY)
    assert (await closed.get("/metrics", headers={"Authorization": f"Bearer {API_KEY}"})).status_code == 401


async def test_where_temporal_is_away_its_figures_are_away_and_the_rest_is_told(
    open_client: OpenClient,
) -> None:
    client = await open_client()
    body = {"user_type": "other", "document": {"type": "CC", "number": "70999"}, "data_terms_accepted": True}
    key = {"Authorization": f"Bearer {API_KEY}"}
    assert (await client.post("/api/v1/registrations", json=body, headers=key)).status_code == 503
    await client.request("BREW", "/")
    told = (await client.get("/metrics")).text
    assert "mipres_temporal_up 0.0" in told
    assert "mipres_registrations" not in told
    labels = 'channel="api",outcome="unavailable",user_type="other"'
    assert f"mipres_submissions_total{{{labels}}} 1.0" in told
    assert 'mipres_http_requests_total{method="OTHER",route="/",status="405"} 1.0' in told


@pytest.fixture
async def stuck(temporal_env: WorkflowEnvironment) -> AsyncIterator[datetime]:
    """Two that are stuck, on a queue that nobody serves; since when the older one is."""
    now, handles = datetime.now(UTC), []
    for number, hours in enumerate((2, 50)):
        attributes: list[SearchAttributePair[Any]] = [
            SearchAttributePair(names.STUCK_SINCE, now - timedelta(hours=hours)),
            SearchAttributePair(names.WAITING_ON, ["sso"]),
        ]
        handles.append(
            await temporal_env.client.start_workflow(
                "Registration",
                id=names.registration_workflow_id(f"RM-OLD{number}"),
                task_queue="nobody",
                search_attributes=TypedSearchAttributes(attributes),
            )
        )
    yield now - timedelta(hours=50)
    for handle in handles:
        await handle.terminate()


async def test_the_oldest_of_all_that_are_stuck_is_found_to_the_minute(
    temporal_env: WorkflowEnvironment, stuck: datetime
) -> None:
    time, figures = 0.0, None
    gauges = TemporalGauges(temporal_env.client, timer=lambda: time)
    for _ in range(100):
        time += 60
        figures = await gauges.figures()
        assert figures is not None
        if figures.stuck == 2:
            break
    assert figures is not None
    assert (figures.stuck, figures.waiting["sso"]) == (2, 2)
    age = (datetime.now(UTC) - stuck).total_seconds()
    assert age - 60 <= figures.oldest_stuck_seconds <= age + 120


@pytest.fixture
async def unanswered(temporal_env: WorkflowEnvironment) -> AsyncIterator[None]:
    """One that is checked since a moment, on a queue that nobody serves."""
    attributes: list[SearchAttributePair[Any]] = [SearchAttributePair(names.REGISTRATION_STAGE, "checking")]
    handle = await temporal_env.client.start_workflow(
        "Registration",
        id=names.registration_workflow_id("RM-UNSEEN"),
        task_queue="nobody",
        search_attributes=TypedSearchAttributes(attributes),
    )
    yield
    await handle.terminate()


@pytest.mark.usefixtures("unanswered")
async def test_who_gets_no_answer_and_counts_as_stuck_nowhere_is_counted(
    temporal_env: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporal_gauges, "UNSEEN_AFTER", timedelta(0))
    monkeypatch.setattr(temporal_gauges, "_PRECISION", timedelta(milliseconds=500))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            figures = await TemporalGauges(temporal_env.client).figures()
            assert figures is not None
            if figures.unseen == 1 and figures.oldest_checking_seconds > 0:
                break
            await asyncio.sleep(1)
    monkeypatch.setattr(temporal_gauges, "UNSEEN_AFTER", timedelta(minutes=15))
    later = await TemporalGauges(temporal_env.client).figures()
    assert later is not None
    assert later.unseen == 0


async def test_every_counter_begins_at_zero_for_what_is_known_beforehand(open_client: OpenClient) -> None:
    told = (await (await open_client()).get("/metrics")).text
    for series in (
        'mipres_submissions_total{channel="web",outcome="unavailable",user_type="delegate"}',
        'mipres_submissions_total{channel="api",outcome="not_in_sso",user_type="social_service"}',
        'mipres_http_requests_total{method="POST",route="/registro/{tipo}",status="503"}',
        'mipres_payloads_refused_total{fault="tampered"}',
        'mipres_status_fallbacks_total{cause="unreadable"}',
    ):
        assert f"{series} 0.0" in told, series
    assert 'mipres_build_info{build="none",version="0.1.0"} 1.0' in told
    assert "mipres_database_up 0.0" in told
    assert "mipres_schema" not in told


def test_the_version_is_the_project_s() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["project"]["version"] == VERSION


async def test_a_submission_by_mail_that_is_not_accepted_counts_too(
    open_client: OpenClient, database_url: str
) -> None:
    client = await open_client(enumeration="neutral", database_url=database_url)
    form = hidden(await client.get("/registro/otro"))
    typed = {"tipo_documento": "CC", "numero_documento": "70999123", "acepta_datos": "SI"}
    answer = await client.post("/registro/otro", data=form | typed)
    assert answer.status_code == 503, answer.text
    told = (await client.get("/metrics")).text
    series = 'mipres_submissions_total{channel="web",outcome="unavailable",user_type="other"}'
    assert f"{series} 1.0" in told
    assert "mipres_database_up 1.0" in told


async def test_figures_are_asked_for_again_only_after_a_while(temporal_env: WorkflowEnvironment) -> None:
    time = 0.0
    gauges = TemporalGauges(temporal_env.client, timer=lambda: time)
    first = await gauges.figures()
    time = 4.0
    assert await gauges.figures() is first
    time = 6.0
    assert await gauges.figures() is not first
