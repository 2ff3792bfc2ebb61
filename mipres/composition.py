"""What the processes build from settings.

Only composition roots import this module.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from mipres.backchannel import HttpLogoutMessenger
from mipres.database.access_notices import PostgresAccessNotices
from mipres.database.accounts import PostgresAccounts
from mipres.database.address_changes import PostgresAddressChanges
from mipres.database.audit import PostgresAuditTrail
from mipres.database.audit_queue import AuditQueue
from mipres.database.client_grants import ClientGrants
from mipres.database.clock import DatabaseClock
from mipres.database.credentials import Hasher
from mipres.database.ended_logins import PostgresEndedLogins
from mipres.database.engine import create_engine
from mipres.database.erasures import Erasures
from mipres.database.factor_resets import PostgresFactorResets
from mipres.database.limits import PostgresLimits
from mipres.database.lockouts import LoginLockouts
from mipres.database.passkeys import Passkeys, Site
from mipres.database.password_links import PostgresPasswordLinks
from mipres.database.refused_payloads import RefusedPayloads
from mipres.database.retention import PostgresRetention
from mipres.database.reviewed_profiles import PostgresReviewedProfiles
from mipres.database.second_factors import SecondFactors, reseal
from mipres.database.sent_mails import PostgresSentMails
from mipres.domain.clients import Client as RegisteredApplication
from mipres.domain.eligibility import EligibilityRules
from mipres.domain.help import HelpContact
from mipres.domain.limits import RELAXED_TIMES
from mipres.domain.origins import origin_of
from mipres.domain.professions import ProfessionTable
from mipres.domain.review import ReviewPolicy
from mipres.domain.sanctions import SanctionTable
from mipres.keys import AuditKey, LinkTokens, SecretBox, audit_keys, derive_key
from mipres.mail.composer import JinjaMailComposer
from mipres.mail.smtp import SmtpMailer
from mipres.oidc_clients import LiveClients
from mipres.oidc_keys import SigningKeys, keys_of_development, read_keys
from mipres.port_set import Ports
from mipres.ports import Clock
from mipres.registries.client import RegistryClient
from mipres.registries.miseguridadsocial import HttpSocialSecurityRegistry
from mipres.registries.rethus import HttpHealthTalentRegistry
from mipres.registries.sso import HttpSocialServiceRegistry
from mipres.settings.model import Settings
from mipres.settings.names import DEVELOPMENT_CLIENT_SECRET, file_of
from mipres.support.accounts import SupportAccounts
from mipres.support.actions import Support
from mipres.support.desk import SupportDesk
from mipres.support.factor_resets import FactorResetDesk
from mipres.support.joins import SupportJoins
from mipres.support.person_data import PersonData
from mipres.support.readings import Readings
from mipres.support.records import SupportRecords
from mipres.support.reviews import SupportReviews
from mipres.support.staff import PostgresStaff
from mipres.temporal.codec import EncryptionCodec, Fault
from mipres.temporal.connection import TemporalConnection
from mipres.tracing import Tracing, tracing_to
from mipres.watched_files import WatchedFile

log = structlog.get_logger()

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "templates"
STATIC = ROOT / "static"


@asynccontextmanager
async def open_ports(settings: Settings, database: "DatabaseServices") -> AsyncIterator[Ports]:
    """Every port over its real adapter; connections are closed at the end."""
    async with AsyncExitStack() as stack:

        def registry(name: str, url: str, token: SecretStr) -> RegistryClient:
            client = RegistryClient(name, url, token=token.get_secret_value())
            stack.push_async_callback(client.close)
            return client

        people = registry(
            "miseguridadsocial", settings.miseguridadsocial_url, settings.miseguridadsocial_token
        )
        messenger = build_logout_messenger(settings, database)
        stack.push_async_callback(messenger.close)
        mailer = SmtpMailer(
            settings.smtp_url.get_secret_value(), sender=settings.mail_from, sender_name="Registro MIPRES"
        )
        stack.callback(mailer.close)
        yield Ports(
            miseguridadsocial=HttpSocialSecurityRegistry(people),
            rethus=HttpHealthTalentRegistry(registry("rethus", settings.rethus_url, settings.rethus_token)),
            sso=HttpSocialServiceRegistry(registry("sso", settings.sso_url, settings.sso_token)),
            accounts=build_accounts(settings, database),
            address_changes=build_address_changes(settings, database),
            factor_resets=build_factor_resets(settings, database),
            composer=JinjaMailComposer(
                TEMPLATES / "email", public_url=settings.public_url, help_contact=help_contact(settings)
            ),
            mailer=mailer,
            sent_mails=PostgresSentMails(database.engine),
            retention=PostgresRetention(database.engine, audit=database.audit, clock=database.clock),
            reviewed_profiles=PostgresReviewedProfiles(
                database.engine, audit=database.audit, clock=database.clock
            ),
            access_notices=PostgresAccessNotices(database.engine, clock=database.clock),
            ended_logins=PostgresEndedLogins(database.engine, audit=database.audit, clock=database.clock),
            logout_messenger=messenger,
            clock=database.clock,
            support_address=settings.support_email,
            review_policy=ReviewPolicy(
                days=settings.registry_review_days, guard_percent=settings.review_guard_percent
            ),
            rules=EligibilityRules(
                professions=ProfessionTable.read(settings.professions_file),
                sanctions=SanctionTable.read(settings.sanctions_that_bar_file),
            ),
        )


@dataclass(frozen=True, kw_only=True)
class DatabaseServices:
    """What the services of a process share.

    One engine, one clock, one trail, one count of failed logins.
    """

    engine: AsyncEngine
    clock: Clock
    audit: PostgresAuditTrail
    lockouts: LoginLockouts


def build_database(settings: Settings, engine: AsyncEngine) -> DatabaseServices:
    """Build them, once in a process."""
    clock = DatabaseClock(engine)
    return DatabaseServices(
        engine=engine,
        clock=clock,
        audit=PostgresAuditTrail(engine, keys=build_audit_keys(settings), clock=clock),
        lockouts=LoginLockouts(
            engine,
            key=purpose_key(settings, "lockouts"),
            older_keys=older_purpose_keys(settings, "lockouts"),
            clock=clock,
        ),
    )


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[DatabaseServices]:
    """The process's database services over their own engine, closed at the end."""
    engine = create_engine(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool,
        statement_seconds=settings.database_statement_seconds,
        lock_seconds=settings.database_lock_seconds,
    )
    try:
        yield build_database(settings, engine)
    finally:
        await engine.dispose()


def mail_templates() -> list[str]:
    """The names of all mails."""
    return sorted(found.name for found in (TEMPLATES / "email").iterdir() if found.is_dir())


def build_accounts(settings: Settings, database: DatabaseServices) -> PostgresAccounts:
    return PostgresAccounts(
        database.engine,
        tokens=link_tokens(settings),
        audit=database.audit,
        erasures=build_erasures(settings, database),
        changes=build_address_changes(settings, database),
        clock=database.clock,
    )


def build_address_changes(settings: Settings, database: DatabaseServices) -> PostgresAddressChanges:
    tokens = LinkTokens(
        purpose_key(settings, "address-change"), older_keys=older_purpose_keys(settings, "address-change")
    )
    return PostgresAddressChanges(
        database.engine,
        tokens=tokens,
        audit=database.audit,
        wait=timedelta(hours=settings.address_change_hours),
        clock=database.clock,
    )


def build_factor_resets(settings: Settings, database: DatabaseServices) -> PostgresFactorResets:
    tokens = LinkTokens(
        purpose_key(settings, "factor-reset"), older_keys=older_purpose_keys(settings, "factor-reset")
    )
    return PostgresFactorResets(
        database.engine,
        tokens=tokens,
        lockouts=database.lockouts,
        audit=database.audit,
        clock=database.clock,
    )


def build_factor_reset_desk(
    settings: Settings, database: DatabaseServices, client: Client
) -> FactorResetDesk:
    return FactorResetDesk(build_factor_resets(settings, database), client)


def build_erasures(settings: Settings, database: DatabaseServices) -> Erasures:
    return Erasures(
        database.engine,
        key=purpose_key(settings, "erasures"),
        older_keys=older_purpose_keys(settings, "erasures"),
        clock=database.clock,
    )


def build_password_links(settings: Settings, database: DatabaseServices) -> PostgresPasswordLinks:
    return PostgresPasswordLinks(
        database.engine,
        tokens=link_tokens(settings),
        audit=database.audit,
        lockouts=database.lockouts,
        clock=database.clock,
    )


def build_support(settings: Settings, database: DatabaseServices, client: Client) -> Support:
    return Support(
        desk=SupportDesk(client, ui_url=settings.temporal_ui_url),
        records=SupportRecords(database.engine, audit=database.audit, clock=database.clock),
        audit=database.audit,
        radicado_key=purpose_key(settings, "radicado"),
        older_radicado_keys=older_purpose_keys(settings, "radicado"),
    )


def build_support_reviews(settings: Settings, database: DatabaseServices, client: Client) -> SupportReviews:
    return SupportReviews(client, audit=database.audit, ui_url=settings.temporal_ui_url)


def build_support_joins(settings: Settings, database: DatabaseServices) -> SupportJoins:
    return SupportJoins(
        database.engine,
        changes=build_address_changes(settings, database),
        audit=database.audit,
        clock=database.clock,
    )


def build_support_accounts(database: DatabaseServices) -> SupportAccounts:
    return SupportAccounts(
        database.engine, lockouts=database.lockouts, audit=database.audit, clock=database.clock
    )


def build_person_data(settings: Settings, database: DatabaseServices, client: Client) -> PersonData:
    return PersonData(
        database.engine,
        client,
        audit=database.audit,
        erasures=build_erasures(settings, database),
        lockouts=database.lockouts,
        limits=build_limits(settings, database),
        radicado_key=purpose_key(settings, "radicado"),
        older_radicado_keys=older_purpose_keys(settings, "radicado"),
    )


def build_staff(database: DatabaseServices, hasher: Hasher) -> PostgresStaff:
    return PostgresStaff(
        database.engine, hasher=hasher, lockouts=database.lockouts, audit=database.audit, clock=database.clock
    )


def build_second_factors(settings: Settings, database: DatabaseServices) -> SecondFactors:
    return SecondFactors(
        database.engine,
        box=second_factor_box(settings.payload_keys, active=settings.active_payload_key),
        keys=(
            purpose_key(settings, "recovery-codes"),
            *older_purpose_keys(settings, "recovery-codes"),
        ),
        lockouts=database.lockouts,
        audit=database.audit,
        clock=database.clock,
    )


def build_passkeys(settings: Settings, database: DatabaseServices) -> Passkeys:
    return Passkeys(
        database.engine,
        factors=build_second_factors(settings, database),
        site=Site(name=urlsplit(settings.public_url).hostname or "", origin=origin_of(settings.public_url)),
        keys=(purpose_key(settings, "passkeys"), *older_purpose_keys(settings, "passkeys")),
        clock=database.clock,
    )


async def reseal_second_factors(database: DatabaseServices, keys: Mapping[str, bytes], active: str) -> int:
    """Encrypt the secrets of codes with the key that becomes, or alone remains, the active one."""
    return await reseal(database.engine, second_factor_box(keys, active=active))


def second_factor_box(keys: Mapping[str, bytes], *, active: str) -> SecretBox:
    """What encrypts the secrets of codes, with keys of MIPRES_PAYLOAD_KEYS."""
    return SecretBox(keys, active=active, purpose="second-factor")


def build_readings(database: DatabaseServices) -> Readings:
    return Readings(database.engine, audit=database.audit, clock=database.clock)


def link_tokens(settings: Settings) -> LinkTokens:
    return LinkTokens(
        purpose_key(settings, "password-link"), older_keys=older_purpose_keys(settings, "password-link")
    )


def build_limits(settings: Settings, database: DatabaseServices) -> PostgresLimits:
    return PostgresLimits(
        database.engine,
        key=purpose_key(settings, "limits"),
        older_keys=older_purpose_keys(settings, "limits"),
        clock=database.clock,
        generosity=RELAXED_TIMES if settings.rate_limits == "relaxed" else 1,
    )


def build_audit_keys(settings: Settings) -> tuple[AuditKey, ...]:
    secrets = [settings.secret_key, *settings.secret_key_previous]
    return audit_keys(settings.audit_keys, secrets=[secret.get_secret_value() for secret in secrets])


def build_client_grants(database: DatabaseServices) -> ClientGrants:
    return ClientGrants(database.engine, clock=database.clock)


def build_clients(settings: Settings) -> Mapping[str, RegisteredApplication]:
    """The applications, with those that are disabled; those of a file follow its changes."""
    file = clients_file(settings)
    if file is None:
        return settings.oidc_clients
    is_production = settings.environment == "production"
    return LiveClients(
        file,
        beside=None if file_of("oidc_clients") else settings.oidc_clients,
        refused_secret=DEVELOPMENT_CLIENT_SECRET if is_production else None,
    )


def clients_file(settings: Settings) -> Path | None:
    """The file of applications that commands change; None where a variable has the list.

    Development has one of its own, beside the manual's two applications.
    """
    is_left_out = settings.environment == "development" and "oidc_clients" not in settings.model_fields_set
    return file_of("oidc_clients") or (settings.data_dir / "oidc-clients.json" if is_left_out else None)


def build_signing_keys(settings: Settings) -> Callable[[], SigningKeys]:
    """What signs their tokens; development makes its own keys at first need."""
    read = read_keys if settings.oidc_keys_file else keys_of_development
    return WatchedFile(signing_keys_file(settings), read)


def signing_keys_file(settings: Settings) -> Path:
    return settings.oidc_keys_file or settings.data_dir / "oidc-keys.json"


def build_logout_messenger(settings: Settings, database: DatabaseServices) -> HttpLogoutMessenger:
    return HttpLogoutMessenger(
        build_clients(settings),
        keys=build_signing_keys(settings),
        issuer=settings.public_url,
        clock=database.clock,
    )


def help_contact(settings: Settings) -> HelpContact:
    """Whom pages and mails name for help."""
    return HelpContact(
        email=settings.help_email,
        phone=settings.help_phone,
        url=settings.help_url,
        privacy_url=settings.privacy_url,
    )


def purpose_key(settings: Settings, purpose: str) -> bytes:
    """A key of its own for each use of MIPRES_SECRET_KEY."""
    return derive_key(settings.secret_key.get_secret_value(), purpose)


def older_purpose_keys(settings: Settings, purpose: str) -> tuple[bytes, ...]:
    """The same for each of MIPRES_SECRET_KEY_PREVIOUS.

    They find what was written before a rotation, and write nothing.
    """
    return tuple(derive_key(secret.get_secret_value(), purpose) for secret in settings.secret_key_previous)


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


@asynccontextmanager
async def refused_payloads(
    database: DatabaseServices, *, count: Callable[[Fault], None]
) -> AsyncIterator[Callable[[Fault, str], None]]:
    """Log, count and audit each payload that the product did not write for its place."""
    queue = AuditQueue(database.audit)
    trail = RefusedPayloads(queue)

    def refuse(fault: Fault, scope: str) -> None:
        count(fault)
        log.warning("payload_refused", fault=fault.value, scope=scope)
        trail.note(fault, scope)

    try:
        yield refuse
    finally:
        trail.flush()
        await queue.finish()
