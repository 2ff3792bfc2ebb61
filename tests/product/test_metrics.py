"""`/metrics` of API and worker, while registrations come to different ends."""

from collections.abc import AsyncIterator

import pytest

from tests.deployment.watched import watched_metrics
from tests.product.conftest import Metrics, Product

pytestmark = pytest.mark.one_of_each

PERSONAL_LABELS = {"document", "number", "login", "email", "radicado", "workflow_id", "name", "path", "url"}


async def both(product: Product) -> tuple[Metrics, Metrics]:
    return await product.metrics("api"), await product.metrics("worker")


@pytest.fixture
async def mail_down(product: Product) -> AsyncIterator[None]:
    await product.mail.put("/_control", json={"mode": "down"})
    yield
    await product.mail.put("/_control", json={"mode": "up"})


async def test_submissions_are_counted_by_outcome_and_timed(product: Product) -> None:
    before_api, before_worker = await both(product)
    refused = {"user_type": "professional", "outcome": "not_in_rethus"}
    registered = {"user_type": "professional", "outcome": "registered"}
    assert (await product.register_professional(await product.new_person())).status_code == 422
    assert (await product.register_professional(await product.new_professional())).status_code == 201
    api, worker = await both(product)
    for labels in (refused, registered):
        name = "mipres_submissions_total"
        assert api.total(name, channel="api", **labels) == before_api.total(name, channel="api", **labels) + 1
        name = "mipres_time_to_outcome_seconds_count"
        assert worker.total(name, **labels) == before_worker.total(name, **labels) + 1
        # A registry may hold an answer up for a day, and the figure still says so.
        assert worker.total("mipres_time_to_outcome_seconds_bucket", le="86400", **labels) >= 1
    name = "mipres_registrations_ended_total"
    assert worker.total(name, stage="refused") == before_worker.total(name, stage="refused") + 1


async def test_requests_are_counted_by_the_pattern_of_their_route(product: Product) -> None:
    person = await product.new_professional()
    radicado = (await product.register_professional(person)).json()["radicado"]
    await product.view(radicado)
    assert (await product.api.get("/nada/1987654399")).status_code == 404
    api = await product.metrics("api")
    route = "/api/v1/registrations/{radicado}"
    assert api.total("mipres_http_requests_total", method="GET", route=route, status="200") >= 1
    assert api.total("mipres_http_request_duration_seconds_count", route=route) >= 1
    assert api.total("mipres_http_requests_total", route="(none)", status="404") >= 1
    assert radicado not in api.text
    assert "1987654399" not in api.text


async def test_what_waits_is_told_by_the_thing_that_is_waited_for(product: Product) -> None:
    await product.set_registry("sso", mode="down")
    try:
        person = await product.new_person()
        waiting = await product.register(user_type="social_service", document=person["document"])
        assert waiting.status_code == 202

        async def counted() -> bool:
            api = await product.metrics("api")
            return api.total("mipres_registrations_waiting", waiting_on="sso") >= 1

        await product.eventually(counted)
        api, worker = await both(product)
        assert api.total("mipres_registrations_running", stage="waiting_registry") >= 1
        assert worker.total("mipres_registry_failures_total", registry="sso") >= 1
    finally:
        await product.set_registry("sso", mode="up")
    assert api.total("mipres_temporal_up") == 1
    assert {
        "mipres_registrations_stuck",
        "mipres_oldest_stuck_seconds",
        "mipres_workflows_broken",
        "mipres_reviews_stopped",
    } <= api.names()
    for queue in ("registrations", "registry-sso", "registry-rethus", "registry-miseguridadsocial"):
        assert api.total("mipres_queue_pollers", task_queue=queue) >= 1, queue


@pytest.mark.usefixtures("mail_down")
async def test_failures_of_mail_are_counted(product: Product) -> None:
    before = await product.metrics("worker")
    assert (await product.register_professional(await product.new_professional())).status_code == 201

    async def counted() -> bool:
        now = await product.metrics("worker")
        name = "mipres_mail_failures_total"
        return now.total(name, kind="not_accepted") > before.total(name, kind="not_accepted")

    await product.eventually(counted)


async def test_the_worker_shows_what_the_sdk_measures(product: Product) -> None:
    names = (await product.metrics("worker")).names()
    assert {
        "temporal_workflow_completed_total",
        "temporal_activity_schedule_to_start_latency_seconds_count",
        "temporal_worker_task_slots_available",
        "temporal_num_pollers",
        "temporal_request_latency_seconds_count",
    } <= names


async def test_no_label_can_name_a_person(product: Product) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    for metrics in await both(product):
        for family in text_string_to_metric_families(metrics.text):
            for sample in family.samples:
                assert not PERSONAL_LABELS & set(sample.labels), sample.name


@pytest.mark.usefixtures("mail_down")
async def test_everything_that_is_watched_is_told(product: Product) -> None:
    await product.set_registry("sso", mode="down")
    try:
        assert (await product.register_professional(await product.new_person())).status_code == 422
        assert (await product.register_professional(await product.new_professional())).status_code == 201
        document = (await product.new_person())["document"]
        assert (await product.register(user_type="social_service", document=document)).status_code == 202
        await product.mail.put("/_control", json={"mode": "up"})
        await product.complete(await product.new_professional())
        unseen: set[str] = set()

        async def told() -> bool:
            api, worker = await both(product)
            unseen.clear()
            unseen.update(watched_metrics() - api.names() - worker.names())
            return not unseen

        try:
            await product.eventually(told)
        except TimeoutError:
            pytest.fail(f"nobody tells {sorted(unseen)}")
    finally:
        await product.set_registry("sso", mode="up")
