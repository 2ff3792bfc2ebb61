"""Embedded Temporal: the development server with its web interface, in one file."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from dev.probes import LOOPBACK, http_ok
from dev.process import LaunchError, Part

SEARCH_ATTRIBUTES: Mapping[str, str] = {
    "RegistrationStage": "Keyword",
    "UserType": "Keyword",
    "WaitingOn": "KeywordList",
    "StuckSince": "Datetime",
    "ReviewStage": "Keyword",
    "ReviewedProfiles": "Int",
}
# The default of 20 polls a second on the only shard costs 30 to 40 ms at every hop.
DYNAMIC_CONFIG: Mapping[str, str] = {
    "history.transferProcessorMaxPollRPS": "1000",
    "history.timerProcessorMaxPollRPS": "1000",
}
# The default rollback journal halves the throughput.
SQLITE_PRAGMAS: Mapping[str, str] = {"journal_mode": "wal", "synchronous": "normal"}
# Go collects garbage a quarter as often: some milliseconds of processor a registration, for some more memory.
GARBAGE_COLLECTION: Mapping[str, str] = {"GOGC": "400"}


def find_temporal() -> Path:
    """The server's program: beside this Python, or on the PATH."""
    beside = Path(sys.executable).with_name("temporal")
    found = beside if beside.exists() else shutil.which("temporal")
    if found is None:
        raise LaunchError("No se encontró el programa `temporal`: instale las dependencias con `make run`.")
    return Path(found)


def temporal_server(*, port: int, ui_port: int, database: Path) -> Part:
    """The server with the product's search attributes."""
    command = (
        *(str(find_temporal()), "server", "start-dev", "--ip", LOOPBACK),
        *("--port", str(port), "--ui-port", str(ui_port), "--db-filename", str(database)),
        # The interface would tell its maker's site, with a number of its own, each time it is opened.
        *("--log-level", "error", "--ui-disable-news-fetch"),
        *_repeated("--sqlite-pragma", SQLITE_PRAGMAS),
        *_repeated("--dynamic-config-value", DYNAMIC_CONFIG),
        *_repeated("--search-attribute", SEARCH_ATTRIBUTES),
    )
    return Part(
        name="temporal",
        command=command,
        environment={**os.environ, **GARBAGE_COLLECTION},
        address=f"{LOOPBACK}:{port}, interfaz en http://{LOOPBACK}:{ui_port}",
        # The summary of addresses is printed once the search attributes are registered.
        ready_line="Temporal Server:",
        is_ready=http_ok(ui_port, "/"),
        stop_seconds=1.5,
        discreet=True,
    )


def _repeated(option: str, values: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(word for name, value in values.items() for word in (option, f"{name}={value}"))
