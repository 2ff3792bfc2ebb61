"""The profile `monitoring`, without its programs.

The files agree with each other and with the product.
"""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deployment.composed import ROOT
from tests.deployment.manifests import resources
from tests.deployment.programs import program
from tests.deployment.watched import MONITORING, alerts, dashboard, expressions, metrics_in, watched_metrics


def sections(page: Path) -> dict[str, str]:
    """The text below each heading, by the heading's anchor."""
    _, *found = re.split(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    anchors = [re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in found[::2]]
    return dict(zip(anchors, found[1::2], strict=True))


def test_monitoring_is_only_started_when_asked_for(composed: dict[str, Any]) -> None:
    asked = {name for name, service in composed.items() if service.get("profiles") == ["monitoring"]}
    assert asked == {"prometheus", "alertmanager", "grafana"}
    for name, service in composed.items():
        if name not in asked:
            assert not asked & set(service.get("depends_on", {})), name


def test_prometheus_asks_each_process_where_it_serves(composed: dict[str, Any]) -> None:
    loaded = yaml.safe_load((MONITORING / "prometheus.yml").read_text(encoding="utf-8"))
    asked = {}
    for job in loaded["scrape_configs"]:
        [found] = job["dns_sd_configs"]
        [service] = found["names"]
        assert service in composed
        asked[service] = found["port"]
    [published] = composed["api"]["ports"]
    worker = composed["worker"]["environment"]
    assert asked == {
        "api": int(published.rpartition(":")[2]),
        "worker": int(worker["MIPRES_METRICS_PORT"]),
    }
    assert worker["MIPRES_METRICS_HOST"] == "0.0.0.0"
    [rules] = loaded["rule_files"]
    assert f"./deploy/monitoring/alerts.yml:{rules}:ro" in composed["prometheus"]["volumes"]


def test_alerts_leave_by_mail(composed: dict[str, Any]) -> None:
    loaded = yaml.safe_load((MONITORING / "prometheus.yml").read_text(encoding="utf-8"))
    [manager] = loaded["alerting"]["alertmanagers"]
    assert manager["static_configs"] == [{"targets": ["alertmanager:9093"]}]
    routed = yaml.safe_load((MONITORING / "alertmanager.yml").read_text(encoding="utf-8"))
    [receiver] = routed["receivers"]
    assert {routed["route"]["receiver"], *(route["receiver"] for route in routed["route"]["routes"])} == {
        receiver["name"]
    }
    host = routed["global"]["smtp_smarthost"].partition(":")[0]
    assert set(composed["alertmanager"]["networks"]) & set(composed[host]["networks"]) == {
        *("monitoring", "loopback")
    }


def test_grafana_finds_its_dashboard_and_prometheus(composed: dict[str, Any]) -> None:
    source = yaml.safe_load((MONITORING / "grafana" / "datasource.yml").read_text(encoding="utf-8"))
    [prometheus] = source["datasources"]
    assert prometheus["url"] == "http://prometheus:9090"
    assert {panel["datasource"]["uid"] for panel in dashboard()["panels"]} == {prometheus["uid"]}
    provider = yaml.safe_load((MONITORING / "grafana" / "dashboards.yml").read_text(encoding="utf-8"))
    folder = provider["providers"][0]["options"]["path"]
    mounted = [mount for mount in composed["grafana"]["volumes"] if "registro-mipres.json" in mount]
    assert [mount.split(":")[1].rpartition("/")[0] for mount in mounted] == [folder]
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_and_leads_to_the_run_book(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"info", "warning", "critical"} | (
        {"none"} if rule["alert"] == "Watchdog" else set()
    )
    assert rule["annotations"]["summary"].strip()
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    section = sections(ROOT / page)[anchor]
    for question in ("Means", "See", "Do"):
        assert re.search(rf"^- \*\*{question}\*\*: \S.+\.$", section, re.MULTILINE), question


def test_the_run_book_explains_no_alert_that_is_not_there() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    explained = page.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    assert re.findall(r"^### (.+)$", explained, re.MULTILINE) == [rule["alert"] for rule in alerts()]


def test_what_the_run_book_shows_on_the_dashboard_is_there() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    explained = page.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    named = re.findall(r"\*([^*]+)\*", " ".join(re.findall(r"panels? (.+?)[.;]", explained)))
    assert named
    assert set(named) <= {panel["title"] for panel in dashboard()["panels"]}


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_a_panel_that_the_run_book_names_shows_what_the_alert_is_about(rule: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = page.partition(f"\n### {rule['alert']}\n")[2].partition("\n### ")[0]
    named = re.findall(r"\*([^*]+)\*", " ".join(re.findall(r"panels? (.+?)[.;]", section)))
    shown = [
        target["expr"]
        for panel in dashboard()["panels"]
        if panel["title"] in named
        for target in panel["targets"]
    ]
    assert not shown or metrics_in(rule["expr"]) & metrics_in(*shown)


def kubernetes_configuration(name: str, file: str) -> str:
    [found] = [item for title, item in resources().items() if title.endswith(f": ConfigMap {name}")]
    text: str = found["data"][file]
    return text


CONFIGURATIONS = {
    "compose's Prometheus": (MONITORING / "prometheus.yml").read_text(encoding="utf-8"),
    "compose's Alertmanager": (MONITORING / "alertmanager.yml").read_text(encoding="utf-8"),
    "Kubernetes' Prometheus": kubernetes_configuration("prometheus", "prometheus.yml"),
    "Kubernetes' Alertmanager": kubernetes_configuration("alertmanager", "alertmanager.yml"),
}


@pytest.mark.parametrize("whose", CONFIGURATIONS)
def test_a_configuration_is_one_that_its_program_reads(whose: str, tmp_path: Path) -> None:
    path = tmp_path / "configuration.yml"
    path.write_text(CONFIGURATIONS[whose], encoding="utf-8")
    prometheus = ("promtool", "check", "config", "--syntax-only")
    name, *arguments = prometheus if "Prometheus" in whose else ("amtool", "check-config")
    done = subprocess.run([program(name), *arguments, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_expressions_are_whole() -> None:
    for one in expressions():
        for opening, closing in ("()", "[]", "{}"):
            assert one.count(opening) == one.count(closing), one
    assert len(watched_metrics()) > 15
