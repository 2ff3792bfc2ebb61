"""A stranger with reach to Temporal, and no key, can do nothing to a workflow."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.client import (
    ActivityFailureError,
    Client,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
)
from temporalio.converter import DataConverter, WorkflowSerializationContext
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from mipres.temporal.codec import EncryptionCodec, Fault, UntrustedPayloadError
from mipres.temporal.connection import WorkerPayloadConverter, data_converter
from mipres.temporal.names import WRONG_ARGUMENTS
from mipres.temporal.trust import UNTRUSTED_PAYLOAD, TrustedPayloads
from tests.conftest import ACTIVE_PAYLOAD_KEY, PAYLOAD_KEYS
from tests.patience import PATIENCE_SECONDS

noticed: list[tuple[Fault, str]] = []


@workflow.defn(name="Registration")
class Listener:
    """Takes every kind of message, as the real one."""

    @workflow.init
    def __init__(self, request: str) -> None:
        self._request = request
        self._heard: list[str] = []
        self._finished = False

    @workflow.run
    async def run(self, _request: str) -> list[str]:
        await workflow.wait_condition(lambda: self._finished)
        return self._heard

    @workflow.signal
    def hear(self, word: str) -> None:
        self._heard.append(word)

    @workflow.signal
    def finish(self) -> None:
        self._finished = True

    @workflow.update
    async def act(self, reason: str) -> str:
        self._heard.append(reason)
        return reason

    @workflow.update
    async def look(self) -> list[str]:
        return self._heard

    @act.validator
    def _validate_act(self, reason: str) -> None:
        if not reason.strip():
            raise ApplicationError("no reason")

    @workflow.query
    def heard(self) -> list[str]:
        return self._heard


@activity.defn
async def write(value: str) -> str:
    raise AssertionError(f"{value} was written")


@dataclass(frozen=True, kw_only=True)
class Scene:
    owner: Client
    stranger: Client
    queue: str
    sent: EncryptionCodec

    async def start(self) -> WorkflowHandle[Listener, list[str]]:
        return await self.owner.start_workflow(
            Listener.run, "mine", id=f"registration/{uuid.uuid4()}", task_queue=self.queue
        )

    def forged(self, handle: WorkflowHandle[Listener, list[str]]) -> WorkflowHandle[Any, Any]:
        return self.stranger.get_workflow_handle(handle.id)


@pytest.fixture
async def scene(temporal_env: WorkflowEnvironment) -> AsyncIterator[Scene]:
    service, namespace = temporal_env.client.service_client, temporal_env.client.namespace
    queue = f"trust-{uuid.uuid4()}"
    noticed.clear()
    serving = Client(
        service,
        namespace=namespace,
        data_converter=data_converter(
            PAYLOAD_KEYS,
            active=ACTIVE_PAYLOAD_KEY,
            converter=WorkerPayloadConverter,
            on_refused=lambda fault, scope: noticed.append((fault, scope)),
        ),
    )
    worker = Worker(
        serving,
        task_queue=queue,
        workflows=[Listener],
        activities=[write],
        interceptors=[TrustedPayloads()],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    owner = Client(
        service, namespace=namespace, data_converter=data_converter(PAYLOAD_KEYS, active=ACTIVE_PAYLOAD_KEY)
    )
    async with worker:
        yield Scene(
            owner=owner,
            stranger=Client(service, namespace=namespace, data_converter=DataConverter()),
            queue=queue,
            sent=EncryptionCodec(PAYLOAD_KEYS, active=ACTIVE_PAYLOAD_KEY),
        )


async def ended(handle: WorkflowHandle[Listener, list[str]]) -> list[str]:
    await handle.signal(Listener.finish)
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await handle.result()


async def test_a_start_in_clear_fails_and_is_noticed(scene: Scene) -> None:
    handle = await scene.stranger.start_workflow(
        "Registration", "forged", id=f"registration/{uuid.uuid4()}", task_queue=scene.queue
    )
    with pytest.raises(WorkflowFailureError):
        await asyncio.wait_for(handle.result(), PATIENCE_SECONDS)
    assert noticed[0] == (Fault.PLAINTEXT, f"default/{handle.id}")


async def test_a_signal_in_clear_is_dropped_and_harms_nothing(scene: Scene) -> None:
    handle = await scene.start()
    await scene.forged(handle).signal(Listener.hear, "forged")
    await handle.signal(Listener.hear, "true")
    assert await ended(handle) == ["true"]


async def test_an_update_in_clear_is_rejected_and_harms_nothing(scene: Scene) -> None:
    handle = await scene.start()
    with pytest.raises(WorkflowUpdateFailedError):
        await scene.forged(handle).execute_update(Listener.act, "forged")
    assert await handle.execute_update(Listener.act, "true") == "true"
    assert await ended(handle) == ["true"]


@pytest.mark.parametrize("values", [[], ["one", "two"]])
async def test_an_update_of_other_data_says_what_it_takes(scene: Scene, values: list[str]) -> None:
    handle = await scene.start()
    with pytest.raises(WorkflowUpdateFailedError) as raised:
        await handle.execute_update("act", args=values)
    cause = raised.value.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.message, cause.type) == (
        f"act recibe un solo dato y llegaron {len(values)}",
        WRONG_ARGUMENTS,
    )
    assert await ended(handle) == []


async def test_what_comes_with_a_message_that_takes_nothing_harms_nothing(scene: Scene) -> None:
    handle = await scene.start()
    assert await handle.query("heard", "one") == []
    assert await handle.execute_update("look", "one") == []
    await handle.signal("finish", "one")
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await handle.result() == []
    kinds = [event.event_type async for event in handle.fetch_history_events()]
    assert EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED not in kinds


async def test_ciphertext_of_another_workflow_is_no_word_for_this_one(scene: Scene) -> None:
    other, handle = await scene.start(), await scene.start()
    seal = scene.sent.with_context(WorkflowSerializationContext(namespace="default", workflow_id=other.id))

    class Replaying(EncryptionCodec):
        """A stranger's: sends what was recorded of another workflow."""

        def with_context(self, _context: object) -> EncryptionCodec:  # type: ignore[override]
            return seal

    replaying = Client(
        scene.owner.service_client,
        namespace=scene.owner.namespace,
        data_converter=DataConverter(payload_codec=Replaying(PAYLOAD_KEYS, active=ACTIVE_PAYLOAD_KEY)),
    )
    await replaying.get_workflow_handle(handle.id).signal(Listener.hear, "moved")
    assert await ended(handle) == []
    assert await ended(other) == []
    assert (Fault.MOVED, f"default/{handle.id}") in noticed


@pytest.mark.parametrize("with_the_key", [False, True])
async def test_an_activity_is_refused_outside_a_workflow(scene: Scene, *, with_the_key: bool) -> None:
    client = scene.owner if with_the_key else scene.stranger
    handle = await client.start_activity(
        write,
        "forged",
        id=str(uuid.uuid4()),
        task_queue=scene.queue,
        start_to_close_timeout=timedelta(seconds=10),
    )
    with pytest.raises(ActivityFailureError) as raised:
        await asyncio.wait_for(handle.result(), PATIENCE_SECONDS)
    cause = raised.value.__cause__
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.non_retryable) == (UNTRUSTED_PAYLOAD, True)


async def test_an_operators_reason_is_an_updates_and_nothing_else(scene: Scene) -> None:
    handle = await scene.start()
    text = Payload(metadata={"encoding": b"json/plain"}, data=b'"lo pidi\xc3\xb3"')

    def sealing(seconds: float) -> WorkflowHandle[Any, Any]:
        class Sealed(EncryptionCodec):
            """As Temporal's interface sends what the codec server has sealed."""

            def with_context(self, _context: object) -> EncryptionCodec:  # type: ignore[override]
                return self

            async def encode(self, payloads: object) -> list[Payload]:
                return [self.seal_for_operator(text, actor="ana", lifetime_seconds=seconds)]

        client = Client(
            scene.owner.service_client,
            namespace=scene.owner.namespace,
            data_converter=DataConverter(payload_codec=Sealed(PAYLOAD_KEYS, active=ACTIVE_PAYLOAD_KEY)),
        )
        return client.get_workflow_handle(handle.id)

    await sealing(60).signal(Listener.hear, "")
    with pytest.raises(WorkflowUpdateFailedError):
        await sealing(-60).execute_update(Listener.act, "")
    accepted = await sealing(60).start_update(Listener.act, "", wait_for_stage=WorkflowUpdateStage.COMPLETED)
    assert accepted.workflow_id == handle.id
    assert await ended(handle) == ["lo pidió"]


async def test_a_client_raises_for_an_answer_that_is_refused(scene: Scene) -> None:
    handle = await scene.start()
    other = data_converter({"b": bytes(32)}, active="b")
    elsewhere = Client(scene.owner.service_client, namespace=scene.owner.namespace, data_converter=other)
    with pytest.raises(UntrustedPayloadError):
        await elsewhere.get_workflow_handle(handle.id).query(Listener.heard)
    assert await ended(handle) == []
