"""`make audit` and `make lint`: known weaknesses of what the product depends on.

A weakness fails. What the database of advisories does not know, or that it cannot be asked, is printed, and fails
only where that is wanted (`--strict`), because a machine without a network must be able to check the rest.
"""

import json
import subprocess
import sys
from typing import Any

from mipres.arguments import Arguments

_OPTIONS = ("--format", "json", "--progress-spinner", "off", "--require-hashes", "--disable-pip")


def findings(report: dict[str, Any]) -> list[str]:
    """One line for each known weakness."""
    return [
        f"{one['name']} {one['version']}: {weakness['id']}, corregido en {', '.join(weakness['fix_versions']) or '—'}"
        for one in report["dependencies"]
        for weakness in one.get("vulns", ())
    ]


def unaudited(report: dict[str, Any]) -> list[str]:
    """Names of what the database did not know."""
    return [one["name"] for one in report["dependencies"] if "skip_reason" in one]


def read(output: str) -> dict[str, Any] | None:
    """pip-audit's report; None where it did not get as far as one."""
    try:
        report: dict[str, Any] = json.loads(output)
    except json.JSONDecodeError:
        return None
    return report


def verdict(report: dict[str, Any] | None, *, strict: bool) -> int:
    """Say what was found; the exit code."""
    if report is None:
        print("La base de avisos no respondió: no se auditó nada.")
        return 1 if strict else 0
    for line in findings(report):
        print(line)
    known, missing = report["dependencies"], unaudited(report)
    if missing:
        print(f"La base de avisos no conoce {len(missing)} de {len(known)} paquetes: {', '.join(missing)}.")
    is_complete = bool(known) and not missing
    return 1 if findings(report) or (strict and not is_complete) else 0


def main() -> int:
    parser = Arguments(prog="python -m dev.audit", description=__doc__)
    parser.add_argument("--strict", action="store_true", help="fail also where not all is known")
    is_strict = parser.parse_args().strict
    command = (sys.executable, "-m", "pip_audit", *_OPTIONS, "--requirement", "requirements.lock")
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return verdict(read(output), strict=is_strict)


if __name__ == "__main__":
    sys.exit(main())
