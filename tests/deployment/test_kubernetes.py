"""The manifests are valid Kubernetes, and say what the docs and compose say."""

import re
from base64 import b64encode
from pathlib import Path
from secrets import token_bytes, token_urlsafe
from typing import Any

import kubernetes_validate
import pytest
import yaml
from joserfc.jwk import KeySet

from mipres.oidc_keys import fresh_key, write_keys
from mipres.settings.model import Settings
from mipres.settings.names import variable
from mipres.temporal.names import REGISTRATIONS_QUEUE
from tests.certificates import certificate_of, new_key, pem_of
from tests.deployment.composed import DEPLOY, compose_file
from tests.deployment.manifests import (
    KUBERNETES,
    POSTGRES_CONNECTIONS,
    RESERVED_CONNECTIONS,
    WRITTEN_BUILD,
    printed,
    readme,
    resources,
)
from tests.deployment.watched import MONITORING

VERSIONS = ("1.31.0", kubernetes_validate.latest_version())
# Resources that others define; Kubernetes itself ships no schema of them.
FOREIGN = {"keda.sh/v1alpha1"}
SETTING_NAMES = {variable(field) for field in Settings.model_fields}


ALL = resources()
WORKLOADS = {
    resource["metadata"]["name"]: resource["spec"]["jobTemplate"]
    if resource["kind"] == "CronJob"
    else resource
    for resource in ALL.values()
    if resource["kind"] in {"Deployment", "Job", "CronJob"}
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


def test_all_processes_together_fit_into_the_database() -> None:
    pool = int(of("ConfigMap", "settings")["data"]["MIPRES_DATABASE_POOL"])
    scaled = of("ScaledObject", WORKER)["spec"]
    surges = [WORKLOADS[name]["spec"]["strategy"]["rollingUpdate"]["maxSurge"] for name in ("api", WORKER)]
    # During an upgrade the workers of the build before run beside, as few as there may be.
    processes = [
        of("HorizontalPodAutoscaler", "api")["spec"]["maxReplicas"],
        scaled["maxReplicaCount"],
        *surges,
        scaled["minReplicaCount"],
    ]
    assert WORKLOADS[WORKER]["spec"]["replicas"] <= scaled["maxReplicaCount"]
    assert sum(processes) * pool <= POSTGRES_CONNECTIONS - RESERVED_CONNECTIONS
    page = (DEPLOY.parent / "docs/deployment.md").read_text(encoding="utf-8")
    assert f"{' + '.join(map(str, processes))} = {sum(processes)} × {pool} = {sum(processes) * pool}" in page


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
    variables = {item["name"]: item["value"] for item in container(WORKER)["env"]}
    named = {item["name"]: item["value"] for item in container(CURRENT)["env"]}
    assert named.items() <= variables.items()
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
        # Releases of this image write their configuration beside the program.
        assert context.get("readOnlyRootFilesystem", False) is (name != "temporal-ui")
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert pod(name)["securityContext"]["runAsNonRoot"] is True
        assert pod(name)["securityContext"]["runAsUser"] > 0
        assert pod(name)["automountServiceAccountToken"] is False
        assert {"requests", "limits"} <= set(container(name)["resources"])


def test_every_variable_is_a_setting_and_no_secret_is_written_down() -> None:
    named = set(of("ConfigMap", "settings")["data"])
    secret = of("Secret", "secrets")["stringData"] | of("Secret", "owner-secrets")["stringData"]
    # A file's name may stand for any value.
    assert named | set(secret) <= SETTING_NAMES | {f"{name}_FILE" for name in SETTING_NAMES}
    every = [item["stringData"] for item in ALL.values() if item["kind"] == "Secret"]
    assert {value for one in every for value in one.values()} == {""}
    assert named.isdisjoint(secret)
    for name in (WORKER, CURRENT):
        assert {item["name"] for item in container(name)["env"]} <= SETTING_NAMES


def test_production_would_start_with_what_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in SETTING_NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    strong = {name: token_urlsafe(32) for name in of("Secret", "secrets")["stringData"]}
    strong |= {
        **{
            f"MIPRES_{name}_KEYS": f"k1:{b64encode(token_bytes(32)).decode()}"
            for name in ("PAYLOAD", "AUDIT")
        },
        "MIPRES_DATABASE_URL": "postgresql+asyncpg://u:p@database.example/registro",
        "MIPRES_SMTP_URL": "smtps://u:p@mail.example:465",
    }
    (tmp_path / "clients.json").write_text("[]")
    write_keys(tmp_path / "keys.json", KeySet([fresh_key()]))
    key = new_key()
    for name, content in {
        "tls.key": pem_of(key),
        "tls.crt": certificate_of(key),
        "ca.crt": certificate_of(key),
    }.items():
        (tmp_path / name).write_bytes(content)
    files = of("Secret", "applications")["stringData"] | of("Secret", "temporal-tls")["stringData"]
    strong |= {
        name: str(tmp_path / Path(path).name)
        for name, path in of("ConfigMap", "settings")["data"].items()
        if path.startswith(("/etc/applications/", "/etc/temporal-tls/")) and Path(path).name in files
    }
    build = {item["name"]: item["value"] for item in container(WORKER)["env"]}
    for name, value in {**of("ConfigMap", "settings")["data"], **strong, **build}.items():
        monkeypatch.setenv(name, value)
    assert Settings().environment == "production"


def missing_files(name: str) -> set[str]:
    """Files that the settings name and no mounted Secret has."""
    sources = [source.get("configMapRef", {}).get("name") for source in container(name).get("envFrom", [])]
    settings = [of("ConfigMap", source)["data"] for source in sources if source]
    named = {value for data in settings for value in data.values() if value.startswith("/")}
    secrets = {volume["name"]: volume.get("secret", {}).get("secretName") for volume in pod(name)["volumes"]}
    there = {
        f"{mount['mountPath']}/{key}"
        for mount in container(name)["volumeMounts"]
        if (secret := secrets.get(mount["name"]))
        for key in of("Secret", secret)["stringData"]
    }
    return named - there


@pytest.mark.parametrize("name", ["api", WORKER, SETUP, MIGRATE, CURRENT])
def test_every_file_that_the_settings_name_is_mounted(name: str) -> None:
    assert missing_files(name) == set()


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
    assert of("TriggerAuthentication", trigger["authenticationRef"]["name"])
    variables = {item["name"]: item["value"] for item in container(WORKER)["env"]}
    assert trigger["metadata"]["workerDeploymentName"] == variables["MIPRES_WORKER_DEPLOYMENT"]
    assert trigger["metadata"]["workerDeploymentBuildId"] == variables["MIPRES_WORKER_BUILD"]
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


def policies(direction: str, app: str) -> list[dict[str, Any]]:
    """The rules of one direction that concern the pods of an application."""
    found = []
    for item in ALL.values():
        if item["kind"] != "NetworkPolicy":
            continue
        selector = item["spec"]["podSelector"]
        chosen = selector.get("matchLabels", {}).get("app") == app or any(
            app in expression["values"] for expression in selector.get("matchExpressions", [])
        )
        if chosen:
            found += item["spec"].get(direction, [])
    return found


def ports(direction: str, app: str) -> set[Any]:
    return {port["port"] for rule in policies(direction, app) for port in rule["ports"]}


def test_nothing_passes_that_no_rule_lets_pass() -> None:
    closed = of("NetworkPolicy", "nothing-passes")["spec"]
    assert closed == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_each_pod_leaves_only_for_what_it_asks() -> None:
    leaves = {
        "api": {5432, 7233},
        "worker": {5432, 7233, 443, 465, 587},
        "migrate": {5432},
        "backup": {5432},
        "temporal-setup": {7233},
        "current-build": {7233},
        "temporal-ui": {7233, 443},
        "prometheus": {8000, 9464, 9093},
        "alertmanager": {587},
    }
    assert {app: ports("egress", app) for app in leaves} == leaves
    labels = {workload["spec"]["template"]["metadata"]["labels"]["app"] for workload in WORKLOADS.values()}
    assert labels == set(leaves)


def test_the_backup_by_the_clock_runs_what_compose_runs() -> None:
    service = compose_file()["services"]["backup"]
    backup = container("backup")
    assert backup["image"] == service["image"]
    script, _directory = service["command"]
    assert backup["command"][:2] == ["sh", script]
    assert "--from-file=../backup" in readme()
    named = set(of("Secret", "backup-secrets")["stringData"]) | {item["name"] for item in backup["env"]}
    assert named == set(service["environment"])
    assert backup["command"][2] in {mount["mountPath"] for mount in backup["volumeMounts"]}


def test_who_may_enter_where() -> None:
    assert ports("ingress", "worker") >= {9464}
    assert ports("ingress", "prometheus") == set()
    assert ports("ingress", "migrate") == set()
    enters = [rule["from"] for rule in policies("ingress", "temporal-ui")]
    citizens = [rule["from"] for rule in policies("ingress", "api") if rule["ports"] == [{"port": "http"}]]
    assert enters
    assert all(source not in citizens for source in enters)


def test_temporal_s_interface_only_shows_has_a_login_and_an_ingress_of_its_own() -> None:
    variables = {item["name"]: item["value"] for item in container("temporal-ui")["env"]}
    assert variables["TEMPORAL_DISABLE_WRITE_ACTIONS"] == "true"
    assert variables["TEMPORAL_AUTH_ENABLED"] == "true"
    citizens, staff = of("Ingress", "registro")["spec"], of("Ingress", "temporal-ui")["spec"]
    assert citizens["ingressClassName"] != staff["ingressClassName"]
    settings = of("ConfigMap", "settings")["data"]
    [rule] = staff["rules"]
    assert (
        settings["MIPRES_TEMPORAL_UI_URL"] == f"https://{rule['host']}" == variables["TEMPORAL_CORS_ORIGINS"]
    )
    assert variables["TEMPORAL_CODEC_ENDPOINT"] == f"{settings['MIPRES_PUBLIC_URL']}/codec"
    assert variables["TEMPORAL_ADDRESS"] == settings["MIPRES_TEMPORAL_ADDRESS"]


@pytest.mark.parametrize("name", ["api", WORKER, SETUP, CURRENT, "temporal-ui"])
def test_every_client_of_temporal_shows_a_certificate(name: str) -> None:
    settings = of("ConfigMap", "settings")["data"]
    named = {settings[f"MIPRES_TEMPORAL_TLS_{part}"] for part in ("CERT", "KEY", "CA")}
    files = {f"/etc/temporal-tls/{key}" for key in of("Secret", "temporal-tls")["stringData"]}
    assert named == files
    [mount] = [mount for mount in container(name)["volumeMounts"] if mount["name"] == "temporal-tls"]
    assert mount["mountPath"] == "/etc/temporal-tls"
    assert {"name": "temporal-tls", "secret": {"secretName": "temporal-tls"}} in pod(name)["volumes"]


def test_prometheus_asks_every_pod_and_alertmanager_mails() -> None:
    scraped = yaml.safe_load(of("ConfigMap", "prometheus")["data"]["prometheus.yml"])
    for job in scraped["scrape_configs"]:
        [found] = job["dns_sd_configs"]
        [name] = found["names"]
        service = of("Service", name.partition(".")[0])["spec"]
        assert service["clusterIP"] == "None"
        assert service["selector"] == {"app": job["job_name"]}
        assert service["ports"][0]["port"] == found["port"]
    here = yaml.safe_load(of("ConfigMap", "alertmanager")["data"]["alertmanager.yml"])
    compose = yaml.safe_load((MONITORING / "alertmanager.yml").read_text(encoding="utf-8"))
    for part in ("route", "inhibit_rules", "receivers"):
        assert here[part] == compose[part], part
    assert here["global"]["smtp_require_tls"] is True
    for name in ("prometheus", "alertmanager"):
        assert container(name)["image"] == compose_file()["services"][name]["image"]
    files = of("Secret", "monitoring-secrets")["stringData"]
    text = str(of("ConfigMap", "prometheus")["data"]) + str(of("ConfigMap", "alertmanager")["data"])
    assert set(re.findall(r"/run/secrets/([\w-]+)", text)) == set(files)
