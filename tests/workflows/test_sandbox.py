"""The sandbox, which production does without, still finds nothing in the workflows to refuse."""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from mipres.temporal.connection import data_converter
from tests.conftest import ACTIVE_PAYLOAD_KEY, PAYLOAD_KEYS
from workflows.registration import Registration

HISTORIES = Path(__file__).parents[1] / "replay" / "histories"
ENDINGS = ("completed", "updated", "refused-sanctioned", "expired", "cancelled", "given-up")


def replayer() -> Replayer:
    return Replayer(
        workflows=[Registration],
        data_converter=data_converter(PAYLOAD_KEYS, active=ACTIVE_PAYLOAD_KEY),
        workflow_runner=SandboxedWorkflowRunner(),
    )


def history(name: str) -> WorkflowHistory:
    text = (HISTORIES / f"{name}.json").read_text(encoding="utf-8")
    return WorkflowHistory.from_json(f"registration/{name}", text)


@pytest.mark.parametrize("name", ENDINGS)
async def test_every_ending_replays_in_the_sandbox(name: str) -> None:
    await replayer().replay_workflow(history(name))
