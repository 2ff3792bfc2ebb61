"""Debian's Prometheus beside a running product, with the shipped rules in haste."""

import asyncio
import math
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
import yaml

from dev.probes import LOOPBACK, free_port, http_ok
from dev.process import SILENT, Part, supervisor_of
from tests.deployment.programs import program
from tests.deployment.watched import MONITORING
from tests.patience import PATIENCE_SECONDS
from tests.product.conftest import Product

SCRAPES = "500ms"
# A window has to hold several scrapes, and an event has to stay in it until somebody looks.
WINDOW = "10s"
# What waits for hours or minutes in production; the rest of an expression is as it is shipped.
HASTE = (
    (r"(time\(\) - max\(\w+\)) > [\d* ]+", r"\1 > 3600"),
    (r"(backlog_age_seconds\[\w+\]\)\)) > 60", r"\1 > 1"),
    (r"(oldest_stuck_seconds\[\w+\]\)\)) > [\d* ]+", r"\1 > 1"),
    (r"(schedule_to_start_latency_seconds_bucket\[\w+\]\)\)\)) > 5", r"\1 > 1"),
    (r'(mail_delay_seconds_bucket\{le=~)"60', r'\1"1'),
    (rf"(min_over_time\(mipres_\S+)\[{WINDOW}\]", r"\1[2s]"),
)


@dataclass(frozen=True, kw_only=True)
class Prometheus:
    """A server that answers questions."""

    client: httpx2.AsyncClient

    async def has_data(self, expression: str) -> bool:
        """Whether an expression gives at least one number."""
        answer = await self.client.get("/api/v1/query", params={"query": expression})
        assert answer.status_code == 200, answer.text
        return any(not math.isnan(float(one["value"][1])) for one in answer.json()["data"]["result"])

    async def firing(self) -> set[str]:
        """The alerts that fire now."""
        answer = await self.client.get("/api/v1/alerts")
        assert answer.status_code == 200, answer.text
        return {
            one["labels"]["alertname"] for one in answer.json()["data"]["alerts"] if one["state"] == "firing"
        }

    async def until(self, holds: Callable[[set[str]], bool]) -> None:
        """Wait until the alerts that fire are as expected."""
        firing: set[str] = set()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not holds(firing := await self.firing()):
                    await asyncio.sleep(0.2)
        except TimeoutError:
            pytest.fail(f"only these fire: {firing}")

    async def until_fired(self, expected: Iterable[str]) -> None:
        """Wait until each of these alerts has fired, if only for a moment."""
        missing = set(expected)

        def none_is_missing(firing: set[str]) -> bool:
            missing.difference_update(firing)
            return not missing

        await self.until(none_is_missing)


def hasty_rules() -> str:
    """The shipped rules, with seconds where they have minutes and hours."""
    rules = yaml.safe_load((MONITORING / "alerts.yml").read_text(encoding="utf-8"))
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        rule["for"] = rule["keep_firing_for"] = "0s"
        rule["expr"] = re.sub(r"\[[^\]:]+(:[^\]]*)?\]", _window, rule["expr"])
        rule["expr"] = re.sub(r"offset \w+", f"offset {WINDOW}", rule["expr"])
        for shipped, hasty in HASTE:
            rule["expr"] = re.sub(shipped, hasty, rule["expr"])
    return yaml.safe_dump(rules, allow_unicode=True)


def _window(found: re.Match[str]) -> str:
    # A subquery looks back over evaluations, and a few of them say that something lasts.
    return "[2s:500ms]" if found[1] else f"[{WINDOW}]"


@asynccontextmanager
async def prometheus(
    product: Product, directory: Path, *, api_port: int | None = None
) -> AsyncIterator[Prometheus]:
    """Watch a product's processes under the names of the shipped configuration.

    Args:
        product: What is watched.
        directory: Where the server keeps its files.
        api_port: That of another API of the product, to be asked for its figures.
    """
    port = free_port()
    ports = product.stack.ports
    targets = {"api": api_port or ports["API_PORT"], "worker": ports["METRICS_PORT"]}
    configuration = {
        "global": {"scrape_interval": SCRAPES, "evaluation_interval": SCRAPES},
        "rule_files": ["alerts.yml"],
        "scrape_configs": [
            {"job_name": name, "static_configs": [{"targets": [f"{LOOPBACK}:{target}"]}]}
            for name, target in targets.items()
        ],
    }
    (directory / "prometheus.yml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    (directory / "alerts.yml").write_text(hasty_rules(), encoding="utf-8")
    part = Part(
        name="prometheus",
        command=(
            program("prometheus"),
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address={LOOPBACK}:{port}",
        ),
        is_ready=http_ok(port, "/-/ready"),
    )
    async with (
        supervisor_of(SILENT) as supervisor,
        httpx2.AsyncClient(base_url=f"http://{LOOPBACK}:{port}", trust_env=False) as client,
    ):
        await supervisor.start(part)
        yield Prometheus(client=client)
