"""Commands about applications: what they write, show once, and refuse."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from joserfc.jwk import ECKey, KeySet

from mipres.cli.running import MISUSED, NOT_POSSIBLE, Tools
from mipres.composition import build_clients
from mipres.domain.clients import clients_in
from mipres.settings.loading import load_settings
from tests.cli.conftest import Command

ADDED = ("applications", "add", "hc", "--name", "Historia clínica", "--redirect-uri", "https://app.example/v")
NOW = datetime.now(UTC)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "clients.json"
    path.write_text("[]")
    monkeypatch.setenv("MIPRES_OIDC_CLIENTS_FILE", str(path))
    return path


def entries(file: Path) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", json.loads(file.read_text()))


def test_a_secret_shows_once_and_its_hash_is_stored(command: Command, tools: Tools, file: Path) -> None:
    file.chmod(0o640)
    secret = json.loads(command(*ADDED, "--audience", "prescribers", "--json").stdout)["client_secret"]
    assert secret not in file.read_text()
    assert clients_in(entries(file))["hc"].has_secret(secret, now=NOW)
    assert file.stat().st_mode & 0o777 == 0o640
    listed = command("applications", "list", "--json").stdout
    assert json.loads(listed)["applications"][0]["audience"] == "prescribers"
    assert entries(file)[0]["client_secret_hash"] not in listed
    assert "Historia clínica · activa · ingresan: prescribers" in command("applications", "list").stdout
    event = cast("Any", tools).audit.record.call_args.args[0]
    assert event.details == {"application": "hc", "step": "added"}


@pytest.mark.usefixtures("tools")
def test_the_older_secret_counts_until_the_stated_moment(command: Command, file: Path) -> None:
    secrets = [json.loads(command(*ADDED, "--json").stdout)["client_secret"]]
    for words in (("--hours", "2"), ("--now",)):
        answer = json.loads(command("applications", "rotate-secret", "hc", *words, "--json").stdout)
        secrets.append(answer["client_secret"])
        client = clients_in(entries(file))["hc"]
        at = (NOW, NOW + timedelta(hours=3))
        counts = [[client.has_secret(secret, now=moment) for secret in secrets] for moment in at]
        if words == ("--now",):
            assert counts == [[False, False, True]] * 2
        else:
            assert counts == [[True, True], [False, True]]


@pytest.mark.usefixtures("tools")
def test_what_cannot_be_a_client_is_not_written(command: Command, file: Path) -> None:
    assert command(*ADDED).exit_code == 0
    before = file.read_bytes()
    refusals = [
        (ADDED, NOT_POSSIBLE, "Ya hay una aplicación hc"),
        ((*ADDED[:2], "otra", *ADDED[3:], "--audience", "todos"), MISUSED, "audience"),
        ((*ADDED[:2], "otra", *ADDED[3:-1], "http://app.example/v"), MISUSED, "redirect_uris"),
        (("applications", "disable", "nada"), NOT_POSSIBLE, "No hay ninguna aplicación nada"),
    ]
    for words, code, line in refusals:
        result = command(*words)
        assert (result.exit_code, line in result.stderr) == (code, True), result.output
    assert file.read_bytes() == before


def test_without_a_trail_nothing_is_changed(command: Command, tools: Tools, file: Path) -> None:
    cast("Any", tools).audit.record.side_effect = OSError
    result = command(*ADDED)
    assert (result.exit_code, "Secreto" in result.output, entries(file)) == (3, False, [])


@pytest.mark.usefixtures("tools")
def test_a_list_in_a_variable_is_shown_and_not_changed(
    command: Command, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command(*ADDED)
    monkeypatch.setenv("MIPRES_OIDC_CLIENTS", file.read_text())
    assert "MIPRES_OIDC_CLIENTS_FILE" in command("applications", "list").stdout
    result = command("applications", "rotate-secret", "hc")
    assert (result.exit_code, "MIPRES_OIDC_CLIENTS" in result.stderr) == (NOT_POSSIBLE, True)


@pytest.mark.usefixtures("tools")
def test_a_file_that_cannot_be_written_is_named(command: Command, file: Path) -> None:
    # The name of the lock is taken, as a directory that may not be written refuses it.
    file.with_suffix(".lock").mkdir()
    result = command(*ADDED)
    assert (result.exit_code, str(file) in result.stderr) == (NOT_POSSIBLE, True)


@pytest.mark.usefixtures("tools")
def test_an_application_with_keys_gets_no_secret(command: Command, file: Path, tmp_path: Path) -> None:
    key = ECKey.generate_key("P-256", auto_kid=True)
    public, private, text = (tmp_path / name for name in ("public.json", "private.json", "text.pem"))
    public.write_text(json.dumps(KeySet([key]).as_dict(private=False)))
    private.write_text(json.dumps(KeySet([key]).as_dict(private=True)))
    text.write_bytes(key.as_pem(private=False))
    for wrong, field in ((private, "jwks"), (text, "--jwks")):
        result = command(*ADDED, "--jwks", str(wrong))
        assert (result.exit_code, field in result.stderr, entries(file)) == (MISUSED, True, [])
    assert "Secreto" not in command(*ADDED, "--jwks", str(public)).stdout
    stored = entries(file)[0]
    assert ("client_secret_hash" in stored, stored["jwks"]) == (False, json.loads(public.read_text()))
    assert "con claves" in command("applications", "list").stdout


@pytest.mark.usefixtures("tools")
def test_keys_and_secrets_follow_one_another_without_an_editor(
    command: Command, file: Path, tmp_path: Path
) -> None:
    sets = [KeySet([ECKey.generate_key("P-256")]).as_dict(private=False) for _ in range(2)]
    paths = [tmp_path / f"keys-{place}.json" for place in range(2)]
    for path, keys in zip(paths, sets, strict=True):
        path.write_text(json.dumps(keys))
    secret = json.loads(command(*ADDED, "--json").stdout)["client_secret"]

    def counts() -> list[tuple[bool, list[Any]]]:
        client = clients_in(entries(file))["hc"]
        moments = (NOW, NOW + timedelta(hours=3))
        return [(client.has_secret(secret, now=at), list(client.key_sets(now=at))) for at in moments]

    def rotate(*words: str) -> None:
        result = command("applications", *words)
        assert result.exit_code == 0, result.output

    rotate("rotate-keys", "hc", "--jwks", str(paths[0]), "--hours", "2")
    assert counts() == [(True, [sets[0]]), (False, [sets[0]])]
    rotate("rotate-keys", "hc", "--jwks", str(paths[1]), "--hours", "2")
    assert counts() == [(False, [sets[1], sets[0]]), (False, [sets[1]])]
    assert "las claves anteriores sirven hasta" in command("applications", "list").stdout
    rotate("rotate-secret", "hc", "--hours", "2")
    assert counts() == [(False, [sets[1]]), (False, [])]
    rotate("rotate-keys", "hc", "--jwks", str(paths[0]), "--now")
    assert counts() == [(False, [sets[0]])] * 2
    paths[1].write_text('{"keys": []}')
    result = command("applications", "rotate-keys", "hc", "--jwks", str(paths[1]))
    assert (result.exit_code, "jwks" in result.stderr, counts()) == (MISUSED, True, [(False, [sets[0]])] * 2)


def test_a_command_changes_what_it_names_and_nothing_else(command: Command, tools: Tools, file: Path) -> None:
    command(
        *ADDED, "--start-uri", "https://app.example/", "--post-logout-redirect-uri", "https://app.example/f"
    )
    before = entries(file)[0]
    changes: list[tuple[tuple[str, ...], dict[str, Any]]] = [
        (
            ("--redirect-uri", "https://b.example/1", "--redirect-uri", "https://b.example/2"),
            {"redirect_uris": ["https://b.example/1", "https://b.example/2"]},
        ),
        (("--audience", "delegates", "--external"), {"audience": "delegates", "external": True}),
        (("--of-the-state", "--require-second-factor"), {"external": False, "require_second_factor": True}),
        (("--no-second-factor", "--name", "Otra"), {"require_second_factor": False, "client_name": "Otra"}),
        (
            ("--start-uri", "", "--post-logout-redirect-uri", ""),
            {"start_uri": "", "post_logout_redirect_uris": []},
        ),
    ]
    for words, expected in changes:
        result = command("applications", "change", "hc", *words)
        assert result.exit_code == 0, result.output
        before |= expected
        assert entries(file) == [before]
    client = clients_in(entries(file))["hc"]
    assert (client.start_uri, client.post_logout_redirect_uris) == (None, ())
    event = cast("Any", tools).audit.record.call_args.args[0]
    assert event.details == {"application": "hc", "step": "changed"}
    wrong = [
        ((), "--redirect-uri"),
        (("--redirect-uri", ""), "redirect_uris"),
        (("--audience", "x"), "audience"),
    ]
    for refused, field in wrong:
        result = command("applications", "change", "hc", *refused)
        assert (result.exit_code, field in result.stderr, entries(file)) == (MISUSED, True, [before])


@pytest.mark.usefixtures("tools")
def test_an_application_that_was_disabled_is_enabled_again(command: Command, file: Path) -> None:
    command(*ADDED)
    for word, disabled in (("disable", True), ("enable", False)):
        assert command("applications", word, "hc").exit_code == 0
        assert entries(file)[0]["disabled"] is disabled


@pytest.mark.usefixtures("tools")
def test_development_keeps_what_it_adds_beside_the_demonstrations(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIPRES_DATA_DIR", str(tmp_path))
    running = build_clients(load_settings())
    assert set(running) == {"administracion", "mipres"}
    assert command(*ADDED).exit_code == 0
    assert set(running) == {"administracion", "mipres", "hc"}
    listed = json.loads(command("applications", "list", "--json").stdout)
    assert (len(listed["applications"]), listed["can_be_changed"]) == (3, True)
    file = tmp_path / "oidc-clients.json"
    assert ([one["client_id"] for one in entries(file)], file.stat().st_mode & 0o777) == (["hc"], 0o600)
    for words in (("disable", "mipres"), ("add", "mipres", *ADDED[3:])):
        result = command("applications", *words)
        assert (result.exit_code, "mipres es de demostración" in result.stderr) == (NOT_POSSIBLE, True)
    file.write_text("{}")
    result = command("applications", "list")
    assert (result.exit_code, str(file) in result.stderr) == (MISUSED, True)
