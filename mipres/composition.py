"""What the processes build from settings. Only composition roots import this module."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from mipres.clock import SystemClock
from mipres.database.accounts import PostgresAccounts
from mipres.database.audit import PostgresAuditTrail
from mipres.database.credentials import Hasher
from mipres.database.engine import create_engine
from mipres.database.limits import PostgresLimits
from mipres.database.lockouts import LoginLockouts
from mipres.database.retention import PostgresRetention
from mipres.keys import LinkTokens, derive_key
from mipres.mail.composer import JinjaMailComposer
from mipres.mail.smtp import SmtpMailer
from mipres.port_set import Ports
from mipres.registries.client import RegistryClient
from mipres.registries.miseguridadsocial import HttpSocialSecurityRegistry
from mipres.registries.rethus import HttpHealthTalentRegistry
from mipres.registries.sso import HttpSocialServiceRegistry
from mipres.settings import Settings
from mipres.support.actions import Support
from mipres.support.desk import SupportDesk
from mipres.support.person_data import PersonData
from mipres.support.records import SupportRecords
from mipres.support.staff import PostgresStaff
from mipres.temporal.codec import EncryptionCodec
from mipres.temporal.connection import TemporalConnection
from mipres.tracing import Tracing, tracing_to

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "templates"
STATIC = ROOT / "static"


@asynccontextmanager
async def open_ports(settings: Settings) -> AsyncIterator[Ports]:
    """Every port over its real adapter; connections are closed at the end."""
    async with AsyncExitStack() as stack:

        def registry(name: str, url: str, token: SecretStr) -> RegistryClient:
            client = RegistryClient(name, url, token=token.get_secret_value())
            stack.push_async_callback(client.close)
            return client

        people = registry(
            "miseguridadsocial", settings.miseguridadsocial_url, settings.miseguridadsocial_token
        )
        engine = await stack.enter_async_context(open_engine(settings))
        yield Ports(
            miseguridadsocial=HttpSocialSecurityRegistry(people),
            rethus=HttpHealthTalentRegistry(registry("rethus", settings.rethus_url, settings.rethus_token)),
            sso=HttpSocialServiceRegistry(registry("sso", settings.sso_url, settings.sso_token)),
            accounts=build_accounts(settings, engine),
            composer=JinjaMailComposer(TEMPLATES / "email", public_url=settings.public_url),
            mailer=SmtpMailer(
                settings.smtp_url.get_secret_value(), sender=settings.mail_from, sender_name="Registro MIPRES"
            ),
            retention=PostgresRetention(engine, clock=SystemClock()),
            clock=SystemClock(),
            support_address=settings.support_email,
        )


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
        audit=build_audit(settings, engine),
        lockouts=build_lockouts(settings, engine),
        clock=SystemClock(),
    )


def build_audit(settings: Settings, engine: AsyncEngine) -> PostgresAuditTrail:
    return PostgresAuditTrail(engine, key=purpose_key(settings, "audit"), clock=SystemClock())


def build_lockouts(settings: Settings, engine: AsyncEngine) -> LoginLockouts:
    return LoginLockouts(engine, key=purpose_key(settings, "lockouts"), clock=SystemClock())


def build_support(settings: Settings, engine: AsyncEngine, client: Client) -> Support:
    audit = build_audit(settings, engine)
    return Support(
        desk=SupportDesk(client, ui_url=settings.temporal_ui_url),
        records=SupportRecords(engine, audit=audit),
        audit=audit,
        radicado_key=purpose_key(settings, "radicado"),
    )


def build_person_data(settings: Settings, engine: AsyncEngine, client: Client) -> PersonData:
    return PersonData(
        engine,
        client,
        audit=build_audit(settings, engine),
        lockouts=build_lockouts(settings, engine),
        limits=PostgresLimits(engine, key=purpose_key(settings, "limits"), clock=SystemClock()),
        radicado_key=purpose_key(settings, "radicado"),
    )


def build_staff(settings: Settings, engine: AsyncEngine, hasher: Hasher) -> PostgresStaff:
    return PostgresStaff(
        engine,
        hasher=hasher,
        lockouts=build_lockouts(settings, engine),
        audit=build_audit(settings, engine),
        clock=SystemClock(),
    )


def purpose_key(settings: Settings, purpose: str) -> bytes:
    """A key of its own for each use of MIPRES_SECRET_KEY."""
    return derive_key(settings.secret_key.get_secret_value(), purpose)


def build_codec(settings: Settings) -> EncryptionCodec:
    return EncryptionCodec(settings.payload_keys, active=settings.active_payload_key)


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


def build_tracing(settings: Settings, *, service: str) -> Tracing | None:
    """None where no collector is configured."""
    return tracing_to(settings.otlp_endpoint, service=service) if settings.otlp_endpoint else None
