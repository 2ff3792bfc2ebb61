"""docker-compose.yml as the engine would read it.

Merged, and with its variables filled in.
"""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
# `${NAME}`, `${NAME:-default}`, `${NAME:?message}`; `$$` is a plain dollar.
_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\})")


def compose_text() -> str:
    return (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


def compose_file() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(compose_text())
    return loaded


def services(values: Mapping[str, str]) -> dict[str, Any]:
    """The services, with the variables' values put in."""
    filled = _filled(compose_file()["services"], values)
    assert isinstance(filled, dict)
    return filled


def demanded_variables() -> set[str]:
    """Variables without which compose refuses to start."""
    return {
        found["name"]
        for found in _VARIABLE.finditer(compose_text())
        if found["name"] and found["kind"] == "?"
    }


def read_env(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def make_env(path: Path) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(DEPLOY / "make-env.sh"), str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, values) for item in value]
    return _VARIABLE.sub(lambda found: _value(found, values), value) if isinstance(value, str) else value


def _value(found: re.Match[str], values: Mapping[str, str]) -> str:
    if found["name"] is None:
        return "$"
    value = values.get(found["name"], "")
    if found["kind"] == "?":
        assert value, f"compose refuses to start without {found['name']}"
    return value or (found["rest"] if found["kind"] == "-" else "")
