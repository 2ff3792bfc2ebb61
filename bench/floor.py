"""Worker of the floor, and its driver.

The SDK alone, without HTTP, encryption or a database.
"""

import time
import uuid

import uvloop
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from bench.floor_workflow import QUEUE, Floor, nothing
from bench.programs import serve
from bench.visits import Timed
from mipres.arguments import take_none
from mipres.settings.loading import load_settings
from mipres.settings.model import Settings


class FloorDriver:
    """Does with the bare workflow what a visitor does with a registration."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def submit(self) -> tuple[float, str]:
        """Seconds until the update answers, and the workflow's id."""
        began, identifier = time.perf_counter(), f"floor/{uuid.uuid4()}"
        start = WithStartWorkflowOperation(
            Floor.run,
            id=identifier,
            task_queue=QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        await self._client.execute_update_with_start_workflow(Floor.outcome, start_workflow_operation=start)
        return time.perf_counter() - began, identifier

    async def register(self) -> Timed:
        began = time.perf_counter()
        outcome, identifier = await self.submit()
        handle = self._client.get_workflow_handle(identifier)
        await handle.signal(Floor.tell)
        await handle.result()
        return Timed(outcome=outcome, whole=time.perf_counter() - began)


async def connect(settings: Settings) -> Client:
    return await Client.connect(settings.temporal_address)


async def _work() -> None:
    worker = Worker(
        await connect(load_settings()),
        task_queue=QUEUE,
        workflows=[Floor],
        activities=[nothing],
        # As the product's own, so that the floor is not higher than it need be.
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        await serve()


if __name__ == "__main__":
    take_none("python -m bench.floor", __doc__)
    uvloop.run(_work())
