"""The manifests are valid Kubernetes, offline, and say what docs/deployment.md and compose say."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from mipres.settings import Settings, variable
from mipres.temporal.names import REGISTRATIONS_QUEUE
from tests.deployment.composed import compose_file
from tests.deployment.manifests import KUBERNETES, WRITTEN_BUILD, printed, readme, resources

VERSIONS = ("1.31.0", kubernetes_validate.latest_version())
# Resources that others define; Kubernetes itself ships no schema of them.
FOREIGN = {"keda.sh/v1alpha1"}
SETTING_NAMES = {variable(field) for field in Settings.model_fields}


ALL = resources()
WORKLOADS = {
    resource["metadata"]["name"]: resource
    for resource in ALL.values()
    if resource["kind"] in {"Deployment", "Job"}
}
WORKER, CURRENT, MIGRATE, SETUP = "worker-0-1-0", "current-0-1-0", "migrate-0-1-0", "temporal-setup-0-1-0"


def of(kind: str, name: str) -> dict[str, Any]:
    [found] = [item for item in ALL.values() if (item["kind"], item["metadata"]["name"]) == (kind, name)]
    return found


def pod(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = WORKLOADS[name]["spec"]["template"]["spec"]
    return spec


def container(name: str) -> dict[str, Any]:
    [only] = pod(name)["containers"]
    found: dict[str, Any] = only
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ALL)
def test_a_manifest_is_valid(name: str, version: str) -> None:
    resource = ALL[name]
    if resource["apiVersion"] in FOREIGN:
        pytest.skip("the schema is its operator's")
    kubernetes_validate.validate(resource, version.removesuffix(".0"), strict=True)


def test_a_wrong_manifest_is_noticed() -> None:
    wrong = of("Deployment", "api") | {"spec": {"replicas": "two"}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0].removesuffix(".0"), strict=True)


def test_everything_lives_in_one_namespace() -> None:
    inside = [item for item in ALL.values() if item["kind"] != "Namespace"]
    assert {item["metadata"]["namespace"] for item in inside} == {
        of("Namespace", "registro-mipres")["metadata"]["name"]
    }


def test_the_workloads_run_compose_s_commands_on_its_image() -> None:
    services = compose_file()["services"]
    same = {"api": "api", WORKER: "worker", MIGRATE: "migrate", SETUP: "temporal-setup"}
    for name, service in same.items():
        assert container(name)["image"] == compose_file()["x-product"]["image"]
        assert container(name).get("command") == services[service].get("command"), name


def test_the_job_makes_current_what_the_workers_say_they_are() -> None:
    told = {item["name"]: item["value"] for item in container(WORKER)["env"]}
    named = {item["name"]: item["value"] for item in container(CURRENT)["env"]}
    assert named.items() <= told.items()
    assert named["MIPRES_WORKER_BUILD"] == container(WORKER)["image"].partition(":")[2]
    assert WORKLOADS[WORKER]["spec"]["template"]["metadata"]["labels"]["build"] == WRITTEN_BUILD


def test_another_build_gets_resources_of_its_own_beside_those_of_the_last() -> None:
    of_a_build = {name for name in ALL if "0-1-0" in name}
    assert {name.partition(":")[0] for name in of_a_build} == {
        *("15-temporal-setup.yaml", "20-migrate.yaml", "40-worker.yaml", "45-current.yaml", "50-keda.yaml")
    }
    next_ones = resources("0.2.0")
    assert {name.replace("0-1-0", "0-2-0") for name in of_a_build} <= set(next_ones)
    assert WRITTEN_BUILD not in str(next_ones)


def test_a_build_that_could_be_a_command_is_refused() -> None:
    done = printed("1/;w x", "40-worker.yaml")
    assert (done.returncode, done.stdout) == (1, "")


def test_the_page_applies_every_manifest_and_names_no_other() -> None:
    named = set(re.findall(r"\b\d\d-[\w.-]+\.yaml", readme()))
    assert named == {path.name for path in KUBERNETES.glob("*.yaml")}


def test_every_container_is_confined_and_limited() -> None:
    for name in WORKLOADS:
        context = container(name)["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert pod(name)["securityContext"]["runAsUser"] == 10001
        assert pod(name)["automountServiceAccountToken"] is False
        assert {"requests", "limits"} <= set(container(name)["resources"])


def test_every_variable_is_a_setting_and_no_secret_is_written_down() -> None:
    named = set(of("ConfigMap", "settings")["data"])
    secret = of("Secret", "secrets")["stringData"] | of("Secret", "owner-secrets")["stringData"]
    assert named | set(secret) <= SETTING_NAMES
    assert set(secret.values()) == {""}
    assert named.isdisjoint(secret)
    for name in (WORKER, CURRENT):
        assert {item["name"] for item in container(name)["env"]} <= SETTING_NAMES


def test_production_would_start_with_what_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in SETTING_NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    strong = dict.fromkeys(of("Secret", "secrets")["stringData"], "x" * 40)
    strong |= {
        "MIPRES_PAYLOAD_KEYS": "k1:" + "A" * 43 + "=",
        "MIPRES_DATABASE_URL": "postgresql+asyncpg://u:p@database.example/registro",
        "MIPRES_SMTP_URL": "smtps://u:p@mail.example:465",
    }
    build = {item["name"]: item["value"] for item in container(WORKER)["env"]}
    for name, value in {**of("ConfigMap", "settings")["data"], **strong, **build}.items():
        monkeypatch.setenv(name, value)
    assert Settings().environment == "production"


@pytest.mark.parametrize("name", ["api", WORKER])
def test_one_may_fail_and_autoscalers_know_whom_they_scale(name: str) -> None:
    assert WORKLOADS[name]["spec"]["replicas"] == 2
    budget = of("PodDisruptionBudget", name)["spec"]
    assert budget["selector"]["matchLabels"] == WORKLOADS[name]["spec"]["selector"]["matchLabels"]


def test_keda_looks_at_the_queue_that_the_worker_serves() -> None:
    scaled = of("ScaledObject", WORKER)["spec"]
    [trigger] = scaled["triggers"]
    settings = of("ConfigMap", "settings")["data"]
    assert scaled["scaleTargetRef"] == {"name": WORKER}
    told = {item["name"]: item["value"] for item in container(WORKER)["env"]}
    assert trigger["metadata"]["workerDeploymentName"] == told["MIPRES_WORKER_DEPLOYMENT"]
    assert trigger["metadata"]["workerDeploymentBuildId"] == told["MIPRES_WORKER_BUILD"]
    assert trigger["type"] == "temporal"
    assert trigger["metadata"]["taskQueue"] == REGISTRATIONS_QUEUE
    assert trigger["metadata"]["endpoint"] == settings["MIPRES_TEMPORAL_ADDRESS"]
    assert trigger["metadata"]["namespace"] == settings["MIPRES_TEMPORAL_NAMESPACE"]


def test_the_service_and_the_ingress_lead_to_the_api() -> None:
    service = of("Service", "api")
    assert service["spec"]["selector"] == {"app": "api"}
    [rule] = of("Ingress", "registro")["spec"]["rules"]
    [path] = rule["http"]["paths"]
    assert path["backend"]["service"]["name"] == service["metadata"]["name"]
    public = of("ConfigMap", "settings")["data"]["MIPRES_PUBLIC_URL"]
    assert public == f"https://{rule['host']}"
