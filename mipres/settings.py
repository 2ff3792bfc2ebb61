"""Every setting of the product, read once from `MIPRES_…` variables.

In development, absent values point at the servers that `make run` embeds; production takes nothing for
granted and refuses to start on a missing, weak or development value.
"""

import base64
import binascii
import hashlib
import os
import re
import ssl
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    IPvAnyAddress,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from mipres.database.tls import FILES, MODES, OF_THE_SYSTEM, tls_of
from mipres.domain.addresses import is_usable
from mipres.domain.applications import Application
from mipres.domain.clients import Audience, Client, UnusableClientError, is_a_secret_of
from mipres.domain.errors import MipresError, UnusableTableError
from mipres.domain.professions import SHIPPED_PROFESSIONS, ProfessionTable
from mipres.domain.sanctions import SHIPPED_SANCTIONS, SanctionTable
from mipres.domain.second_factor import SecondFactorRule
from mipres.oidc_clients import entries_in, usable
from mipres.oidc_keys import UnusableKeysError, read_keys

PREFIX = "MIPRES_"
SECRETS_FILE = "secrets.env"
"""Secrets that the launcher generated at its first start, below DATA_DIR."""
OTHER_PROGRAMS = ("MIPRES_SIMULATOR_TOKEN",)
"""Variables of the development servers."""
STACK_FILE = "stack.env"
"""Where the running launcher's servers are, below DATA_DIR; gone when it stops."""
DEVELOPMENT_DATA_DIR = Path(".data")
DEVELOPMENT_CLIENT_SECRET = "desarrollo-solo-local"  # noqa: S105 - the contract's, refused in production.
DEVELOPMENT_KEY = "desarrollo"
"""API key and registry token of development, which production refuses."""
DATABASE_NAME = "mipres"
MINIMUM_SECRET_LENGTH = 32
_KEY_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,39}")
KEY_BYTES = 32
LEAST_DIFFERENT_BYTES = 16
"""Fewer come from a pattern or a keyboard, not from chance: 32 random bytes have some 30."""
LONGEST_LINK_HOURS = 168
WIDEST_PROXY_NETWORK = {4: 8, 6: 16}
"""Length of the shortest prefix, by version of the address."""
SMTP_SCHEMES = ("smtps", "smtp+starttls", "smtp")
ENCRYPTED_SMTP_SCHEMES = SMTP_SCHEMES[:2]
DATABASE_SCHEMES = ("postgresql", "postgres", "postgresql+asyncpg")
DATABASE_OPTIONS = ("sslmode", *FILES, "host", "port", "application_name", "options")
_SIGNS_IN_AN_ADDRESS = "en la clave, `/` se escribe `%2F`, `?` `%3F` y `#` `%23`."
_DATABASE_FORM = (
    "use `postgresql://usuario:clave@servidor:puerto/base`, con `?sslmode=verify-full` si la red no es suya; "
    + _SIGNS_IN_AN_ADDRESS
)
_KEYS_OF_BYTES = ("payload_keys", "audit_keys")

_REMEDY_BY_ERROR_TYPE = {
    "missing": "falta; defínala (en desarrollo la genera `make run` en su primer inicio).",
    "int_parsing": "debe ser un número entero.",
    "float_parsing": "debe ser un número.",
    "too_short": "use al menos {min_length} caracteres aleatorios.",
    "literal_error": "debe ser {expected}.",
    "enum": "debe ser {expected}.",
    "bool_parsing": "debe ser `true` o `false`.",
    "ip_any_address": "debe ser una dirección IP, como `127.0.0.1` o `::`.",
    "greater_than": "debe ser mayor que {gt}.",
    "greater_than_equal": "debe ser como mínimo {ge}.",
    "less_than_equal": "debe ser como máximo {le}.",
    "value_error": "{error}",
}
_UNKNOWN_REMEDY = "su valor no es válido; consulte la tabla de variables de docs/deployment.md."


class UnusableSettingError(MipresError):
    """A variable has quotes around its value, or names a file that cannot be read."""


def _keys_by_id(value: object) -> object:
    if not isinstance(value, str):
        return value
    entries = [entry.strip().partition(":") for entry in value.split(",") if entry.strip()]
    try:
        keys = {key_id: base64.b64decode(encoded, validate=True) for key_id, _, encoded in entries}
    except binascii.Error:
        keys = {"": b""}
    if any(len(key) != KEY_BYTES for key in keys.values()):
        raise ValueError(f"cada clave debe ser el base64 de {KEY_BYTES} bytes: `id:base64,id:base64`.")
    if not keys or "" in keys or len(keys) < len(entries):
        raise ValueError("use `id:base64,id:base64`, con identificadores distintos; la primera es la activa.")
    return keys


def _separated_by_commas(value: object) -> object:
    return [key.strip() for key in value.split(",") if key.strip()] if isinstance(value, str) else value


def _api_keys(value: object) -> object:
    """`name:key`, or a key alone; each is kept as written."""
    entries = _separated_by_commas(value)
    for entry in entries if isinstance(entries, list) else ():
        name, separator, key = entry.partition(":")
        if separator and not (_KEY_NAME.fullmatch(name) and key):
            raise ValueError(
                "use `nombre:clave` o solo la clave; el nombre, con minúsculas, dígitos, punto o guion."
            )
    return entries


def _networks(value: object) -> object:
    try:
        return [ip_network(item) for item in _separated_by_commas(value)]  # type: ignore[attr-defined]
    except ValueError:
        raise ValueError(
            "use direcciones o redes separadas por comas, como `10.0.0.5,192.168.0.0/24`."
        ) from None


def _web_page(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("debe empezar por https:// (o por http:// en desarrollo).")
    try:
        # urlsplit itself checks the port's range and the brackets of IPv6.
        parts = urlsplit(value)
        is_complete = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        is_complete = False
    if not is_complete or re.search(r"\s", value):
        raise ValueError("use `https://servidor/ruta`, sin espacios, usuario ni clave.")
    return value


def _web_address(value: str) -> str:
    """Addresses of a service's parts are written after it."""
    if "?" in value or "#" in value:
        raise ValueError("use `https://servidor/ruta`, sin nada desde `?` o `#`.")
    return _web_page(value).rstrip("/")


def _server_address(value: str) -> str:
    try:
        # urlsplit itself checks the port's range and the brackets of IPv6.
        parts = urlsplit(f"//{value}")
        is_complete = bool(parts.hostname and parts.port) and parts.netloc == value
    except ValueError:
        is_complete = False
    if not is_complete or "@" in value or re.search(r"\s", value):
        raise ValueError("use `servidor:puerto`, como `temporal:7233`.")
    return value


def _mail_address(value: str) -> str:
    if not is_usable(value):
        raise ValueError("debe ser una dirección de correo, como `ayuda@entidad.gov.co`.")
    return value


def _matching(pattern: str, remedy: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(remedy)
        return value

    return AfterValidator(check)


def _sent_in_a_header(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]+", value.get_secret_value()):
        raise ValueError("use solo letras, dígitos y signos de ASCII, sin espacios: viaja en una cabecera.")
    return value


ServerAddress = Annotated[str, AfterValidator(_server_address)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
WebPage = Annotated[str, AfterValidator(_web_page)]
# Temporal refuses every poll of a worker whose deployment has another name, and the worker does not say so.
DeploymentName = Annotated[
    str, _matching(r"(?!__)[\w-]+", "use letras, dígitos y guiones, sin puntos, como `registro`.")
]
BuildName = Annotated[
    str, _matching(r"(?!__)[\w.+-]+", "use letras, dígitos, puntos y guiones, como `0.2.0`.")
]
Token = Annotated[SecretStr, AfterValidator(_sent_in_a_header)]
PublicAddress = Annotated[str, AfterValidator(_mail_address)]
TelephoneNumber = Annotated[
    str,
    _matching(
        r"\+?[0-9][0-9 ().-]{5,24}", "debe ser un número de teléfono, como `601 330 5043` o `018000 960020`."
    ),
]
Port = Annotated[int, Field(ge=1, le=65535)]
KeysById = Annotated[Mapping[str, bytes], NoDecode, BeforeValidator(_keys_by_id), Field(repr=False)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_separated_by_commas)]
ApiKeys = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_api_keys)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_networks)]


def _usable_table(read: Callable[[Path], object]) -> Callable[[Path], Path]:
    def check(file: Path) -> Path:
        try:
            read(file)
        except UnusableTableError:
            raise ValueError("no es una tabla legible; vea `docs/registries.md`.") from None
        return file

    return check


ProfessionsFile = Annotated[Path, AfterValidator(_usable_table(ProfessionTable.read))]
SanctionsFile = Annotated[Path, AfterValidator(_usable_table(SanctionTable.read))]


def _clients(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return usable(entries_in(value))
    except UnusableClientError as error:
        raise ValueError(str(error)) from None


def _usable_keys(file: Path) -> Path:
    try:
        read_keys(file)
    except UnusableKeysError as error:
        raise ValueError(str(error)) from None
    return file


OidcClients = Annotated[Mapping[str, Client], NoDecode, BeforeValidator(_clients), Field(repr=False)]
OidcKeysFile = Annotated[Path, AfterValidator(_usable_keys)]


def _smtp_address(value: SecretStr) -> SecretStr:
    try:
        address = urlsplit(value.get_secret_value())
        is_complete = bool(address.hostname) and address.port != 0 and not re.search(r"\s", address.netloc)
    except ValueError:
        address, is_complete = urlsplit(""), False
    # A password's sign that ends the server's part would make the rest of it vanish.
    has_more = bool(address.path.strip("/") or address.query or address.fragment)
    if address.scheme not in SMTP_SCHEMES or not is_complete or has_more:
        raise ValueError(
            "use `smtps://usuario:clave@servidor:puerto` o `smtp+starttls://…`; " + _SIGNS_IN_AN_ADDRESS
        )
    return value


_UNREADABLE = "no se pudo leer el archivo; revise la ruta y los permisos."


def _readable(file: Path) -> Path:
    try:
        file.read_bytes()
    except OSError:
        raise ValueError(_UNREADABLE) from None
    return file


def _authority(file: Path) -> Path:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(_readable(file))
    except ssl.SSLError:
        raise ValueError("no es el certificado (PEM) de una autoridad.") from None
    return file


ReadableFile = Annotated[Path, AfterValidator(_readable)]
AuthorityFile = Annotated[Path, AfterValidator(_authority)]
SmtpAddress = Annotated[SecretStr, AfterValidator(_smtp_address)]


def _temporal_ui_address(known: dict[str, Any]) -> str:
    """Where nothing is configured: the embedded interface, or nothing in clear."""
    scheme = "https" if known.get("environment") == "production" else "http"
    return f"{scheme}://{_loopback_of(known)}:{known['temporal_ui_port']}"


def _embedded_database_url(known: dict[str, Any]) -> SecretStr:
    password: SecretStr | None = known["postgres_password"]
    if password is None:
        return SecretStr("")
    secret, port = quote(password.get_secret_value(), safe=""), known["postgres_port"]
    # Port 0 is any free one, which the launcher has still to find and gives to its parts.
    server = f"127.0.0.1:{port}" if port else "127.0.0.1"
    return SecretStr(f"postgresql+asyncpg://mipres:{secret}@{server}/{DATABASE_NAME}")


def _loopback_of(known: dict[str, Any]) -> str:
    """The name under which this machine's pages are opened.

    The browser gives cookies to the same name only.
    """
    host = urlsplit(known.get("public_url", "")).hostname
    return host if host in {"localhost", "127.0.0.1"} else "127.0.0.1"


def _not_empty(value: SecretStr) -> SecretStr:
    if not value.get_secret_value():
        raise ValueError("falta; defínala (`make run` trae su propio PostgreSQL).")
    return value


def _database_address(value: SecretStr) -> SecretStr:
    """Read the forms that people use as the one of SQLAlchemy."""
    given = _not_empty(value).get_secret_value()
    try:
        address = urlsplit(given)
        login, server, port = _login_of(address), *_server_of(address)
    except ValueError:
        raise ValueError(_DATABASE_FORM) from None
    options = _database_options(address.query)
    if server.startswith("/"):
        options = {**options, "host": server, "port": port.removeprefix(":") or "5432"}
        server = port = ""
    base = address.path.strip("/")
    is_complete = bool(server or options.get("host")) and bool(base)
    is_one_server = "," not in server + options.get("host", "")
    if address.scheme not in DATABASE_SCHEMES or address.fragment or not (is_complete and is_one_server):
        raise ValueError(_DATABASE_FORM)
    # By parts: `urlunsplit` drops the two slashes where neither a login nor a server follows.
    query = f"?{urlencode(options)}" if options else ""
    return SecretStr(f"postgresql+asyncpg://{login}{server}{port}/{base}{query}")


def _server_of(address: SplitResult) -> tuple[str, str]:
    """Name and port, which has its colon where there is one.

    What the standard library calls `hostname` is in small letters; a socket's directory may not be.
    """
    parts = re.fullmatch(r"(\[\S+\]|[^\s:]*)(?::(\d*))?", address.netloc.rpartition("@")[2])
    # The port's range is checked where it is read.
    if parts is None or address.port == 0:
        raise ValueError(_DATABASE_FORM)
    return unquote(parts[1]), "" if address.port is None else f":{address.port}"


def _login_of(address: SplitResult) -> str:
    """User and password, with every sign that has a meaning in an address in its other form."""
    if not address.username:
        if address.password:
            raise ValueError(_DATABASE_FORM)
        return ""
    words = [quote(unquote(word), safe="") for word in (address.username, address.password) if word]
    return f"{':'.join(words)}@"


def _database_options(query: str) -> dict[str, str]:
    """What follows the question mark; drivers of other languages write `ssl` for `sslmode`."""
    options = {"sslmode" if name == "ssl" else name: text for name, text in parse_qsl(query)}
    if unknown := sorted(set(options) - set(DATABASE_OPTIONS)):
        raise ValueError(f"no conoce la opción `{unknown[0]}`; use solo {', '.join(DATABASE_OPTIONS)}.")
    if options.get("sslmode", "prefer") not in MODES:
        raise ValueError(f"`sslmode` debe ser {', '.join(MODES)}.")
    if not re.fullmatch(r"0*[1-9]\d{0,4}", options.get("port", "5432")):
        raise ValueError(_DATABASE_FORM)
    if "sslkey" in options and "sslcert" not in options:
        raise ValueError("`sslkey` va con `sslcert`: falta el certificado (PEM).")
    files = [name for name in FILES if name in options]
    try:
        for file in files:
            if options[file] != OF_THE_SYSTEM:
                Path(options[file]).read_bytes()
        tls_of(options)
    except OSError:
        raise ValueError(
            f"no se pudo usar {', '.join(f'`{name}`' for name in files)}: cada uno nombra un archivo PEM legible."
        ) from None
    return options


def _without_comma(value: SecretStr) -> SecretStr:
    if "," in value.get_secret_value():
        raise ValueError("no puede tener comas: separan las claves anteriores; genere otra.")
    return value


def _applications_of_development(known: dict[str, Any]) -> Mapping[str, Client]:
    """The manual's two applications, as `make run` starts them.

    Production has none by itself.
    """
    if known.get("environment") != "development":
        return {}
    secret_hash = hashlib.sha256(DEVELOPMENT_CLIENT_SECRET.encode()).hexdigest()
    ports = {"administracion": known["administration_app_port"], "mipres": known["mipres_app_port"]}
    audiences = {"administracion": Audience.DELEGATES, "mipres": Audience.PRESCRIBERS}
    return {
        client_id: Client(
            client_id=client_id,
            client_name=Application(client_id).full_title,
            client_secret_hash=secret_hash,
            redirect_uris=(f"http://localhost:{port}/volver",),
            post_logout_redirect_uris=(f"http://localhost:{port}/",),
            backchannel_logout_uri=f"http://localhost:{port}/cierre",
            start_uri=f"http://localhost:{port}/ingresar" if known["demonstrations"] else None,
            audience=audiences[client_id],
        )
        for client_id, port in ports.items()
    }


class Settings(BaseSettings):
    """Frozen and complete: no other source of configuration is needed beside it."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    environment: Literal["development", "production"] = "development"
    data_dir: Path = DEVELOPMENT_DATA_DIR

    api_port: Port = 8000
    temporal_port: Port = 7233
    temporal_ui_port: Port = 8233
    postgres_port: int = Field(default=5432, ge=0, le=65535)
    smtp_port: Port = 1025
    mail_ui_port: Port = 8025
    registry_port: Port = 8100

    secret_key: Annotated[SecretStr, AfterValidator(_without_comma)]
    secret_key_previous: Secrets = ()
    payload_keys: KeysById
    audit_keys: KeysById = Field(default_factory=dict)
    api_keys: ApiKeys = (SecretStr(DEVELOPMENT_KEY),)

    postgres_password: SecretStr | None = None
    database_url: Annotated[SecretStr, AfterValidator(_database_address)] = Field(
        default_factory=_embedded_database_url
    )

    database_pool: Annotated[int, Field(ge=1, le=100)] = 10
    database_statement_seconds: Annotated[float, Field(ge=1, le=600)] = 30
    database_lock_seconds: Annotated[float, Field(ge=1, le=600)] = 10

    temporal_address: ServerAddress = Field(
        default_factory=lambda known: f"127.0.0.1:{known['temporal_port']}"
    )
    temporal_namespace: str = "default"
    temporal_api_key: Token | None = None
    temporal_tls_cert: ReadableFile | None = None
    temporal_tls_key: ReadableFile | None = None
    temporal_tls_ca: AuthorityFile | None = None
    temporal_plaintext: Literal["refused", "accepted"] = "refused"
    worker_deployment: DeploymentName | None = None
    worker_build: BuildName | None = None
    public_url: WebAddress = Field(default_factory=lambda known: f"http://localhost:{known['api_port']}")
    temporal_ui_url: WebAddress = Field(default_factory=_temporal_ui_address)
    smtp_url: SmtpAddress = Field(
        default_factory=lambda known: SecretStr(f"smtp://127.0.0.1:{known['smtp_port']}")
    )
    mail_from: PublicAddress = "hercules-noreply@sispro.gov.co"
    support_email: PublicAddress | None = None
    help_email: PublicAddress | None = None
    help_phone: TelephoneNumber | None = None
    help_url: WebPage | None = None
    privacy_url: WebPage | None = None

    professions_file: ProfessionsFile = SHIPPED_PROFESSIONS
    sanctions_that_bar_file: SanctionsFile = SHIPPED_SANCTIONS

    miseguridadsocial_url: WebAddress = Field(
        default_factory=lambda known: f"http://127.0.0.1:{known['registry_port']}/miseguridadsocial"
    )
    miseguridadsocial_token: Token = SecretStr(DEVELOPMENT_KEY)
    rethus_url: WebAddress = Field(
        default_factory=lambda known: f"http://127.0.0.1:{known['registry_port']}/rethus"
    )
    rethus_token: Token = SecretStr(DEVELOPMENT_KEY)
    sso_url: WebAddress = Field(
        default_factory=lambda known: f"http://127.0.0.1:{known['registry_port']}/sso"
    )
    sso_token: Token = SecretStr(DEVELOPMENT_KEY)

    administration_app_port: Port = 8081
    mipres_app_port: Port = 8082
    demonstrations: bool = False
    oidc_clients: OidcClients = Field(default_factory=_applications_of_development)
    oidc_keys_file: OidcKeysFile | None = None

    metrics_key: Annotated[SecretStr, Field(min_length=MINIMUM_SECRET_LENGTH)] | None = None
    metrics_host: IPvAnyAddress = ip_address("127.0.0.1")
    metrics_port: int = Field(default=0, ge=0, le=65535)
    otlp_endpoint: WebAddress | None = None

    address_change_hours: int = Field(default=24, ge=1, le=24 * 7)
    password_link_hours: int = Field(default=24, ge=1)
    wait_for_registry_days: int = Field(default=30, ge=1, le=365)
    password_policy: Literal["manual", "nist"] = "manual"  # noqa: S105 - the name of a policy.
    registry_review_days: int = Field(default=7, ge=0, le=365)
    review_guard_percent: float = Field(default=2, gt=0, le=100)
    second_factor: SecondFactorRule = SecondFactorRule.OPTIONAL
    submit_wait_seconds: float = Field(default=5, gt=0, le=60)
    captcha: Literal["image", "proof", "off"] = "image"
    captcha_proof_keys: int = Field(default=400, ge=2, le=10_000)
    enumeration: Literal["explicit", "neutral"] = "explicit"
    rate_limits: Literal["on", "relaxed", "off"] = Field(
        default_factory=lambda known: "on" if known["environment"] == "production" else "relaxed"
    )
    trusted_proxies: Networks = ()

    @property
    def active_payload_key(self) -> str:
        """The key that encrypts.

        The others only decrypt what was written before a rotation.
        """
        return next(iter(self.payload_keys))

    @model_validator(mode="after")
    def _name_builds_with_their_deployment(self) -> Self:
        names = {field: getattr(self, field) for field in ("worker_deployment", "worker_build")}
        absent = [variable(field) for field, name in names.items() if name is None]
        if len(absent) == 1:
            raise ValueError(
                f"{absent[0]}: falta; {variable('worker_deployment')} y {variable('worker_build')} van juntas."
            )
        return self

    @model_validator(mode="after")
    def _pair_the_certificate_with_its_key(self) -> Self:
        certificate, key = self.temporal_tls_cert, self.temporal_tls_key
        if certificate is None and key is None:
            return self
        if certificate is None or key is None:
            absent = "temporal_tls_cert" if certificate is None else "temporal_tls_key"
            raise ValueError(f"{variable(absent)}: falta; el certificado y su clave privada van juntos.")
        try:
            # Without a password it would ask for the one of an encrypted key.
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password="")
        except ssl.SSLError:
            raise ValueError(
                f"{variable('temporal_tls_key')}: no es la clave privada (PEM, sin contraseña) de "
                f"{variable('temporal_tls_cert')}."
            ) from None
        return self

    @model_validator(mode="after")
    def _refuse_an_unsafe_production(self) -> Self:
        if self.environment == "production":
            for refusal in _production_refusals(self):
                raise ValueError(refusal)
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then variables, then `…_FILE`.

        In development also what the launcher left.
        """
        variables = _without_blanks(env_settings())
        given, values = {**variables, **init_settings()}, {}
        for field in settings_cls.model_fields:
            name = f"{variable(field)}_FILE"
            if path := os.environ.get(name):
                try:
                    values[field] = Path(path).read_text(encoding="utf-8")
                except (OSError, UnicodeDecodeError) as error:
                    raise UnusableSettingError(f"{name}: {_UNREADABLE}") from error
        read = (
            InitSettingsSource(settings_cls, init_kwargs=found)
            for found in (variables, _without_blanks(values))
        )
        sources = (init_settings, *read, dotenv_settings, file_secret_settings)
        if given.get("environment", "development") != "development":
            return sources
        data_dir = Path(given.get("data_dir", DEVELOPMENT_DATA_DIR))
        launcher_files = (data_dir / SECRETS_FILE, data_dir / STACK_FILE)
        return *sources, DotEnvSettingsSource(
            settings_cls, env_file=launcher_files, env_file_encoding="utf-8"
        )


def _without_blanks(given: Mapping[str, Any]) -> dict[str, Any]:
    """Values as they were meant: what ends a line of a file or of a Secret is no part of them.

    Raises:
        UnusableSettingError: quotes that a shell would have removed are around a value.
    """
    values = {field: value.strip() if isinstance(value, str) else value for field, value in given.items()}
    for field, value in values.items():
        if isinstance(value, str) and re.fullmatch(r"""(["']).*\1""", value, re.DOTALL):
            raise UnusableSettingError(f"{variable(field)}: quite las comillas que rodean el valor.")
    return {field: value for field, value in values.items() if value != ""}


def variable(field: str) -> str:
    """The environment variable of a field, as every message names it."""
    return f"{PREFIX}{field.upper()}"


def file_of(field: str) -> Path | None:
    """The file that a `MIPRES_…_FILE` variable names for a field; None where the variable itself has a value."""
    path = os.environ.get(f"{variable(field)}_FILE")
    return Path(path) if path and variable(field) not in os.environ else None


def _write_error(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def load_settings(*, say: Callable[[str], object] = _write_error) -> Settings:
    """Settings for a composition root.

    A wrong one ends the process with one line, not a traceback.

    Args:
        say: Where lines go; by default to the person who started the program.
    """
    for name, known in _mistyped(os.environ):
        hint = f"; ¿quiso decir {known}?" if known else "."
        say(f"{name}: ninguna variable del producto se llama así{hint}")
    for name in map(variable, Settings.model_fields):
        if os.environ.get(name) and os.environ.get(f"{name}_FILE"):
            say(f"{name}_FILE: no se lee, porque {name} también está definida; deje una de las dos.")
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        details = {name: str(value).replace(" or ", " o ") for name, value in first.get("ctx", {}).items()}
        remedy = _REMEDY_BY_ERROR_TYPE.get(first["type"], _UNKNOWN_REMEDY).format(**details)
        line = f"{variable(str(first['loc'][0]))}: {remedy}" if first["loc"] else remedy
    except UnusableSettingError as error:
        line = str(error)
    except (OSError, UnicodeDecodeError):
        line = f"{variable('data_dir')}: no se pudo leer lo que `make run` dejó allí; revise ruta y permisos."
    say(line)
    raise SystemExit(2)


def _mistyped(given: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """Names with the product's prefix that no program reads, each with the nearest that is read."""
    fields = [variable(field) for field in Settings.model_fields]
    known = {*(f"{name}_FILE" for name in fields), *OTHER_PROGRAMS}
    for name in sorted(name for name in given if name.upper().startswith(PREFIX) and name not in known):
        # Capitals and small letters are the same to what reads them, but for the names of files.
        if name.upper() not in fields:
            yield name, _nearest(name.upper(), fields)


def _nearest(name: str, fields: Sequence[str]) -> str | None:
    """What was meant, without the prefix: it would make any two names alike."""
    bare = name.removeprefix(PREFIX)
    stem = bare.removesuffix("_FILE")
    ends = bare.removeprefix(stem)
    names = [field.removeprefix(PREFIX) for field in fields]
    nearest = get_close_matches(stem, names, n=1) or [long for long in names if long.startswith(stem)]
    return f"{PREFIX}{nearest[0]}{ends}" if nearest else None


def _production_refusals(settings: Settings) -> Iterator[str]:
    """What keeps a production process from starting, the most basic first."""
    required = ("audit_keys", "api_keys", "database_url", "temporal_address", "smtp_url", "public_url")
    registries = ("miseguridadsocial", "rethus", "sso")
    for field in (*required, *(f"{name}_{kind}" for name in registries for kind in ("url", "token"))):
        if field not in settings.model_fields_set:
            yield f"{variable(field)}: falta; en producción no tiene valor por defecto."
    yield from _weak_secrets(settings)
    for field in ("public_url", "temporal_ui_url", "miseguridadsocial_url", "rethus_url", "sso_url"):
        if not getattr(settings, field).startswith("https://"):
            yield f"{variable(field)}: en producción debe empezar por https://."
    yield from _connections_in_clear(settings)
    yield from _limits_without_limit(settings)
    yield from _unsafe_applications(settings)
    if settings.captcha == "off":
        yield f"{variable('captcha')}: en producción no puede ser `off`; use `image` o `proof`."
    if settings.rate_limits != "on":
        yield f"{variable('rate_limits')}: en producción debe ser `on`."


def _unsafe_applications(settings: Settings) -> Iterator[str]:
    clients = settings.oidc_clients.values()
    if (clients or file_of("oidc_clients")) and settings.oidc_keys_file is None:
        yield f"{variable('oidc_keys_file')}: falta; firma lo que reciben las aplicaciones."
    if is_a_secret_of(clients, DEVELOPMENT_CLIENT_SECRET):
        yield f"{variable('oidc_clients')}: una aplicación tiene el secreto de desarrollo; genere otro."


def _connections_in_clear(settings: Settings) -> Iterator[str]:
    if urlsplit(settings.smtp_url.get_secret_value()).scheme not in ENCRYPTED_SMTP_SCHEMES:
        yield f"{variable('smtp_url')}: en producción use `smtps://` o `smtp+starttls://`, que cifran."
    is_encrypted = settings.temporal_tls_cert or settings.temporal_tls_ca or settings.temporal_api_key
    if not is_encrypted and settings.temporal_plaintext != "accepted":
        yield (
            f"{variable('temporal_plaintext')}: la conexión con Temporal ({variable('temporal_address')}) no se "
            f"cifra; defina {variable('temporal_tls_cert')} y {variable('temporal_tls_key')}, "
            f"{variable('temporal_tls_ca')} o {variable('temporal_api_key')}, o acéptelo con `accepted`."
        )


def _limits_without_limit(settings: Settings) -> Iterator[str]:
    if settings.password_link_hours > LONGEST_LINK_HOURS:
        yield f"{variable('password_link_hours')}: en producción debe ser como máximo {LONGEST_LINK_HOURS}."
    # Halves that touch are one network: the whole internet can be written as many small ones.
    trusted = settings.trusted_proxies
    fourth = collapse_addresses(network for network in trusted if isinstance(network, IPv4Network))
    sixth = collapse_addresses(network for network in trusted if isinstance(network, IPv6Network))
    for version, networks in ((4, fourth), (6, sixth)):
        shortest = WIDEST_PROXY_NETWORK[version]
        if any(network.prefixlen < shortest for network in networks):
            yield (
                f"{variable('trusted_proxies')}: nombre solo sus proxies; en IPv{version} "
                f"ninguna red más amplia que /{shortest}."
            )


def _weak_secrets(settings: Settings) -> Iterator[str]:
    secrets = _own_secrets(settings)
    for field in ("secret_key", "secret_key_previous", "api_keys"):
        values = secrets[field]
        if any(len(value) < MINIMUM_SECRET_LENGTH for value in values) or (
            field == "api_keys" and not values
        ):
            yield (
                f"{variable(field)}: use al menos {MINIMUM_SECRET_LENGTH} caracteres aleatorios, "
                "nunca el valor de desarrollo."
            )
    used: set[bytes] = set()
    for field, values in secrets.items():
        for value in values:
            if _different_bytes(value, is_text=field not in _KEYS_OF_BYTES) < LEAST_DIFFERENT_BYTES:
                yield (
                    f"{variable(field)}: use una clave aleatoria, "
                    f"con al menos {LEAST_DIFFERENT_BYTES} bytes distintos."
                )
            if not used.isdisjoint(readings := _readings(value)):
                yield f"{variable(field)}: repite otra clave; cada una debe ser distinta de las demás."
            used |= readings
    for field in ("miseguridadsocial_token", "rethus_token", "sso_token"):
        if getattr(settings, field).get_secret_value() in {"", DEVELOPMENT_KEY}:
            yield f"{variable(field)}: use el que entregó la entidad, nunca el valor de desarrollo."


def names_by_api_key(settings: Settings) -> dict[str, str | None]:
    """The keys of the JSON API's clients, each with its name where it has one."""
    return {key: name for name, key in _named_api_keys(settings)}


def _named_api_keys(settings: Settings) -> list[tuple[str | None, str]]:
    entries = [entry.get_secret_value() for entry in settings.api_keys]
    parts = [entry.partition(":") if ":" in entry else ("", "", entry) for entry in entries]
    return [(name or None, key) for name, _, key in parts]


def _own_secrets(settings: Settings) -> dict[str, list[bytes]]:
    """Every key and secret that the operator makes, by setting."""
    texts = {
        "secret_key": (settings.secret_key,),
        "secret_key_previous": settings.secret_key_previous,
        "api_keys": tuple(SecretStr(key) for _, key in _named_api_keys(settings)),
        "metrics_key": (settings.metrics_key,) if settings.metrics_key else (),
    }
    return {
        **{field: [text.get_secret_value().encode() for text in values] for field, values in texts.items()},
        **{field: list(getattr(settings, field).values()) for field in _KEYS_OF_BYTES},
    }


def _different_bytes(value: bytes, *, is_text: bool) -> int:
    """How many bytes of a key differ; hexadecimal has only sixteen signs, so its bytes count."""
    different = len(set(value))
    if is_text:
        with suppress(ValueError):
            different = max(different, len(set(bytes.fromhex(value.decode()))))
    return different


def _readings(value: bytes) -> set[bytes]:
    """A key as written and, where it is the text of bytes, those: one key in two forms."""
    readings = {value}
    for read in (bytes.fromhex, lambda text: base64.b64decode(text, validate=True)):
        with suppress(ValueError):
            readings.add(read(value.decode()))
    return readings
