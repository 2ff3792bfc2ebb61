"""The histories that are stored beside this module, and the way to replay one."""

import json
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from mipres.temporal.connection import WorkerPayloadConverter, data_converter
from mipres.temporal.trust import TrustedPayloads
from tests.conftest import ACTIVE_PAYLOAD_KEY, PAYLOAD_KEYS
from workflows.workers import WORKFLOWS

HISTORIES = Path(__file__).with_name("histories")
# Payloads are bound to the namespace and the id of their workflow, so a replay takes place under both.
NAMESPACE = "default"


def replayer(**options: Any) -> Replayer:
    """A replayer as the worker is set up."""
    given: dict[str, Any] = {"workflows": WORKFLOWS, "interceptors": [TrustedPayloads()], **options}
    converter = data_converter(PAYLOAD_KEYS, active=ACTIVE_PAYLOAD_KEY, converter=WorkerPayloadConverter)
    return Replayer(namespace=NAMESPACE, data_converter=converter, **given)


def stored(path: Path) -> WorkflowHistory:
    history = json.loads(path.read_text(encoding="utf-8"))
    workflow_id = history["events"][0]["workflowExecutionStartedEventAttributes"]["workflowId"]
    return WorkflowHistory.from_json(workflow_id, history)
