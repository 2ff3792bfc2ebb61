"""The sandbox, which production omits, finds nothing in the workflows to refuse."""

import pytest
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from tests.replay.stored import HISTORIES, replayer, stored

ENDINGS = ("completed", "updated", "refused-sanctioned", "expired", "cancelled", "given-up")


@pytest.mark.parametrize("name", ENDINGS)
async def test_every_ending_replays_in_the_sandbox(name: str) -> None:
    sandboxed = replayer(workflow_runner=SandboxedWorkflowRunner())
    await sandboxed.replay_workflow(stored(HISTORIES / f"{name}.json"))
