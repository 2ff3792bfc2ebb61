"""Every setting with its kind and, for development, its default."""

import hashlib
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import Field, IPvAnyAddress, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from mipres.domain.applications import Application
from mipres.domain.clients import Audience, Client
from mipres.domain.professions import SHIPPED_PROFESSIONS
from mipres.domain.sanctions import SHIPPED_SANCTIONS
from mipres.domain.second_factor import SecondFactorRule
from mipres.settings.database_url import DatabaseUrl
from mipres.settings.names import (
    DATABASE_NAME,
    DEVELOPMENT_CLIENT_SECRET,
    DEVELOPMENT_DATA_DIR,
    DEVELOPMENT_KEY,
    PREFIX,
)
from mipres.settings.values import (
    ApiKeys,
    AuthorityFile,
    BuildName,
    DeploymentName,
    KeysById,
    Networks,
    OidcClients,
    OidcKeysFile,
    Port,
    ProfessionsFile,
    PublicAddress,
    ReadableFile,
    SanctionsFile,
    SecretKey,
    Secrets,
    ServerAddress,
    SmtpAddress,
    TelephoneNumber,
    Token,
    WebAddress,
    WebPage,
)

MINIMUM_SECRET_LENGTH = 32


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


class Fields(BaseSettings):
    """What can be set; `Settings` says from where, and what goes together."""

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

    secret_key: SecretKey
    secret_key_previous: Secrets = ()
    payload_keys: KeysById
    audit_keys: KeysById = Field(default_factory=dict)
    api_keys: ApiKeys = (SecretStr(DEVELOPMENT_KEY),)

    postgres_password: SecretStr | None = None
    database_url: DatabaseUrl = Field(default_factory=_embedded_database_url)

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

    @property
    def named_api_keys(self) -> list[tuple[str | None, str]]:
        """The keys of the JSON API's clients, each with its name where it has one."""
        entries = [entry.get_secret_value() for entry in self.api_keys]
        parts = [entry.partition(":") if ":" in entry else ("", "", entry) for entry in entries]
        return [(name or None, key) for name, _, key in parts]
