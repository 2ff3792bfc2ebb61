"""Code, key or engine does not fit.

The status page says what is still known, and never fails.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import httpx2
import pytest
from google.protobuf.duration_pb2 import Duration
from structlog.testing import capture_logs
from temporalio import workflow
from temporalio.api.workflowservice.v1 import PauseWorkflowExecutionRequest, RegisterNamespaceRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from api import readiness
from api.readiness import Readiness
from mipres.domain.fitness import Fitness
from mipres.domain.stages import Stage, WaitingOn
from mipres.domain.submissions import UserType
from mipres.temporal import names
from mipres.temporal.answers import (
    TemporalUnavailableError,
    UnknownWorkflowError,
    UnreadableAnswerError,
    translated,
)
from mipres.temporal.codec import UnknownPayloadKeyError
from mipres.temporal.names import WorkflowType
from tests.api.conftest import API_KEY, OpenClient
from tests.patience import PATIENCE_SECONDS

KEY = {"Authorization": f"Bearer {API_KEY}"}
RADICADO = "RM-0123456789AB"


@workflow.defn(name="Registration")
class FailingQuery:
    """As a build whose query cannot answer."""

    @workflow.run
    async def run(self, _request: str) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.query
    def status(self) -> str:
        raise ApplicationError("broken build")


@workflow.defn(name="Registration")
class OtherShape:
    """As a build that answers in another shape, and ends in it."""

    def __init__(self) -> None:
        self._ends = False

    @workflow.run
    async def run(self, _request: str) -> dict[str, str]:
        await workflow.wait_condition(lambda: self._ends)
        return {"unheard": "of"}

    @workflow.signal
    def password_set(self) -> None:
        self._ends = True

    @workflow.query
    def status(self) -> dict[str, str]:
        return {"unheard": "of"}


@pytest.fixture
async def serve(
    temporal_env: WorkflowEnvironment,
) -> AsyncIterator[Callable[[type], Any]]:
    """Start a registration that waits for ReTHUS, served by the given build."""
    async with AsyncExitStack() as stack:

        @asynccontextmanager
        async def served(build: type) -> AsyncIterator[WorkflowHandle[Any, Any]]:
            queue = f"misfit-{uuid.uuid4().hex}"
            attributes: list[SearchAttributePair[Any]] = [
                SearchAttributePair(names.REGISTRATION_STAGE, Stage.WAITING_REGISTRY),
                SearchAttributePair(names.USER_TYPE, UserType.OTHER),
                SearchAttributePair(names.WAITING_ON, [WaitingOn.RETHUS]),
            ]
            runner = UnsandboxedWorkflowRunner()
            async with Worker(
                temporal_env.client, task_queue=queue, workflows=[build], workflow_runner=runner
            ):
                handle = await temporal_env.client.start_workflow(
                    WorkflowType.REGISTRATION,
                    "request",
                    id=names.registration_workflow_id(RADICADO),
                    task_queue=queue,
                    search_attributes=TypedSearchAttributes(attributes),
                )
                try:
                    yield handle
                finally:
                    with suppress(RPCError):
                        await handle.terminate("the test is over")

        yield lambda build: stack.enter_async_context(served(build))


@pytest.fixture
async def api(
    open_client: OpenClient, temporal_env: WorkflowEnvironment, database_url: str
) -> Callable[..., Any]:
    address = temporal_env.client.service_client.config.target_host

    async def start(**settings: Any) -> httpx2.AsyncClient:
        return await open_client(temporal_address=address, database_url=database_url, **settings)

    return start


async def seen(client: httpx2.AsyncClient) -> dict[str, Any]:
    answer = await client.get(f"/api/v1/registrations/{RADICADO}", headers=KEY)
    assert answer.status_code == 200, answer.text
    page = await client.get(f"/registro/estado/{RADICADO}")
    assert page.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


WAITING = {"stage": "waiting_registry", "waiting_on": ["rethus"], "user_type": "other"}


def fallbacks(metrics: str) -> dict[str, float]:
    lines = [line for line in metrics.splitlines() if line.startswith("mipres_status_fallbacks_total{")]
    counts = {line.split('"')[1]: float(line.rpartition(" ")[2]) for line in lines}
    assert set(counts) == {"unanswered", "query_failed", "unreadable"}
    return {cause: count for cause, count in counts.items() if count}


@pytest.mark.parametrize(("build", "cause"), [(FailingQuery, "query_failed"), (OtherShape, "unreadable")])
async def test_a_query_that_fails_falls_back_to_the_search_attributes(
    api: Callable[..., Any], serve: Callable[[type], Any], build: type, cause: str
) -> None:
    await serve(build)
    client = await api()
    assert (await seen(client)).items() >= WAITING.items()
    assert fallbacks((await client.get("/metrics")).text) == {cause: 2.0}


async def test_a_result_of_another_shape_falls_back_too(
    api: Callable[..., Any], serve: Callable[[type], Any]
) -> None:
    handle = await serve(OtherShape)
    await handle.signal("password_set")
    await handle.result()
    assert (await seen(await api())).items() >= WAITING.items()


async def test_a_missing_key_falls_back_and_readiness_names_it(
    api: Callable[..., Any], serve: Callable[[type], Any]
) -> None:
    await serve(OtherShape)
    client = await api(payload_keys={"other": bytes(range(32))})
    assert (await seen(client)).items() >= WAITING.items()
    assert fallbacks((await client.get("/metrics")).text) == {"unreadable": 2.0}
    async with asyncio.timeout(PATIENCE_SECONDS):
        # The server lists a new run a moment after its start.
        while (ready := await client.get("/health/ready")).status_code != 503:
            await asyncio.sleep(0.05)
    assert ready.json()["payload_keys"] == "unfit"


async def test_what_a_stranger_starts_makes_no_process_unfit(
    api: Callable[..., Any], temporal_env: WorkflowEnvironment
) -> None:
    stranger = Client(temporal_env.client.service_client, namespace=temporal_env.client.namespace)
    handle = await stranger.start_workflow(
        WorkflowType.REGISTRATION,
        "in clear",
        id=f"registration/{uuid.uuid4()}",
        task_queue="nobody-serves-this",
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        # The server lists a new run a moment after its start.
        while not (await stranger.count_workflows(f"{names.RUNNING} AND WorkflowId = '{handle.id}'")).count:
            await asyncio.sleep(0.05)
    ready = await (await api()).get("/health/ready")
    assert (ready.status_code, ready.json()["payload_keys"]) == (200, "ok")
    await handle.terminate("the test is over")


async def test_a_paused_run_is_shown_as_it_stands(
    api: Callable[..., Any], serve: Callable[[type], Any], temporal_env: WorkflowEnvironment
) -> None:
    handle = await serve(FailingQuery)
    await temporal_env.client.workflow_service.pause_workflow_execution(
        PauseWorkflowExecutionRequest(
            namespace=temporal_env.client.namespace,
            workflow_id=handle.id,
            identity="the test",
            reason="a look",
            request_id=uuid.uuid4().hex,
        )
    )
    assert (await seen(await api())).items() >= WAITING.items()


async def test_a_missing_namespace_is_no_unknown_radicado(api: Callable[..., Any]) -> None:
    client = await api(temporal_namespace="nowhere")
    answer = await client.get(f"/api/v1/registrations/{RADICADO}", headers=KEY)
    assert answer.status_code == 503
    assert (await client.get("/api/v1/registrations/RM-0000000000ZZ", headers=KEY)).status_code == 503
    ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()["namespace"]) == (503, "unfit")


async def test_readiness_names_every_check(api: Callable[..., Any]) -> None:
    ready = await (await api()).get("/health/ready")
    assert ready.status_code == 200
    assert ready.json() == dict.fromkeys(
        ("database", "schema", "writable", "temporal", "namespace", "search_attributes", "payload_keys"), "ok"
    )


async def test_a_look_at_a_temporal_that_stands_still_ends_and_is_not_repeated(
    api: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, answer = [], asyncio.Event()

    async def stands_still(_readiness: Readiness) -> dict[str, Fitness]:
        looks.append(1)
        await answer.wait()
        return {"temporal": Fitness.OK}

    monkeypatch.setattr(readiness, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(Readiness, "_temporal", stands_still)
    client = await api()
    for _look in range(2):
        ready = await client.get("/health/ready")
        assert (ready.status_code, ready.json()["temporal"]) == (200, "down")
    assert len(looks) == 1
    answer.set()


async def test_missing_search_attributes_are_named_by_readiness(
    api: Callable[..., Any], temporal_env: WorkflowEnvironment
) -> None:
    """A namespace of its own has none of the search attributes."""
    name = f"bare-{uuid.uuid4().hex}"
    await temporal_env.client.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=Duration(seconds=86_400))
    )
    client = await api(temporal_namespace=name)
    async with asyncio.timeout(PATIENCE_SECONDS):
        # The server reads its list of namespaces every few seconds.
        while (ready := await client.get("/health/ready")).json()["namespace"] != "ok":
            await asyncio.sleep(0.2)
    assert (ready.status_code, ready.json()["search_attributes"]) == (503, "unfit")
    with capture_logs() as lines:
        assert "mipres_temporal_up 0.0" in (await client.get("/metrics")).text
    [reason] = (line["reason"] for line in lines if line["event"] == "figures_missing")
    assert "search attribute" in reason


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RPCError("no such workflow", RPCStatusCode.NOT_FOUND, b""), UnknownWorkflowError),
        (RPCError("busy", RPCStatusCode.RESOURCE_EXHAUSTED, b""), TemporalUnavailableError),
        (TimeoutError(), TemporalUnavailableError),
        (UnknownPayloadKeyError("k9"), UnreadableAnswerError),
    ],
)
def test_each_failure_is_one_of_two_errors(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind), translated():
        raise error


def test_the_log_gets_the_servers_own_words_and_nothing_that_was_decoded() -> None:
    with pytest.raises(TemporalUnavailableError, match=r"^PERMISSION_DENIED: not yours$"), translated():
        raise RPCError("not yours", RPCStatusCode.PERMISSION_DENIED, b"")
    with pytest.raises(TemporalUnavailableError) as caught, translated():
        raise ValueError("CC1020304050")
    assert "1020304050" not in str(caught.value)
