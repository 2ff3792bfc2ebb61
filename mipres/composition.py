"""What the processes build from settings. Only composition roots import this module."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.adapters.accounts import PostgresAccounts
from mipres.adapters.clock import SystemClock
from mipres.adapters.database import create_engine
from mipres.adapters.mail_templates import JinjaMailComposer
from mipres.adapters.mailer import SmtpMailer
from mipres.adapters.registries.client import RegistryClient
from mipres.adapters.registries.miseguridadsocial import HttpSocialSecurityRegistry
from mipres.adapters.registries.rethus import HttpHealthTalentRegistry
from mipres.adapters.registries.sso import HttpSocialServiceRegistry
from mipres.adapters.tokens import LinkTokens, derive_key
from mipres.ports import (
    HealthTalentRegistry,
    MailComposer,
    Mailer,
    SocialSecurityRegistry,
    SocialServiceRegistry,
)
from mipres.settings import Settings
from mipres.temporal import TemporalConnection

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "templates"
STATIC = ROOT / "static"


@dataclass(frozen=True, kw_only=True)
class Registries:
    """The three registries, each over its own HTTP client."""

    miseguridadsocial: SocialSecurityRegistry
    rethus: HealthTalentRegistry
    sso: SocialServiceRegistry


@asynccontextmanager
async def open_registries(settings: Settings) -> AsyncIterator[Registries]:
    """Clients for the registries, closed at the end."""

    def client(name: str, url: str, token: SecretStr) -> RegistryClient:
        return RegistryClient(name, url, token=token.get_secret_value())

    clients = [
        client("miseguridadsocial", settings.miseguridadsocial_url, settings.miseguridadsocial_token),
        client("rethus", settings.rethus_url, settings.rethus_token),
        client("sso", settings.sso_url, settings.sso_token),
    ]
    try:
        yield Registries(
            miseguridadsocial=HttpSocialSecurityRegistry(clients[0]),
            rethus=HttpHealthTalentRegistry(clients[1]),
            sso=HttpSocialServiceRegistry(clients[2]),
        )
    finally:
        for item in clients:
            await item.close()


@asynccontextmanager
async def open_engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """The process's engine, disposed of at the end."""
    engine = create_engine(settings.database_url.get_secret_value())
    try:
        yield engine
    finally:
        await engine.dispose()


def build_accounts(settings: Settings, engine: AsyncEngine) -> PostgresAccounts:
    return PostgresAccounts(
        engine,
        tokens=LinkTokens(purpose_key(settings, "password-link")),
        clock=SystemClock(),
        link_lifetime=timedelta(hours=settings.password_link_hours),
    )


def build_composer(settings: Settings) -> MailComposer:
    return JinjaMailComposer(TEMPLATES / "email", public_url=settings.public_url)


def build_mailer(settings: Settings) -> Mailer:
    return SmtpMailer(
        settings.smtp_url.get_secret_value(), sender=settings.mail_from, sender_name="Registro MIPRES"
    )


def purpose_key(settings: Settings, purpose: str) -> bytes:
    """A key of its own for each use of MIPRES_SECRET_KEY."""
    return derive_key(settings.secret_key.get_secret_value(), purpose)


def temporal_connection(settings: Settings) -> TemporalConnection:
    api_key = settings.temporal_api_key
    return TemporalConnection(
        address=settings.temporal_address,
        namespace=settings.temporal_namespace,
        payload_keys=settings.payload_keys,
        active_payload_key=settings.active_payload_key,
        api_key=api_key.get_secret_value() if api_key else None,
        tls_cert=settings.temporal_tls_cert,
        tls_key=settings.temporal_tls_key,
        tls_ca=settings.temporal_tls_ca,
    )
