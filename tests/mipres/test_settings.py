import base64
from pathlib import Path

import pytest

from mipres.settings import Settings, load_settings

LONG = "x" * 32
KEY = base64.b64encode(bytes(32)).decode()
OTHER_KEY = base64.b64encode(bytes(range(32))).decode()
PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": LONG,
    "PAYLOAD_KEYS": f"k1:{KEY}",
    "API_KEYS": LONG,
    "DATABASE_URL": "postgresql+asyncpg://mipres:secret@db/mipres",
    "TEMPORAL_ADDRESS": "temporal:7233",
    "SMTP_URL": "smtps://mail:465",
    "PUBLIC_URL": "https://mipres.example",
    "MISEGURIDADSOCIAL_URL": "https://a.example",
    "MISEGURIDADSOCIAL_TOKEN": "token-a",
    "RETHUS_URL": "https://b.example",
    "RETHUS_TOKEN": "token-b",
    "SSO_URL": "https://c.example",
    "SSO_TOKEN": "token-c",
}
DEVELOPMENT = {"SECRET_KEY": "s", "PAYLOAD_KEYS": f"k1:{KEY}", "POSTGRES_PASSWORD": "p/w"}


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("MIPRES_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MIPRES_DATA_DIR", str(tmp_path))


def tell(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"MIPRES_{name}", value)


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stopped:
        load_settings()
    assert stopped.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert len(lines) == 1
    return lines[0]


def test_development_points_at_the_embedded_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    tell(monkeypatch, {**DEVELOPMENT, "API_PORT": "9000", "POSTGRES_PORT": "9001", "REGISTRY_PORT": "9002"})
    settings = load_settings()
    assert settings.public_url == "http://localhost:9000"
    assert (
        settings.database_url.get_secret_value() == "postgresql+asyncpg://mipres:p%2Fw@127.0.0.1:9001/mipres"
    )
    assert settings.rethus_url == "http://127.0.0.1:9002/rethus"
    assert settings.temporal_address == "127.0.0.1:7233"
    assert settings.smtp_url.get_secret_value() == "smtp://127.0.0.1:1025"
    assert [key.get_secret_value() for key in settings.api_keys] == ["desarrollo"]


def test_development_reads_what_the_launcher_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secrets.env").write_text(
        "".join(f"MIPRES_{name}={value}\n" for name, value in DEVELOPMENT.items())
    )
    (tmp_path / "stack.env").write_text("MIPRES_POSTGRES_PORT=9001\nMIPRES_API_PORT=9002\n")
    monkeypatch.setenv("MIPRES_API_PORT", "9003")
    settings = load_settings()
    assert settings.secret_key.get_secret_value() == "s"
    assert settings.postgres_port == 9001
    assert settings.api_port == 9003


def test_production_ignores_what_a_launcher_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "secrets.env").write_text(f"MIPRES_SECRET_KEY={LONG}\n")
    tell(monkeypatch, {**PRODUCTION, "SECRET_KEY": ""})
    assert refusal(capsys).startswith("MIPRES_SECRET_KEY: falta")


def test_secret_is_read_from_a_file_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("from-file\n")
    tell(monkeypatch, {**DEVELOPMENT, "SSO_TOKEN_FILE": str(tmp_path / "secret")})
    assert load_settings().sso_token.get_secret_value() == "from-file"
    monkeypatch.setenv("MIPRES_SSO_TOKEN", "told")
    assert load_settings().sso_token.get_secret_value() == "told"


def test_unreadable_secret_file_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(monkeypatch, {**DEVELOPMENT, "SSO_TOKEN_FILE": str(tmp_path / "absent")})
    assert refusal(capsys).startswith("MIPRES_SSO_TOKEN_FILE: ")


def test_payload_keys_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    tell(monkeypatch, {**DEVELOPMENT, "PAYLOAD_KEYS": f"k2:{OTHER_KEY}, k1:{KEY}"})
    settings = load_settings()
    assert list(settings.payload_keys.items()) == [("k2", bytes(range(32))), ("k1", bytes(32))]
    assert settings.active_payload_key == "k2"


@pytest.mark.parametrize(
    "value", ["secret-value", "k1:no!", f"k1:{KEY},k1:{OTHER_KEY}", f":{KEY}", "k1:c2hvcnQ="]
)
def test_wrong_payload_keys_are_named_and_not_shown(
    value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(monkeypatch, {**DEVELOPMENT, "PAYLOAD_KEYS": value})
    line = refusal(capsys)
    assert line.startswith("MIPRES_PAYLOAD_KEYS: ")
    assert value not in line


def test_complete_production_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    tell(monkeypatch, PRODUCTION)
    assert load_settings().environment == "production"


@pytest.mark.parametrize("name", sorted(PRODUCTION.keys() - {"ENVIRONMENT"}))
def test_production_refuses_a_missing_setting(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(monkeypatch, {key: value for key, value in PRODUCTION.items() if key != name})
    assert refusal(capsys).startswith(f"MIPRES_{name}: falta")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "x" * 31),
        ("API_KEYS", "desarrollo"),
        ("API_KEYS", f"{LONG},short-but-secret"),
        ("RETHUS_TOKEN", "desarrollo"),
        ("PUBLIC_URL", "http://mipres.example"),
        ("MISEGURIDADSOCIAL_URL", "http://a.example"),
        ("RETHUS_URL", "http://b.example"),
        ("SSO_URL", "http://c.example"),
        ("CAPTCHA", "off"),
        ("RATE_LIMITS", "off"),
        ("RATE_LIMITS", "relaxed"),
        ("API_PORT", "ocho-mil"),
        ("API_PORT", "70000"),
        ("ENVIRONMENT", "staging"),
    ],
)
def test_refusal_names_the_setting_and_hides_its_value(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(monkeypatch, {**PRODUCTION, name: value})
    line = refusal(capsys)
    assert line.startswith(f"MIPRES_{name}: ")
    if name in {"SECRET_KEY", "API_KEYS"} and value != "desarrollo":
        assert value not in line


def test_a_printed_settings_object_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    tell(monkeypatch, PRODUCTION)
    shown = repr(Settings())
    for secret in (LONG, "token-a", "secret@db", "payload_keys"):
        assert secret not in shown


def test_trusted_proxies_are_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    tell(monkeypatch, {**DEVELOPMENT, "TRUSTED_PROXIES": "10.0.0.5, 192.168.0.0/24,fd00::/8"})
    assert [str(network) for network in load_settings().trusted_proxies] == [
        "10.0.0.5/32",
        "192.168.0.0/24",
        "fd00::/8",
    ]


@pytest.mark.parametrize("value", ["proxy", "10.0.0.0/33", "10.0.0.1/24"])
def test_a_wrong_trusted_proxy_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    tell(monkeypatch, {**DEVELOPMENT, "TRUSTED_PROXIES": value})
    assert refusal(capsys).startswith("MIPRES_TRUSTED_PROXIES: use direcciones o redes")


TABLES = {
    "PROFESSIONS_FILE": 'resembling = []\nother_levels = []\n[[profession]]\nname = "Medicina"\nprescribes = true\n',
    "SANCTIONS_THAT_BAR_FILE": '[[kind]]\nname = "Suspensión"\nbars = true\n',
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_may_replace_the_shipped_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "table.toml"
    file.write_text(TABLES[name])
    tell(monkeypatch, {**DEVELOPMENT, name: str(file)})
    assert getattr(load_settings(), name.lower()) == file


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    for content in ("", "["):
        (tmp_path / "table.toml").write_text(content)
        tell(monkeypatch, {**DEVELOPMENT, name: str(tmp_path / "table.toml")})
        assert refusal(capsys).startswith(f"MIPRES_{name}: no es una tabla legible")
