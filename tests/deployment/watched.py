"""What Grafana and Prometheus ask for, as deploy/monitoring says it."""

import json
import re
from typing import Any

import yaml

from tests.deployment.composed import DEPLOY

MONITORING = DEPLOY / "monitoring"


def alerts() -> list[dict[str, Any]]:
    loaded = yaml.safe_load((MONITORING / "alerts.yml").read_text(encoding="utf-8"))
    return [rule for group in loaded["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    text = (MONITORING / "grafana" / "registro-mipres.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def expressions() -> list[str]:
    shown = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    return [*shown, *(rule["expr"] for rule in alerts())]


def watched_metrics() -> set[str]:
    return metrics_in(*expressions())


def metrics_in(*expressions: str) -> set[str]:
    return {name for one in expressions for name in re.findall(r"\b(?:mipres|temporal)_\w+", one)}
