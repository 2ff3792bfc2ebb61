"""Programs of Debian's that some tests run: Prometheus, Alertmanager, nginx."""

import os
import shutil

import pytest

PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
    "nginx": "nginx-light",
    "apache2": "apache2",
    "pgbouncer": "pgbouncer",
}


def program(name: str) -> str:
    """Path of a program; without it the test is skipped, but in CI it fails."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        reason = f"{name} is not on the PATH: Debian's package {PACKAGES[name]} has it"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return found
