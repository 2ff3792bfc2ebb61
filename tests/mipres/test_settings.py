import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from mipres.settings.loading import load_settings
from mipres.settings.model import Settings
from tests.certificates import certificate_of, new_key, pem_of

LONG = "kR7vQ2mX9sLw4TbZ8yHc1NfJ6gDp3uEa"
CLIENTS_KEY = "Wq5zUo0eVi8rCn2xMj7hBk4yGt9sPd6f"
KEY = base64.b64encode(bytes(range(100, 132))).decode()
OTHER_KEY = base64.b64encode(bytes(range(32))).decode()
PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": LONG,
    "PAYLOAD_KEYS": f"k1:{KEY}",
    "AUDIT_KEYS": f"a1:{OTHER_KEY}",
    "API_KEYS": CLIENTS_KEY,
    "DATABASE_URL": "postgresql+asyncpg://mipres:secret@db/mipres",
    "TEMPORAL_ADDRESS": "temporal:7233",
    "TEMPORAL_API_KEY": "temporal-cloud",
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


def test_keys_of_the_api_have_names_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    tell(monkeypatch, DEVELOPMENT | {"API_KEYS": "siis:one, two,eps-sur.2:three"})
    assert load_settings().named_api_keys == [("siis", "one"), (None, "two"), ("eps-sur.2", "three")]


@pytest.mark.parametrize("entry", ["siis:", ":one", "Siis:one", "un nombre:one", "two,siis:"])
def test_a_named_key_without_name_or_key_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], entry: str
) -> None:
    tell(monkeypatch, DEVELOPMENT | {"API_KEYS": entry})
    with pytest.raises(SystemExit):
        load_settings()
    assert "MIPRES_API_KEYS: use `nombre:clave`" in capsys.readouterr().err


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
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "secret").write_text("from-file\n")
    tell(monkeypatch, {**DEVELOPMENT, "SSO_TOKEN_FILE": str(tmp_path / "secret")})
    assert load_settings().sso_token.get_secret_value() == "from-file"
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("MIPRES_SSO_TOKEN", "told")
    assert load_settings().sso_token.get_secret_value() == "told"
    assert capsys.readouterr().err.startswith("MIPRES_SSO_TOKEN_FILE: no se lee")


def test_unreadable_secret_file_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(monkeypatch, {**DEVELOPMENT, "SSO_TOKEN_FILE": str(tmp_path / "absent")})
    assert refusal(capsys).startswith("MIPRES_SSO_TOKEN_FILE: ")


def test_payload_keys_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    tell(monkeypatch, {**DEVELOPMENT, "PAYLOAD_KEYS": f"k2:{OTHER_KEY}, k1:{KEY}"})
    settings = load_settings()
    assert list(settings.payload_keys.items()) == [("k2", bytes(range(32))), ("k1", bytes(range(100, 132)))]
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


@pytest.mark.parametrize("name", sorted(PRODUCTION.keys() - {"ENVIRONMENT", "TEMPORAL_API_KEY"}))
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
        *(("SMTP_URL", value) for value in ("smtp://mail:587", "SMTP://mail", "smtp://u:p@mail:25")),
        *(("SECRET_KEY", value) for value in ("x" * 64, "abcdefghijklmno" * 4, "00ff" * 32)),
        *(("API_KEYS", value) for value in ("1234567890" * 5, f"{CLIENTS_KEY},{CLIENTS_KEY}")),
        ("API_KEYS", f"{CLIENTS_KEY},{LONG}"),
        ("API_KEYS", f"siis:{CLIENTS_KEY},otro:{CLIENTS_KEY}"),
        ("API_KEYS", LONG),
        ("METRICS_KEY", "a1" * 16),
        ("METRICS_KEY", CLIENTS_KEY),
        ("SECRET_KEY_PREVIOUS", "short"),
        ("SECRET_KEY", f"{LONG},and more"),
        ("SECRET_KEY_PREVIOUS", LONG),
        ("PAYLOAD_KEYS", f"k1:{base64.b64encode(bytes(32)).decode()}"),
        ("PAYLOAD_KEYS", f"k1:{KEY},k2:{KEY}"),
        ("PAYLOAD_KEYS", f"k1:{KEY},k2:{base64.b64encode(b'0123456789abcde' * 2 + b'00').decode()}"),
        ("AUDIT_KEYS", f"a1:{KEY}"),
        ("AUDIT_KEYS", f"a1:{OTHER_KEY},a2:{base64.b64encode(LONG.encode()).decode()}"),
        ("TEMPORAL_UI_URL", "http://temporal.example"),
        *(("HELP_EMAIL", value) for value in ("ayuda", "a@", "a@b.co, c@d.co")),
        *(("HELP_PHONE", value) for value in ("mesa de ayuda", "12", "601<b>330</b>")),
        ("HELP_URL", "entidad.gov.co"),
        ("PRIVACY_URL", "javascript:alert(1)"),
        ("PASSWORD_LINK_HOURS", "169"),
        ("PASSWORD_LINK_HOURS", "999999"),
        *(
            ("MAIL_FROM", value)
            for value in ("registro", "a@", "@b.co", "a b@c.co", "a@b.co, c@d.co", "A <a@b.co>")
        ),
        *(
            ("TRUSTED_PROXIES", value)
            for value in ("0.0.0.0/0", "::/0", "10.0.0.0/7", "2000::/3", "fd00::/15")
        ),
        ("TRUSTED_PROXIES", "0.0.0.0/1,128.0.0.0/1"),
        ("TRUSTED_PROXIES", ",".join(f"{first}.0.0.0/8" for first in range(256))),
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


def test_production_refuses_temporal_in_clear_unless_it_is_accepted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(monkeypatch, {name: value for name, value in PRODUCTION.items() if name != "TEMPORAL_API_KEY"})
    line = refusal(capsys)
    assert line.startswith("MIPRES_TEMPORAL_PLAINTEXT: ")
    assert "MIPRES_TEMPORAL_TLS_CERT" in line
    monkeypatch.setenv("MIPRES_TEMPORAL_PLAINTEXT", "accepted")
    assert load_settings().temporal_plaintext == "accepted"
    monkeypatch.setenv("MIPRES_TEMPORAL_PLAINTEXT", "yes")
    assert refusal(capsys).startswith("MIPRES_TEMPORAL_PLAINTEXT: ")


@pytest.mark.parametrize("value", ["temporal:7233", "10.0.0.5:7233", "[::1]:7233", "t.acct.tmprl.cloud:7233"])
def test_the_address_of_temporal_is_a_host_and_a_port(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(monkeypatch, DEVELOPMENT | {"TEMPORAL_ADDRESS": value})
    assert load_settings().temporal_address == value


@pytest.mark.parametrize(
    "value",
    [
        *("temporal", "temporal:abc", "temporal:0", "temporal:70000", ":7233", "a b:7", "a:7/x", "a@b:7"),
        *("https://temporal:7233", "::1:7233", "[::1:7233"),
    ],
)
def test_anything_else_is_no_address_of_temporal(
    value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The SDK's own words come with the first call, and name no setting."""
    tell(monkeypatch, DEVELOPMENT | {"TEMPORAL_ADDRESS": value})
    assert refusal(capsys) == "MIPRES_TEMPORAL_ADDRESS: use `servidor:puerto`, como `temporal:7233`."


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A certificate, its key, another key, and files that are none."""
    directory = tmp_path_factory.mktemp("tls")
    key = new_key()
    texts = {
        "cert": certificate_of(key),
        "key": pem_of(key),
        "other": pem_of(new_key()),
        "locked": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"clave")),
        "text": b"no PEM",
    }
    for which, text in texts.items():
        (directory / which).write_bytes(text)
    return {which: str(directory / which) for which in (*texts, "absent")}


@pytest.mark.parametrize(
    "given",
    [
        {"TEMPORAL_TLS_CERT": "cert", "TEMPORAL_TLS_KEY": "key"},
        {"TEMPORAL_TLS_CA": "cert"},
        {"TEMPORAL_API_KEY": "cert"},
    ],
)
def test_what_encrypts_the_way_to_temporal_is_enough(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch, pem: dict[str, str]
) -> None:
    tell(
        monkeypatch,
        {**PRODUCTION, "TEMPORAL_API_KEY": "", **{name: pem[file] for name, file in given.items()}},
    )
    assert load_settings().environment == "production"


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"CERT": "cert"}, "KEY: falta; el certificado"),
        ({"KEY": "key"}, "CERT: falta; el certificado"),
        ({"CERT": "cert", "KEY": "other"}, "KEY: no es la clave privada"),
        ({"CERT": "cert", "KEY": "locked"}, "KEY: no es la clave privada"),
        ({"CERT": "text", "KEY": "key"}, "KEY: no es la clave privada"),
        ({"CERT": "absent", "KEY": "key"}, "CERT: no se pudo leer el archivo"),
        ({"CA": "absent"}, "CA: no se pudo leer el archivo"),
        ({"CA": "text"}, "CA: no es el certificado (PEM) de una autoridad."),
        ({"CA": "key"}, "CA: no es el certificado (PEM) de una autoridad."),
    ],
)
def test_a_file_of_tls_that_cannot_serve_is_named_at_start(
    given: dict[str, str],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    pem: dict[str, str],
) -> None:
    """Temporal would seem to be away, for ever."""
    tell(monkeypatch, DEVELOPMENT | {f"TEMPORAL_TLS_{name}": pem[file] for name, file in given.items()})
    assert refusal(capsys).startswith(f"MIPRES_TEMPORAL_TLS_{line}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("SMTP_URL", value)
            for value in ("smtp+starttls://mail:587", "SMTPS://u:p@mail:465", "smtps://mail")
        ),
        ("SECRET_KEY", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,172.16.0.0/12,fd00::/16"),
        ("PASSWORD_LINK_HOURS", "168"),
        ("MAIL_FROM", "registro@entidad.gov.co"),
        ("TEMPORAL_UI_URL", "https://temporal.example"),
        ("SECRET_KEY_PREVIOUS", "Zx3cVb5nMa7sDf9gHj1kLq2wEr4tYu6i"),
    ],
)
def test_what_is_safe_starts(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(monkeypatch, {**PRODUCTION, name: value})
    assert load_settings().environment == "production"


def test_without_an_address_of_the_interface_production_trusts_no_page_in_clear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tell(monkeypatch, PRODUCTION)
    assert load_settings().temporal_ui_url.startswith("https://")


@pytest.mark.parametrize(
    "value",
    [
        "smpts://u:p@mail",
        "smtp+tls://mail",
        "starttls://mail",
        "http://mail",
        "mail:465",
        "smtps:mail",
        "smtps://",
    ],
)
@pytest.mark.parametrize("base", [DEVELOPMENT, PRODUCTION])
def test_a_mistyped_scheme_of_mail_is_refused_everywhere(
    base: dict[str, str], value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(monkeypatch, {**base, "SMTP_URL": value})
    line = refusal(capsys)
    assert line.startswith("MIPRES_SMTP_URL: ")
    assert "@mail" not in line


def test_a_printed_settings_object_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    tell(monkeypatch, PRODUCTION)
    shown = repr(Settings())
    for secret in (LONG, CLIENTS_KEY, "token-a", "secret@db", "payload_keys"):
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


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("postgres://u:p%40@db/m", "postgresql+asyncpg://u:p%40@db/m"),
        ("postgresql://u:p@db:6432/m?sslmode=require", "postgresql+asyncpg://u:p@db:6432/m?sslmode=require"),
        ("postgresql://u:p@db/m?ssl=disable", "postgresql+asyncpg://u:p@db/m?sslmode=disable"),
        ("postgresql+asyncpg://u:p@db/m", "postgresql+asyncpg://u:p@db/m"),
        (" POSTGRES://u:p@db/m\n", "postgresql+asyncpg://u:p@db/m"),
        ("postgresql://u@db/m", "postgresql+asyncpg://u@db/m"),
        ("postgresql://db/m", "postgresql+asyncpg://db/m"),
        ("postgresql://u:p@:ss+%2F%%20@db/m", "postgresql+asyncpg://u:p%40%3Ass%2B%2F%25%20@db/m"),
        ("postgresql://u:p@[fd00::7]:6432/m", "postgresql+asyncpg://u:p@[fd00::7]:6432/m"),
        ("postgresql://u:p@[::1]/m", "postgresql+asyncpg://u:p@[::1]/m"),
        (
            "postgresql://u:p@/m?host=/var/run/PG&port=6432",
            "postgresql+asyncpg://u:p@/m?host=%2Fvar%2Frun%2FPG&port=6432",
        ),
        ("postgresql:///m?host=/run/PG", "postgresql+asyncpg:///m?host=%2Frun%2FPG"),
        ("postgresql://%2Frun%2FPG/m", "postgresql+asyncpg:///m?host=%2Frun%2FPG&port=5432"),
        ("postgresql://u:p@db:/m", "postgresql+asyncpg://u:p@db/m"),
        ("postgresql://u@%2Frun%2FPG/m", "postgresql+asyncpg://u@/m?host=%2Frun%2FPG&port=5432"),
        ("postgresql://u@%2Frun%2FPG:6432/m", "postgresql+asyncpg://u@/m?host=%2Frun%2FPG&port=6432"),
        (
            "postgresql://db/m?application_name=a%20b&options=-c%20search_path%3Ds",
            "postgresql+asyncpg://db/m?application_name=a+b&options=-c+search_path%3Ds",
        ),
    ],
)
def test_the_database_s_address_is_read_in_each_form(
    monkeypatch: pytest.MonkeyPatch, given: str, read: str
) -> None:
    tell(monkeypatch, {**DEVELOPMENT, "DATABASE_URL": given})
    assert load_settings().database_url.get_secret_value() == read


@pytest.mark.parametrize(
    "given",
    [
        "mysql://u:p@db/m",
        "db:5432",
        "postgresql://u:p@db",
        "postgresql://u:p@db:port/m",
        "postgresql://u:p@db/m?sslmode=on",
        "postgresql://u:p@db/m?sslmode=verify-full&sslrootcert=/nowhere/ca.pem",
        f"postgresql://u:p@db/m?sslmode=verify-full&sslrootcert={__file__}",
        "postgresql://u:p@db/m?ssl=true",
        "postgresql://u:p@db/m?connect_timeout=5",
        "postgresql+psycopg://u:p@db/m",
        "postgresql://u:p/s@db/m",
        "postgresql://u:p#s@db/m",
        "postgresql://u:p?s@db/m",
        "postgresql://u:p@::1:5432/m",
        "postgresql://u:p@one,two/m",
        "postgresql://u:p@one:5432,two:5432/m",
        "postgresql:///m",
        "postgresql://:p@db/m",
        "postgresql://u:p@d b/m",
        "postgresql://u:p@db:0/m",
        "postgresql://u:p@db/m?port=one",
        "postgresql://u:p@/m?host=/run/one&port=1,2",
        "postgresql://u:p@db/m?sslkey=/nowhere/key.pem",
        "postgresql://u:p@db/m?sslrootcert=/nowhere/ca.pem",
        "host=db dbname=m user=u",
    ],
)
def test_another_address_of_the_database_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], given: str
) -> None:
    tell(monkeypatch, {**DEVELOPMENT, "DATABASE_URL": given})
    said = refusal(capsys)
    assert said.startswith("MIPRES_DATABASE_URL: ")
    assert "sslmode" in said or "PEM" in said
    assert given not in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            (name, address)
            for name in ("PUBLIC_URL", "RETHUS_URL", "TEMPORAL_UI_URL", "OTLP_ENDPOINT", "HELP_URL")
            for address in ("https://:443", "https://[::1", "https://h:99999", "https://h:0", "https://a b/c")
        ),
        ("SSO_URL", "https://h/api?clave=1"),
        ("PUBLIC_URL", "https://h/#inicio"),
        ("PRIVACY_URL", "https://u:p@h/politica"),
        ("RETHUS_TOKEN", "dos palabras"),
        ("SSO_TOKEN", "contraseña"),
        ("TEMPORAL_API_KEY", "una\nlínea"),
        ("SUPPORT_EMAIL", "soporte"),
        ("MAIL_FROM", "registro"),
        ("SMTP_URL", "smtp://u:12#x@mail"),
        ("SMTP_URL", "smtps://mail server:465"),
        ("METRICS_HOST", "localhost"),
        ("WORKER_DEPLOYMENT", "registro.mipres"),
        ("WORKER_DEPLOYMENT", "registro:mipres"),
        ("WORKER_BUILD", "una versión"),
        ("SECOND_FACTOR", "all"),
        ("DEMONSTRATIONS", "sometimes"),
        ("SECRET_KEY", f'"{LONG}"'),
        ("DATABASE_URL", "'postgresql://u:p@db/m'"),
        ("DATA_DIR", "d" * 5000),
        pytest.param("OIDC_CLIENTS", "[" * 60_000, id="deeply nested"),
    ],
)
def test_a_value_that_would_fail_later_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    tell(monkeypatch, {**DEVELOPMENT, "WORKER_DEPLOYMENT": "registro", "WORKER_BUILD": "1", name: value})
    said = refusal(capsys)
    assert said.startswith(f"MIPRES_{name}: ")
    assert "consulte la tabla" not in said
    assert value not in said


@pytest.mark.parametrize("name", ["WORKER_DEPLOYMENT", "WORKER_BUILD"])
def test_a_deployment_and_its_build_are_named_together(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Without a build a worker says that it is ready, and gets nothing."""
    tell(monkeypatch, {**DEVELOPMENT, name: "registro"})
    assert "van juntas" in refusal(capsys)


def test_blanks_around_a_value_are_no_part_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A Secret that was made of a file ends with its line."""
    (tmp_path / "empty").write_text("\n")
    values = {
        "RETHUS_TOKEN": " a\n",
        "TEMPORAL_NAMESPACE": "registro\r\n",
        "CAPTCHA": "proof ",
        "MAIL_FROM": " ",
    }
    tell(monkeypatch, {**DEVELOPMENT, **values, "SSO_TOKEN_FILE": str(tmp_path / "empty")})
    settings = load_settings()
    assert settings.rethus_token.get_secret_value() == "a"
    assert (settings.temporal_namespace, settings.captcha) == ("registro", "proof")
    assert settings.mail_from == "hercules-noreply@sispro.gov.co"
    assert settings.sso_token.get_secret_value() == "desarrollo"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MIPRES_RATE_LIMIT", "MIPRES_RATE_LIMITS"),
        ("MIPRES_DB_URL", "MIPRES_DATABASE_URL"),
        ("MIPRES_DATABASE_POOL_SIZE", "MIPRES_DATABASE_POOL"),
        ("MIPRES_SECRETKEY_FILE", "MIPRES_SECRET_KEY_FILE"),
        ("MIPRES_ENV", "MIPRES_ENVIRONMENT"),
        ("mipres_capcha", "MIPRES_CAPTCHA"),
        ("MIPRES_LOG_LEVEL", None),
    ],
)
def test_a_mistyped_setting_is_named_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, meant: str | None
) -> None:
    tell(monkeypatch, DEVELOPMENT)
    monkeypatch.setenv(name, "1")
    load_settings()
    end = f"; ¿quiso decir {meant}?" if meant else "."
    assert capsys.readouterr().err == f"{name}: ninguna variable del producto se llama así{end}\n"


def test_a_setting_in_small_letters_is_read_and_not_called_unknown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(monkeypatch, DEVELOPMENT)
    monkeypatch.setenv("mipres_captcha", "proof")
    assert (load_settings().captcha, capsys.readouterr().err) == ("proof", "")


@pytest.mark.parametrize("shows", [True, False])
def test_only_demonstrations_that_run_are_led_to(monkeypatch: pytest.MonkeyPatch, *, shows: bool) -> None:
    tell(monkeypatch, {**DEVELOPMENT, "DEMONSTRATIONS": str(shows).lower()})
    starts = {client.start_uri for client in load_settings().oidc_clients.values()}
    both = {"http://localhost:8081/ingresar", "http://localhost:8082/ingresar"}
    assert starts == (both if shows else {None})
