import contextvars
import json
import logging
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider

from api.serving import SERVER_ENVIRONMENT
from mipres.logs import (
    bind_radicado,
    bind_trace,
    bind_work,
    bind_workflow,
    configure_logging,
    trace_of_work,
)
from mipres.temporal.names import workflow_id_of

ROOT = Path(__file__).parents[2]
RADICADO = "RM-7K2M9QXR4T8W"
RUN = str(uuid.UUID(int=7))


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What is logged since the last look. Logging is put back afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook

    def look() -> str:
        return capsys.readouterr().out

    yield look
    root.handlers[:], root.level = handlers, level
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    structlog.contextvars.clear_contextvars()


def lines_of(program: str) -> list[dict[str, object]]:
    """What a program writes, in a process of its own.

    Its terminal knows no accents.
    """
    start = f"from mipres.logs import configure_logging; configure_logging()\n{program}"
    done = subprocess.run(
        [sys.executable, "-c", start],
        capture_output=True,
        encoding="utf-8",
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_line_of_the_sdk_names_registration_trace_and_activity(written: Callable[[], str]) -> None:
    configure_logging()
    context = {
        "workflow_id": f"registration/{RADICADO}",
        "workflow_run_id": RUN,
        "activity_id": "crear-cuenta",
        "attempt": 3,
        "other": "x",
    }
    logging.getLogger("temporalio.activity").warning("it failed", extra={"temporal_activity": context})
    line = json.loads(written())
    assert (line["radicado"], line["activity_id"], line["attempt"]) == (RADICADO, "crear-cuenta", 3)
    assert line["trace_id"] == trace_of_work(RADICADO, run_id="")
    of_workflow = {"workflow_id": f"registration/{RADICADO}", "run_id": RUN}
    logging.getLogger("temporalio.workflow").warning("waits", extra={"temporal_workflow": of_workflow})
    line = json.loads(written())
    assert (line["radicado"], line["trace_id"]) == (RADICADO, trace_of_work(RADICADO, run_id=""))
    of_schedule = {"workflow_id": "retention-2026-11-26T15:00:00Z", "run_id": RUN}
    logging.getLogger("temporalio.workflow").warning("waits", extra={"temporal_workflow": of_schedule})
    assert json.loads(written())["trace_id"] == RUN.replace("-", "")
    logging.getLogger("elsewhere").warning("no context")
    assert {"radicado", "trace_id"}.isdisjoint(json.loads(written()))


def test_only_a_radicado_is_called_one(written: Callable[[], str]) -> None:
    configure_logging()
    for workflow_id in ("retention", f"lock-notice/{RUN}"):
        logging.getLogger("temporalio.workflow").warning(
            "x", extra={"temporal_workflow": {"workflow_id": workflow_id}}
        )
        line = json.loads(written())
        assert ("radicado" in line, line["workflow_id"]) == (False, workflow_id)
    # What a stranger writes into an address may be a document.
    bind_radicado("CC1020304050")
    logging.getLogger("api").warning("request")
    assert "radicado" not in json.loads(written())


@pytest.mark.parametrize("name", ["structlog", "logging"])
def test_what_is_bound_is_in_every_line_of_the_task(name: str, written: Callable[[], str]) -> None:
    configure_logging()
    bind_workflow(f"recovery/RC-{RADICADO[3:]}", run_id=RUN)
    bind_trace(fallback="f" * 32)
    log = structlog.stdlib.get_logger("mipres.x") if name == "structlog" else logging.getLogger("mipres.x")
    log.warning("anything")
    line = json.loads(written())
    assert (line["radicado"], line["trace_id"]) == (f"RC-{RADICADO[3:]}", "f" * 32)


@pytest.mark.parametrize("reference", [RADICADO, f"RC-{RADICADO[3:]}"])
def test_without_a_collector_request_workflow_and_steps_share_one_trace(
    reference: str, written: Callable[[], str]
) -> None:
    """Each process finds it by itself, and a run that begins again keeps it."""
    configure_logging()
    workflow_id = workflow_id_of(reference)

    def in_the_request() -> None:
        bind_trace(fallback="f" * 32)
        bind_work(reference)
        structlog.stdlib.get_logger("api").info("request")

    def in_a_step() -> None:
        bind_workflow(workflow_id, run_id=RUN)
        logging.getLogger("activities").info("step")

    def in_the_workflow() -> None:
        context = {"workflow_id": workflow_id, "run_id": str(uuid.UUID(int=8))}
        logging.getLogger("temporalio.workflow").info("waits", extra={"temporal_workflow": context})

    for one in (in_the_request, in_a_step, in_the_workflow):
        contextvars.Context().run(one)
    lines = [json.loads(line) for line in written().splitlines()]
    assert {line["radicado"] for line in lines} == {reference}
    [trace_id] = {line["trace_id"] for line in lines}
    assert len(trace_id) == 32
    assert trace_id != trace_of_work(workflow_id_of("RM-000000000000"), run_id=RUN)


def test_with_a_collector_the_trace_is_that_of_the_span(written: Callable[[], str]) -> None:
    configure_logging()
    with TracerProvider().get_tracer("test").start_as_current_span("step") as span:
        logging.getLogger("elsewhere").warning("in the span")
        bind_work(RADICADO)
    expected = f"{span.get_span_context().trace_id:032x}"
    assert json.loads(written())["trace_id"] == expected
    logging.getLogger("temporalio.activity").warning("after it")
    assert json.loads(written())["trace_id"] == expected


def test_an_error_is_its_type_and_its_place(written: Callable[[], str]) -> None:
    """Its text, and what a traceback repeats, may be personal."""
    configure_logging()
    for log in (logging.getLogger("mipres.x"), structlog.stdlib.get_logger("mipres.x")):
        try:
            int("CC1020304050")
        except ValueError:
            log.exception("it failed")
        line = json.loads(text := written())
        assert (line["error"], line["where"].startswith("test_logs.py:")) == ("ValueError", True)
        assert ("1020304050" in text, "traceback" in text.lower()) == (False, False)


def test_what_python_itself_complains_of_is_json_too() -> None:
    old, never, thread, last = lines_of(
        "import asyncio, threading, warnings\n"
        "warnings.warn('it is old: año — \\ud800')\n"
        "asyncio.new_event_loop().call_exception_handler({'message': 'never awaited'})\n"
        "thread = threading.Thread(target=lambda: 1 / 0); thread.start(); thread.join()\n"
        "raise KeyError('CC1020304050')\n"
    )
    assert ("it is old: año — \ud800" in str(old["event"]), never["event"]) == (True, "never awaited")
    assert (thread["error"], last["error"], last["level"]) == ("ZeroDivisionError", "KeyError", "critical")
    assert "1020304050" not in str(last)


def test_the_core_of_the_sdk_speaks_through_python_without_metrics_too() -> None:
    """A worker without a port for metrics has no other way, nor has the API."""
    [line] = lines_of(
        "from temporalio.runtime import Runtime\n"
        "from mipres import telemetry\n"
        "from mipres.telemetry import core_lines_through_python, runtime_with_metrics\n"
        "said = []\n"
        "real = telemetry.TelemetryConfig\n"
        "telemetry.TelemetryConfig = lambda **given: said.append(given['logging'].forwarding.logger.name) or real(**given)\n"
        "core_lines_through_python(); runtime_with_metrics('127.0.0.1', 0); Runtime.default()\n"
        "import logging; logging.getLogger('x').warning(str(said))\n"
    )
    assert line["event"] == "['temporalio.core', 'temporalio.core']"


@pytest.mark.parametrize(
    "command",
    [
        ("worker.py",),
        ("-m", "uvicorn", "api.main:app", "--no-access-log", "--log-level", "warning"),
        ("-m", "uvicorn", "api.nothing:app", "--no-access-log", "--log-level", "warning"),
    ],
)
def test_a_process_that_does_not_start_says_so_in_json(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        **SERVER_ENVIRONMENT,
        "MIPRES_ENVIRONMENT": "production",
        "MIPRES_DATABSE": "x",
    }.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, cwd=ROOT, timeout=60
    )
    lines = [json.loads(line) for line in (done.stdout + done.stderr).splitlines()]
    assert (done.returncode != 0, bool(lines)) == (True, True)
    assert lines[-1]["level"] == "error"
