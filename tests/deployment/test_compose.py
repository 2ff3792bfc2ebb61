import asyncio
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from dev.probes import free_port
from dev.process import SILENT, Part, supervisor_of
from dev.temporal_server import DYNAMIC_CONFIG
from mipres.settings.loading import load_settings
from mipres.settings.model import Settings
from mipres.settings.names import PREFIX, variable
from tests.deployment.composed import (
    DEPLOY,
    ROOT,
    compose_file,
    compose_text,
    demanded_variables,
    make_env,
    read_env,
    services,
)
from tests.deployment.image import default_command, environment, run_in

OURS = {"registry-simulator", "temporal-setup", "migrate", "worker", "api"}
PRODUCT = {"temporal-setup", "migrate", "worker", "api"}
ONE_SHOT = {"temporal-schema", "temporal-setup", "migrate", "backup"}
# Releases of this image write their configuration beside the program.
NOT_READ_ONLY = {"temporal-ui"}
SETTING_NAMES = {variable(field) for field in Settings.model_fields}
SIMULATOR_TOKEN = "MIPRES_SIMULATOR_TOKEN"


@pytest.fixture
def environment_of_the_api(
    composed: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> dict[str, str]:
    """The API's variables, in this process's environment."""
    for name in SETTING_NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    variables: dict[str, str] = composed["api"]["environment"]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


def is_long_running(name: str) -> bool:
    return name not in ONE_SHOT


def test_the_parts_of_the_product_are_there(composed: dict[str, Any]) -> None:
    assert set(composed) == {
        *("postgresql", "temporal-schema", "temporal", "temporal-setup", "temporal-ui", "temporal-ui-login"),
        *("mailpit", "registry-simulator", "migrate", "worker", "api"),
        *("prometheus", "alertmanager", "grafana", "backup"),
    }


def test_every_image_is_pinned_by_its_tag(composed: dict[str, Any]) -> None:
    for name, service in composed.items():
        tag = service["image"].partition(":")[2]
        assert re.search(r"\d", tag), f"{name}: {service['image']}"
        assert "latest" not in tag


def test_temporal_and_its_tools_are_of_one_version(composed: dict[str, Any]) -> None:
    names = ("temporal", "temporal-schema")
    assert len({composed[name]["image"].partition(":")[2] for name in names}) == 1


def test_our_services_share_one_image_that_is_built_here(composed: dict[str, Any]) -> None:
    assert {name for name, service in composed.items() if "build" in service} == OURS
    assert len({composed[name]["image"] for name in OURS}) == 1


def test_every_dependency_exists_and_can_be_waited_for(composed: dict[str, Any]) -> None:
    for name, service in composed.items():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in composed, f"{name} waits for {needed}"
            if how["condition"] == "service_healthy":
                assert "healthcheck" in composed[needed], needed
            else:
                assert how["condition"] == "service_completed_successfully"
                assert needed in ONE_SHOT, needed


def test_what_stays_up_is_checked_and_restarted_and_what_ends_is_not(composed: dict[str, Any]) -> None:
    for name, service in composed.items():
        assert ("healthcheck" in service) is is_long_running(name), name
        assert service["restart"] == ("unless-stopped" if is_long_running(name) else "on-failure:5"), name


def test_every_container_is_confined(composed: dict[str, Any]) -> None:
    for name, service in composed.items():
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert service["cpus"], name
        assert service["pids_limit"], name
        assert "privileged" not in service
        if name not in NOT_READ_ONLY:
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
            assert "/tmp" in service["tmpfs"], name


def test_ports_are_published_on_loopback_alone(composed: dict[str, Any]) -> None:
    published = [port for service in composed.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert "ports" not in composed["postgresql"]


def reach(composed: dict[str, Any], name: str) -> set[str]:
    """The services that share a network with one, but for the isolating one."""
    networks = set(composed[name]["networks"]) - {"loopback"}
    return {other for other, service in composed.items() if networks & set(service["networks"])} - {name}


def test_services_share_a_network_only_where_one_calls_the_other(composed: dict[str, Any]) -> None:
    assert reach(composed, "postgresql") == {
        *("temporal-schema", "temporal", "migrate", "worker", "api", "backup"),
    }
    assert reach(composed, "temporal-ui-login") == {"temporal-ui"}
    speaks_to_temporal = {"temporal-setup", "temporal-ui", "worker", "api"}
    of_the_database = {"postgresql", "temporal-schema", "migrate", "backup"}
    assert reach(composed, "temporal") == speaks_to_temporal | of_the_database
    assert reach(composed, "registry-simulator") == {"worker", "mailpit"}
    assert not reach(composed, "temporal-ui") & {"postgresql", "mailpit", "registry-simulator", "prometheus"}
    assert set(composed["api"]["networks"]) & set(compose_file()["networks"]) >= {"web"}


def test_networks_that_publish_nothing_lead_nowhere_else(composed: dict[str, Any]) -> None:
    networks = compose_file()["networks"]
    assert {name for name, network in networks.items() if network.get("internal")} == {
        *("database", "temporal", "interface", "outside", "monitoring")
    }
    assert networks["loopback"]["driver_opts"] == {"com.docker.network.bridge.enable_icc": "false"}
    for name, service in composed.items():
        assert set(service["networks"]) <= set(networks), name
        if "ports" in service:
            assert {"loopback", "web"} & set(service["networks"]), name


def test_temporal_s_interface_only_shows_and_only_behind_its_login(composed: dict[str, Any]) -> None:
    assert composed["temporal-ui"]["environment"]["TEMPORAL_DISABLE_WRITE_ACTIONS"] == "true"
    assert "ports" not in composed["temporal-ui"]
    [published] = composed["temporal-ui-login"]["ports"]
    assert published.endswith(":8080")
    users = compose_file()["configs"]["temporal-ui-users"]["content"]
    assert re.fullmatch(r"soporte:\{PLAIN\}\$\{TEMPORAL_UI_PASSWORD:\?[^}]+\}", users)


def test_published_ports_follow_their_settings(generated: dict[str, str]) -> None:
    moved = services({**generated, "MIPRES_API_PORT": "9000", "MIPRES_TEMPORAL_UI_PORT": "9001"})
    assert moved["api"]["ports"] == ["127.0.0.1:9000:8000"]
    assert moved["api"]["environment"]["MIPRES_PUBLIC_URL"] == "http://localhost:9000"
    assert moved["api"]["environment"]["MIPRES_TEMPORAL_UI_URL"] == "http://localhost:9001"


def test_mounted_files_exist_and_cannot_be_changed(composed: dict[str, Any]) -> None:
    mounts = [mount for service in composed.values() for mount in service.get("volumes", [])]
    files = [mount for mount in mounts if mount.startswith("./")]
    assert files
    for mount in files:
        source, _target, mode = mount.split(":")
        assert (ROOT / source).is_file(), source
        assert mode == "ro", source
    named = {mount.partition(":")[0] for mount in mounts if not mount.startswith("./")}
    assert named == set(compose_file()["volumes"])


def test_every_variable_of_the_product_is_a_setting(composed: dict[str, Any]) -> None:
    for name in PRODUCT:
        assert set(composed[name]["environment"]) <= SETTING_NAMES, name
    assert set(composed["registry-simulator"]["environment"]) == {SIMULATOR_TOKEN}


def test_the_product_s_processes_are_told_the_same(composed: dict[str, Any]) -> None:
    variables = {name: dict(composed[name]["environment"]) for name in PRODUCT}
    # But for the account: only migrations own the tables.
    users = {
        name: urlsplit(settings.pop("MIPRES_DATABASE_URL")).username for name, settings in variables.items()
    }
    assert users == dict.fromkeys(PRODUCT, "registro_app") | {"migrate": "registro"}
    assert all(settings == variables["api"] for settings in variables.values())


def test_the_environment_makes_valid_settings(environment_of_the_api: dict[str, str]) -> None:
    settings = load_settings()
    assert {variable(field) for field in settings.model_fields_set} == set(environment_of_the_api)
    assert settings.environment == "development"


def test_nothing_is_left_to_a_server_that_compose_does_not_start(
    environment_of_the_api: dict[str, str], composed: dict[str, Any]
) -> None:
    settings = load_settings()
    addresses = [
        *(settings.database_url.get_secret_value(), settings.smtp_url.get_secret_value()),
        *(settings.miseguridadsocial_url, settings.rethus_url, settings.sso_url),
        f"tcp://{settings.temporal_address}",
    ]
    assert {urlsplit(address).hostname for address in addresses} == {
        *("postgresql", "mailpit", "registry-simulator", "temporal")
    }
    assert all(urlsplit(address).hostname in composed for address in addresses)


@pytest.mark.usefixtures("environment_of_the_api")
def test_generated_secrets_are_good_enough_for_production() -> None:
    from mipres.settings.production import production_refusals

    refused = {refusal.partition(":")[0] for refusal in production_refusals(load_settings())}
    # Only what development may do keeps compose out of production: no encryption, limits for one visitor, and
    # the applications of demonstration.
    assert refused == {
        *("MIPRES_SMTP_URL", "MIPRES_TEMPORAL_PLAINTEXT", "MIPRES_TEMPORAL_UI_URL"),
        *("MIPRES_PUBLIC_URL", "MIPRES_MISEGURIDADSOCIAL_URL", "MIPRES_RETHUS_URL", "MIPRES_SSO_URL"),
        *("MIPRES_RATE_LIMITS", "MIPRES_OIDC_CLIENTS", "MIPRES_OIDC_KEYS_FILE"),
    }


def test_no_secret_is_written_in_the_file(composed: dict[str, Any]) -> None:
    secret = re.compile(r"PASSWORD|_PWD|TOKEN|SECRET|KEYS")
    for service in compose_file()["services"].values():
        for name, value in service.get("environment", {}).items():
            if secret.search(name):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), name
    passwords = composed["postgresql"]["environment"]
    assert passwords["REGISTRO_APP_DB_PASSWORD"] in composed["api"]["environment"]["MIPRES_DATABASE_URL"]
    assert passwords["REGISTRO_DB_PASSWORD"] in composed["migrate"]["environment"]["MIPRES_DATABASE_URL"]


def test_the_example_names_what_compose_demands_and_gives_no_value(generated: dict[str, str]) -> None:
    example = read_env(DEPLOY / "env.example")
    assert set(example) == set(generated) == demanded_variables()
    assert set(example.values()) == {""}


def test_secrets_are_private_different_and_never_overwritten(
    generated: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / ".env"
    assert make_env(path).returncode == 0
    assert path.stat().st_mode & 0o077 == 0
    first = path.read_bytes()
    assert not set(read_env(path).values()) & set(generated.values())
    again = make_env(path)
    assert again.returncode == 1
    assert "ya existe" in again.stderr
    assert path.read_bytes() == first


def test_optional_ports_of_the_example_are_those_of_compose() -> None:
    example = (DEPLOY / "env.example").read_text(encoding="utf-8")
    named = dict(re.findall(r"^#(MIPRES_\w+_PORT)=(\d+)$", example, re.MULTILINE))
    assert named == dict(re.findall(r"\$\{(MIPRES_\w+_PORT):-(\d+)\}", compose_text()))
    assert {
        name: str(Settings.model_fields[name.removeprefix(PREFIX).lower()].default) for name in named
    } == named


def test_temporal_runs_as_in_development() -> None:
    loaded = yaml.safe_load((DEPLOY / "temporal" / "dynamic-config.yaml").read_text(encoding="utf-8"))
    assert {name: str(values[0]["value"]) for name, values in loaded.items()} == DYNAMIC_CONFIG


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_command_names_a_program_of_the_image(
    name: str, composed: dict[str, Any], image_tree: Path
) -> None:
    command = composed[name].get("command", default_command())
    settings = composed[name]["environment"]
    match command:
        case ["python", "-m", module, *rest]:
            done = run_in(image_tree, "-m", module, *rest, "--help", settings=settings)
        case ["python", script]:
            done = run_in(image_tree, "-c", f"import {script.removesuffix('.py')}", settings=settings)
        case ["uvicorn", *arguments]:
            done = run_in(image_tree, "-m", "uvicorn", *arguments, "--version")
        case _:
            pytest.fail(f"{name}: {command} is not known to this test")
    assert done.returncode == 0, done.stderr


async def test_the_simulator_s_command_and_check_work_together(
    composed: dict[str, Any], image_tree: Path
) -> None:
    service, port = composed["registry-simulator"], str(free_port())
    command = [word.replace("8100", port) for word in service["command"]]
    check = [word.replace("8100", port) for word in service["healthcheck"]["test"]]
    assert check[:2] == ["CMD", "python"]
    assert run_in(image_tree, *check[2:]).returncode == 1
    simulator = Part(
        name="registros",
        command=(sys.executable, *command[1:]),
        environment=environment(service["environment"]),
        directory=image_tree,
        ready_line="Simulador de registros",
    )
    async with supervisor_of(SILENT) as supervisor:
        await supervisor.start(simulator)
        done = await asyncio.to_thread(run_in, image_tree, *check[2:])
    assert done.returncode == 0, done.stderr


def test_every_setting_is_documented_with_what_production_demands() -> None:
    from mipres.settings.production import production_refusals

    rows = documented_settings()
    assert set(rows) == SETTING_NAMES
    careless = Settings(
        secret_key="s",
        payload_keys="k:" + "A" * 43 + "=",
        postgres_password="p",
        password_link_hours=1000,
        trusted_proxies="::/0",
        secret_key_previous="s",
        metrics_key="m" * 32,
        captcha="off",
        rate_limits="off",
    )
    refused = {refusal.partition(":")[0] for refusal in production_refusals(careless)}
    demanded = {name for name, production in rows.items() if re.match(r"\*\*[^*]+\*\*", production)}
    assert demanded == refused | {"MIPRES_SECRET_KEY", "MIPRES_PAYLOAD_KEYS"}


def documented_settings() -> dict[str, str]:
    """The last column of the table of settings, by setting."""
    text = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(MIPRES_\w+)` \|.*\| (.*) \|$", text, re.MULTILINE)
    assert len(rows) == len(dict(rows))
    return dict(rows)
