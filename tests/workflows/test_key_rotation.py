"""A registration under way continues while its keys are rotated."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_bytes
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.catalog import catalog
from mipres.domain.outcomes import OutcomeStatus
from mipres.domain.stages import Stage
from mipres.key_rings import with_another_key, with_second_active
from mipres.temporal import names
from mipres.temporal.codec import UntrustedPayloadError
from mipres.temporal.connection import data_converter
from tests.conftest import PAYLOAD_KEYS
from tests.workflows.conftest import MEDICINE, Handle, World
from workflows.registration import Registration
from workflows.workers import of_registrations

Keys = dict[str, bytes]


def holder_of(env: WorkflowEnvironment, keys: Keys) -> Client:
    """A process that was given these keys; the first encrypts."""
    converter = data_converter(keys, active=next(iter(keys)))
    return Client(env.client.service_client, namespace=env.client.namespace, data_converter=converter)


@asynccontextmanager
async def working(world: World, client: Client) -> AsyncIterator[None]:
    async with Worker(
        client,
        task_queue=names.REGISTRATIONS_QUEUE,
        workflows=[Registration],
        activities=of_registrations(catalog(world.ports())),
        max_cached_workflows=0,
    ):
        yield


async def sealed_with(client: Client, workflow_id: str) -> set[str]:
    """Ids of the keys of everything in a history."""
    found: set[str] = set()
    async for event in client.get_workflow_handle(workflow_id).fetch_history_events():
        found |= {payload.metadata["encryption-key-id"].decode() for payload in payloads_in(event)}
    return found


def payloads_in(message: Any) -> list[Payload]:
    if isinstance(message, Payload):
        return [message] if "encryption-key-id" in message.metadata else []
    found: list[Payload] = []
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        if descriptor.message_type.GetOptions().map_entry:
            parts = [part for part in value.values() if hasattr(part, "ListFields")]
        else:
            parts = list(value) if hasattr(value, "append") or hasattr(value, "add") else [value]
        for part in parts:
            found += payloads_in(part)
    return found


def seen_by(client: Client, handle: Handle) -> Handle:
    """The same registration, through the keys of another process."""
    return client.get_workflow_handle_for(Registration.run, handle.id)


async def test_a_registration_goes_on_while_its_keys_are_rotated(temporal_env: WorkflowEnvironment) -> None:
    world = World(env=temporal_env)
    world.knows(MEDICINE)
    old = dict(PAYLOAD_KEYS)
    new_id, added = with_another_key(old, lambda: token_bytes(32))
    rotated = with_second_active(added)
    assert rotated is not None
    _, activated = rotated
    first, reader, last = (holder_of(temporal_env, keys) for keys in (old, added, activated))

    async with working(world, first):
        handle, outcome = await world.submit()
        assert outcome.status is OutcomeStatus.REGISTERED
        await world.mailed("password_link")
    # First step: everybody reads the new key. An API that is already at the second step writes with it.
    async with working(world, reader):
        told = seen_by(last, handle)
        assert (await told.query(Registration.status)).stage is Stage.AWAITING_PASSWORD
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await told.execute_update("retry_now", "ReTHUS volvió a responder")
        assert isinstance(refused.value.cause, ApplicationError)
        assert refused.value.cause.type == names.WRONG_STAGE
    # Second step: the workers write with it too.
    async with working(world, last):
        world.sets_password()
        await told.signal(Registration.password_set)
        assert (await told.result()).stage is Stage.COMPLETED

    assert await sealed_with(last, handle.id) == {*old, new_id}
    reading = seen_by(reader, handle)
    assert (await reading.result()).stage is Stage.COMPLETED
    # A process that was left out of the first step reads nothing of it: that is why the order matters.
    with pytest.raises(UntrustedPayloadError, match="unknown_key"):
        await seen_by(first, handle).result()
