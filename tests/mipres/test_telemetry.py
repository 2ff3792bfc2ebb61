import json
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from mipres.settings import load_settings
from mipres.telemetry import MetricsPortTakenError, configure_logging, runtime_with_metrics


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Logging as it was, because pytest listens to it too."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level


def test_no_port_serves_no_metrics() -> None:
    assert runtime_with_metrics("127.0.0.1", 0) is None


def test_a_taken_port_is_told_in_one_line_that_names_the_settings() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(MetricsPortTakenError) as caught:
            runtime_with_metrics("127.0.0.1", port)
    assert f"127.0.0.1:{port} (MIPRES_METRICS_HOST, MIPRES_METRICS_PORT)" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("logging_restored")
def test_a_line_of_an_activity_names_the_registration_and_the_activity(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging()
    context = {"workflow_id": "registration/RM-1", "activity_id": "crear-cuenta", "attempt": 3, "other": "x"}
    logging.getLogger("temporalio.activity").warning("it failed", extra={"temporal_activity": context})
    line = json.loads(capsys.readouterr().out)
    assert (line["radicado"], line["activity_id"], line["attempt"]) == ("RM-1", "crear-cuenta", 3)
    logging.getLogger("temporalio.workflow").warning("waits", extra={"temporal_workflow": context})
    assert json.loads(capsys.readouterr().out)["radicado"] == "RM-1"
    logging.getLogger("elsewhere").warning("no context")
    assert "radicado" not in json.loads(capsys.readouterr().out)


def test_what_python_itself_complains_of_is_json_too() -> None:
    """In a process of its own, because pytest keeps warnings to itself."""
    program = (
        "import asyncio, warnings; from mipres.telemetry import configure_logging; configure_logging();"
        "warnings.warn('it is old');"
        "loop = asyncio.new_event_loop(); loop.call_exception_handler({'message': 'never awaited'})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    old, never = (json.loads(line) for line in done.stdout.splitlines())
    assert ("it is old" in old["event"], never["event"]) == (True, "never awaited")
    assert done.stderr == ""


def test_a_short_key_of_the_metrics_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {
        "SECRET_KEY": "s",
        "PAYLOAD_KEYS": "k:" + "A" * 43 + "=",
        "METRICS_KEY": "corta",
    }.items():
        monkeypatch.setenv(f"MIPRES_{name}", value)
    monkeypatch.setenv("MIPRES_DATABASE_URL", "postgresql+asyncpg://a@b/c")
    with pytest.raises(SystemExit):
        load_settings()
    assert capsys.readouterr().err.startswith("MIPRES_METRICS_KEY: use al menos 32 caracteres")
