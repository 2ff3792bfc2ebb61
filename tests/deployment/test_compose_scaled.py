"""deploy/compose.scaled.yml, as compose lays it over docker-compose.yml."""

import ipaddress
import re
from typing import Any

import pytest
import yaml

from mipres.settings.model import Settings
from mipres.settings.names import variable
from tests.deployment.composed import DEPLOY, ROOT, compose_file
from tests.deployment.manifests import POSTGRES_CONNECTIONS, RESERVED_CONNECTIONS

TEMPORAL_SERVICES = 4
"""Frontend, history, matching and worker: each opens its own connections."""


class Overlay(yaml.SafeLoader):
    """Knows compose's own tag for what is taken away."""


Overlay.add_constructor("!reset", lambda _loader, _node: "taken away")


@pytest.fixture(scope="module")
def overlay() -> dict[str, Any]:
    text = (DEPLOY / "compose.scaled.yml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.load(text, Loader=Overlay)
    return loaded


def nginx() -> str:
    files = ("nginx.conf", "locations.conf")
    return "".join((DEPLOY / "proxy" / name).read_text(encoding="utf-8") for name in files)


def test_there_are_two_of_each_and_one_proxy(overlay: dict[str, Any]) -> None:
    services = overlay["services"]
    assert {name for name, service in services.items() if "image" in service} == {"proxy"}
    assert {name: services[name]["deploy"]["replicas"] for name in ("api", "worker")} == {
        "api": 2,
        "worker": 2,
    }
    assert {"api", "worker"} <= set(compose_file()["services"])


def test_product_and_temporal_together_fit_into_the_one_database(overlay: dict[str, Any]) -> None:
    pool, processes = Settings.model_fields["database_pool"].default, 0
    for name in ("api", "worker"):
        assert variable("database_pool") not in compose_file()["services"][name]["environment"]
        processes += overlay["services"][name]["deploy"]["replicas"]
    temporal = compose_file()["services"]["temporal"]["environment"]
    own, visibility = int(temporal["SQL_MAX_CONNS"]), int(temporal["SQL_VIS_MAX_CONNS"])
    assert (temporal["SQL_MAX_IDLE_CONNS"], temporal["SQL_VIS_MAX_IDLE_CONNS"]) == (str(own), str(visibility))
    together = processes * pool + TEMPORAL_SERVICES * (own + visibility)
    assert together <= POSTGRES_CONNECTIONS - RESERVED_CONNECTIONS
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    sum_ = f"{processes} × {pool} + {TEMPORAL_SERVICES} × ({own} + {visibility}) = {together}"
    assert sum_ in " ".join(page.split())


def test_the_proxy_takes_the_port_that_the_apis_give_up(overlay: dict[str, Any]) -> None:
    assert overlay["services"]["api"]["ports"] == "taken away"
    [published] = overlay["services"]["proxy"]["ports"]
    [given_up] = compose_file()["services"]["api"]["ports"]
    assert published.rpartition(":")[0] == given_up.rpartition(":")[0]
    assert f"listen {published.rpartition(':')[2]};" in nginx()
    assert f"server api:{given_up.rpartition(':')[2]} resolve" in nginx()


def test_the_apis_believe_the_proxy_s_network_alone(overlay: dict[str, Any]) -> None:
    variables = overlay["services"]["api"]["environment"]
    assert set(variables) == {variable("trusted_proxies")}
    assert variable("trusted_proxies") in {variable(field) for field in Settings.model_fields}
    [network] = overlay["networks"]["web"]["ipam"]["config"]
    assert overlay["services"]["proxy"]["networks"] == ["web"]
    assert [name for name, service in compose_file()["services"].items() if "web" in service["networks"]] == [
        "api"
    ]
    assert ipaddress.ip_network(variables[variable("trusted_proxies")]) == ipaddress.ip_network(
        network["subnet"]
    )
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in nginx()


def test_the_proxy_keeps_no_tokens_and_repeats_no_form() -> None:
    assert "access_log off;" in nginx()
    assert "non_idempotent" not in nginx()


def test_the_proxy_is_confined_like_the_rest(overlay: dict[str, Any]) -> None:
    proxy, api = overlay["services"]["proxy"], compose_file()["services"]["api"]
    for name in ("restart", "read_only", "cap_drop", "security_opt"):
        assert proxy[name] == compose_file()["x-hardened"][name], name
    assert re.search(r":\d", proxy["image"])
    assert {"cpus", "mem_limit", "pids_limit", "healthcheck"} <= set(proxy)
    assert "healthcheck" in api
    for mounted in proxy["volumes"]:
        assert (ROOT / mounted.partition(":")[0]).is_file()
        assert mounted.endswith(":ro")
