"""The Kubernetes manifests, for any build, as `kubectl apply` would get them."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.deployment.composed import DEPLOY

KUBERNETES = DEPLOY / "kubernetes"
WRITTEN_BUILD = "0.1.0"
POSTGRES_CONNECTIONS = 100
"""PostgreSQL's own max_connections."""
RESERVED_CONNECTIONS = 13
"""Three for administrators, ten for migrations, commands and monitoring."""


def printed(build: str, *files: str) -> subprocess.CompletedProcess[str]:
    """What for-build.sh prints."""
    command = ["sh", str(KUBERNETES / "for-build.sh"), build, *files]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def resources(build: str = WRITTEN_BUILD) -> dict[str, dict[str, Any]]:
    """Every resource by file, kind and name."""
    found = {}
    for path in sorted(KUBERNETES.glob("*.yaml")):
        for resource in yaml.safe_load_all(printed(build, path.name).stdout):
            if resource is not None:
                found[f"{path.name}: {resource['kind']} {resource['metadata']['name']}"] = resource
    return found


@dataclass(frozen=True, kw_only=True)
class Container:
    """The one container of a Job or a Deployment.

    Its command, and what its environment says.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    image: str
    probe: tuple[str, ...]
    """The command that tells whether it lives; empty where there is none."""


def container(name: str, *, build: str, secrets: Mapping[str, Mapping[str, str]]) -> Container:
    """Find a workload's container and its environment, as the kubelet would.

    Args:
        name: The workload's name.
        build: For which build the manifests are printed.
        secrets: The content of each Secret by its name.
    """
    every = resources(build).values()
    [workload] = [
        item for item in every if item["kind"] in {"Deployment", "Job"} and item["metadata"]["name"] == name
    ]
    [spec] = workload["spec"]["template"]["spec"]["containers"]
    maps = {item["metadata"]["name"]: item["data"] for item in every if item["kind"] == "ConfigMap"}
    environment: dict[str, str] = {}
    for source in spec["envFrom"]:
        if "configMapRef" in source:
            environment |= maps[source["configMapRef"]["name"]]
        else:
            environment |= secrets[source["secretRef"]["name"]]
    environment |= {item["name"]: item["value"] for item in spec.get("env", [])}
    return Container(
        command=tuple(spec.get("command", ())),
        environment=environment,
        image=spec["image"],
        probe=tuple(spec.get("readinessProbe", {}).get("exec", {}).get("command", ())),
    )


def readme() -> str:
    return Path(KUBERNETES / "README.md").read_text(encoding="utf-8")
