"""Worker of the naive registration.

The product's activities and settings, another workflow.
"""

import asyncio

import uvloop
from google.protobuf.duration_pb2 import Duration
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.catalog import catalog
from bench.naive_workflow import NAMESPACE, NaiveRegistration
from bench.programs import serve
from mipres import composition
from mipres.arguments import take_none
from mipres.settings.loading import load_settings
from mipres.temporal.connection import connect
from mipres.temporal.names import REGISTRATIONS_QUEUE, SEARCH_ATTRIBUTES

_RETENTION = Duration(seconds=24 * 60 * 60)
_PATIENCE_SECONDS = 60
_PAUSE_SECONDS = 0.5


async def create_namespace(client: Client) -> None:
    """A namespace with the product's search attributes.

    The server needs some seconds to see it.
    """
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=NAMESPACE, workflow_execution_retention_period=_RETENTION)
    )
    kinds = {key.name: key.indexed_value_type.value for key in SEARCH_ATTRIBUTES}
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not await _knows_attributes(client, kinds):
            await asyncio.sleep(_PAUSE_SECONDS)


async def _knows_attributes(client: Client, kinds: dict[str, int]) -> bool:
    request = AddSearchAttributesRequest(namespace=NAMESPACE)
    for name, kind in kinds.items():
        request.search_attributes[name] = kind  # type: ignore[assignment]
    try:
        await client.operator_service.add_search_attributes(request)
    except RPCError as error:
        if error.status is RPCStatusCode.ALREADY_EXISTS:
            return True
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


async def _work() -> None:
    settings = load_settings()
    client = await connect(composition.temporal_connection(settings), identity="naive")
    async with (
        composition.open_database(settings) as database,
        composition.open_ports(settings, database) as ports,
    ):
        worker = Worker(
            client,
            task_queue=REGISTRATIONS_QUEUE,
            workflows=[NaiveRegistration],
            activities=catalog(ports).all(),
            # As the product's own: what differs is the workflow alone.
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
        async with worker:
            await serve()


if __name__ == "__main__":
    take_none("python -m bench.naive", __doc__)
    uvloop.run(_work())
