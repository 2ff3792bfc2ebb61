"""What request handlers reach: each family of pages has its own services."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from api.answers import FormAnswers
from api.captcha import FormCaptchas
from api.clients import Network
from api.devices import DeviceCookies
from api.metrics import ApiMetrics
from api.oidc.asked import AskedRequests
from api.pages.outcomes import OutcomePages
from api.readiness import Readiness
from api.registrations.act import RegistrationActs
from api.registrations.ask import RegistrationViews
from api.registrations.recover import RecoveryStarter
from api.registrations.start import RegistrationStarter
from api.security import Cookies, FormTokens
from api.sent_forms import SentForms
from api.templating import Pages
from api.temporal_gauges import TemporalGauges
from api.throttle import Throttle
from mipres.database.address_changes import PostgresAddressChanges
from mipres.database.audit import PostgresAuditTrail
from mipres.database.credentials import Hasher, PostgresCredentials
from mipres.database.fitness import DatabaseFitness
from mipres.database.oidc_consents import ApplicationConsents
from mipres.database.own_account import PostgresOwnAccounts
from mipres.database.passkeys import Passkeys
from mipres.database.password_links import PostgresPasswordLinks
from mipres.database.second_factors import SecondFactors
from mipres.database.second_steps import SecondSteps
from mipres.database.sessions import PostgresSessions
from mipres.domain.clients import Client
from mipres.domain.passwords import PasswordPolicy
from mipres.domain.second_factor import SecondFactorRule, is_multi_factor
from mipres.oidc_keys import SigningKeys
from mipres.ports import Clock
from mipres.support.accounts import SupportAccounts
from mipres.support.actions import Support
from mipres.support.factor_resets import FactorResetDesk
from mipres.support.joins import SupportJoins
from mipres.support.readings import Readings
from mipres.support.reviews import SupportReviews
from mipres.support.staff import PostgresStaff, StaffMember
from mipres.temporal.codec import EncryptionCodec


@dataclass(frozen=True, kw_only=True)
class ProtectionServices:
    """What the declared protections of the routes check with.

    Attributes:
        metrics_key: What opens /metrics.
        metrics_open: Whether /metrics needs no key, as in development.
        staff_must_have_factor: Whether support may do nothing without a second factor, as in production.
    """

    throttle: Throttle
    trusted_proxies: tuple[Network, ...]
    cookies: Cookies
    form_tokens: FormTokens
    public_url: str
    api_keys: Mapping[str, str | None]
    metrics_key: str | None
    metrics_open: bool
    staff: PostgresStaff
    staff_must_have_factor: bool
    temporal_ui_origin: str

    def lacks_factor(self, member: StaffMember) -> bool:
        """Whether a member who must have a second factor is in without one."""
        return self.staff_must_have_factor and not is_multi_factor(member.amr)


@dataclass(frozen=True, kw_only=True)
class RegistrationServices:
    """What the four forms and the status page need.

    Attributes:
        answers_by_mail_only: Whether no page shows an outcome.
        change_hours: How long a recovery waits for a changed address.
    """

    pages: Pages
    outcomes: OutcomePages
    answers: FormAnswers
    throttle: Throttle
    captcha: FormCaptchas
    sent_forms: SentForms
    start: RegistrationStarter
    ask: RegistrationViews
    act: RegistrationActs
    answers_by_mail_only: bool
    change_hours: int


@dataclass(frozen=True, kw_only=True)
class OidcServices:
    """What the provider for applications needs.

    Attributes:
        issuer: The provider's name in every token: the public address.
        clients: The applications that are not disabled, by id.
        keys: The signing keys, read when they are first needed.
        asked: Dates requests that lead to a page and back.
        factor_rule: Who must have shown a second factor.
    """

    pages: Pages
    issuer: str
    asked: AskedRequests
    factor_rule: SecondFactorRule
    clients: Mapping[str, Client]
    keys: Callable[[], SigningKeys]
    consents: ApplicationConsents
    sessions: Any
    audit: PostgresAuditTrail
    clock: Clock


@dataclass(frozen=True, kw_only=True)
class HelpFacts:
    """What the help says of the product's settings."""

    link_hours: int
    mail_from: str
    wait_days: int
    address_hours: int
    captcha_is_by_proof: bool


@dataclass(frozen=True, kw_only=True)
class HelpServices:
    """What the pages of help need."""

    pages: Pages
    facts: HelpFacts


@dataclass(frozen=True, kw_only=True)
class PasswordServices:
    """What the pages from the mailed link to the created password need."""

    pages: Pages
    outcomes: OutcomePages
    answers: FormAnswers
    cookies: Cookies
    throttle: Throttle
    captcha: FormCaptchas
    devices: DeviceCookies
    links: PostgresPasswordLinks
    changes: PostgresAddressChanges
    resets: FactorResetDesk
    hasher: Hasher
    policy: PasswordPolicy
    start: RegistrationStarter
    recoveries: RecoveryStarter
    act: RegistrationActs


@dataclass(frozen=True, kw_only=True)
class LoginServices:
    """What login, landing, own account and logout need.

    Attributes:
        clients: The applications, by id, with those that are disabled.
    """

    pages: Pages
    answers: FormAnswers
    cookies: Cookies
    throttle: Throttle
    captcha: FormCaptchas
    devices: DeviceCookies
    credentials: PostgresCredentials
    sessions: PostgresSessions
    own_accounts: PostgresOwnAccounts
    clients: Mapping[str, Client]
    consents: ApplicationConsents
    factors: SecondFactors
    second_steps: SecondSteps
    passkeys: Passkeys
    factor_rule: SecondFactorRule
    clock: Clock
    hasher: Hasher
    policy: PasswordPolicy
    recoveries: RecoveryStarter


@dataclass(frozen=True, kw_only=True)
class SupportServices:
    """What the pages of support need."""

    pages: Pages
    cookies: Cookies
    throttle: Throttle
    captcha: FormCaptchas
    devices: DeviceCookies
    support: Support
    accounts: SupportAccounts
    staff: PostgresStaff
    factors: SecondFactors
    passkeys: Passkeys
    clock: Clock
    readings: Readings
    answers: FormAnswers
    ask: RegistrationViews
    joins: SupportJoins
    resets: FactorResetDesk
    reviews: SupportReviews
    public_url: str


@dataclass(frozen=True, kw_only=True)
class CodecServices:
    """What the codec server needs."""

    codec: EncryptionCodec
    readings: Readings
    public_url: str
    temporal_namespace: str
    temporal_ui_origin: str


@dataclass(frozen=True, kw_only=True)
class ApiServices:
    """What the JSON API needs."""

    throttle: Throttle
    start: RegistrationStarter
    ask: RegistrationViews
    act: RegistrationActs
    public_url: str


@dataclass(frozen=True, kw_only=True)
class OperationsServices:
    """What `/health` and `/metrics` need."""

    readiness: Readiness
    metrics: ApiMetrics
    gauges: TemporalGauges
    database: DatabaseFitness


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything with a lifetime. A handler depends on one family, never on this."""

    pages: Pages
    answers: FormAnswers
    who_is_in: Callable[[Request], Awaitable[None]]
    protection: ProtectionServices
    registration: RegistrationServices
    password: PasswordServices
    login: LoginServices
    help: HelpServices
    support: SupportServices
    codec: CodecServices
    api: ApiServices
    operations: OperationsServices
    oidc: OidcServices


def _family(name: str) -> Any:
    # What is no coroutine costs a trip to a thread at each request; so with every dependency.
    async def find(request: Request) -> Any:
        return getattr(request.app.state.services, name)

    return Depends(find)


PagesDep = Annotated[Pages, _family("pages")]
ProtectionDep = Annotated[ProtectionServices, _family("protection")]
RegistrationDep = Annotated[RegistrationServices, _family("registration")]
PasswordDep = Annotated[PasswordServices, _family("password")]
HelpDep = Annotated[HelpServices, _family("help")]
LoginDep = Annotated[LoginServices, _family("login")]
SupportDep = Annotated[SupportServices, _family("support")]
CodecDep = Annotated[CodecServices, _family("codec")]
ApiDep = Annotated[ApiServices, _family("api")]
OperationsDep = Annotated[OperationsServices, _family("operations")]
OidcDep = Annotated[OidcServices, _family("oidc")]
