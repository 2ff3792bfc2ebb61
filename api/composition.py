"""Build the services of one API process from its settings."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property, partial

from temporalio.client import Client

from api.answers import FormAnswers
from api.captcha import FormCaptchas
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
from api.services import (
    ApiServices,
    CodecServices,
    HelpFacts,
    HelpServices,
    LoginServices,
    OidcServices,
    OperationsServices,
    PasswordServices,
    ProtectionServices,
    RegistrationServices,
    Services,
    SupportServices,
)
from api.signed_in import note_who_is_in
from api.templating import Pages
from api.temporal_gauges import TemporalGauges
from api.throttle import Throttle
from mipres import composition
from mipres.captcha.challenges import CaptchaChallenges
from mipres.captcha.proofs import ProofsOfWork
from mipres.composition import DatabaseServices
from mipres.database.audit_queue import AuditQueue
from mipres.database.credentials import Hasher, PostgresCredentials
from mipres.database.engine import session_factory
from mipres.database.fitness import DatabaseFitness
from mipres.database.limits import NoLimits
from mipres.database.oidc_consents import ApplicationConsents
from mipres.database.own_account import PostgresOwnAccounts
from mipres.database.receipts import PostgresReceipts
from mipres.database.second_steps import SecondSteps
from mipres.database.sessions import PostgresSessions
from mipres.database.standings import PostgresStandings
from mipres.domain.clients import Client as RegisteredApplication
from mipres.domain.origins import origin_of
from mipres.domain.passwords import PasswordPolicy, common_passwords
from mipres.oidc_clients import OpenClients
from mipres.settings.model import Settings
from mipres.support.factor_resets import FactorResetDesk


class Composition:
    """Makes each shared part once, and each family of services from them."""

    def __init__(
        self,
        settings: Settings,
        *,
        client: Client,
        database: DatabaseServices,
        metrics: ApiMetrics,
        audit_queue: AuditQueue,
    ) -> None:
        # Read now, so that no request waits for it.
        common_passwords()
        self._settings, self._client, self._database = settings, client, database
        self._metrics, self._audit_queue = metrics, audit_queue
        self._engine, self._clock, self._hasher = database.engine, database.clock, Hasher()
        self._radicado_key = composition.purpose_key(settings, "radicado")
        self._older_radicado_keys = composition.older_purpose_keys(settings, "radicado")
        self._submit_wait = timedelta(seconds=settings.submit_wait_seconds)
        self._cookies = Cookies(https=settings.public_url.startswith("https:"))
        self._form_tokens = FormTokens(
            composition.purpose_key(settings, "form"),
            older_keys=composition.older_purpose_keys(settings, "form"),
            cookies=self._cookies,
        )
        self._temporal_ui_origin = origin_of(settings.temporal_ui_url)
        self._staff = composition.build_staff(database, self._hasher)
        self._readings = composition.build_readings(database)
        self._codec = composition.build_codec(settings)

    def services(self) -> Services:
        login = self.login()
        return Services(
            pages=self.pages,
            answers=self.answers,
            who_is_in=partial(note_who_is_in, login),
            protection=self.protection(),
            registration=self.registration(),
            password=self.password(),
            login=login,
            help=self.help(),
            support=self.support(),
            codec=self.codec(),
            api=self.api(),
            operations=self.operations(),
            oidc=self.oidc(),
        )

    # ---- Shared parts

    @cached_property
    def pages(self) -> Pages:
        return Pages(
            composition.TEMPLATES,
            composition.STATIC,
            cookies=self._cookies,
            form_tokens=self._form_tokens,
            help_contact=composition.help_contact(self._settings),
        )

    @cached_property
    def outcomes(self) -> OutcomePages:
        return OutcomePages(
            pages=self.pages,
            receipts=PostgresReceipts(self._engine),
            sent_forms=self.sent_forms,
            answers=self.answers,
            public_url=self._settings.public_url,
            mail_from=self._settings.mail_from,
            link_hours=self._settings.password_link_hours,
        )

    @cached_property
    def sent_forms(self) -> SentForms:
        key = composition.purpose_key(self._settings, "sent-forms")
        return SentForms(key, cookies=self._cookies, clock=self._clock)

    @cached_property
    def answers(self) -> FormAnswers:
        return FormAnswers(
            composition.purpose_key(self._settings, "form-answers"),
            older_keys=composition.older_purpose_keys(self._settings, "form-answers"),
            cookies=self._cookies,
            clock=self._clock,
        )

    @cached_property
    def throttle(self) -> Throttle:
        if self._settings.rate_limits == "off":
            return Throttle(NoLimits())
        return Throttle(composition.build_limits(self._settings, self._database))

    @cached_property
    def captcha(self) -> FormCaptchas:
        settings, challenges, proofs = self._settings, None, None
        if settings.captcha != "off":
            key = composition.purpose_key(settings, "captcha")
            challenges = CaptchaChallenges(self._engine, key=key, clock=self._clock)
        if settings.captcha == "proof":
            key = composition.purpose_key(settings, "captcha-proof")
            proofs = ProofsOfWork(key=key, most_keys=settings.captcha_proof_keys)
        return FormCaptchas(challenges, proofs, cookies=self._cookies)

    @cached_property
    def start(self) -> RegistrationStarter:
        return RegistrationStarter(
            self._client,
            radicado_key=self._radicado_key,
            older_radicado_keys=self._older_radicado_keys,
            clock=self._clock,
            erasures=composition.build_erasures(self._settings, self._database),
            submit_wait=self._submit_wait,
            link_lifetime=timedelta(hours=self._settings.password_link_hours),
            registry_wait=timedelta(days=self._settings.wait_for_registry_days),
            metrics=self._metrics,
            audit_queue=self._audit_queue,
        )

    @cached_property
    def devices(self) -> DeviceCookies:
        return DeviceCookies(
            composition.purpose_key(self._settings, "devices"),
            cookies=self._cookies,
            older_keys=composition.older_purpose_keys(self._settings, "devices"),
        )

    @cached_property
    def recoveries(self) -> RecoveryStarter:
        return RecoveryStarter(
            self._client,
            reference_key=self._radicado_key,
            older_reference_keys=self._older_radicado_keys,
            start_wait=self._submit_wait,
            audit_queue=self._audit_queue,
        )

    @cached_property
    def clients(self) -> Mapping[str, RegisteredApplication]:
        return composition.build_clients(self._settings)

    @cached_property
    def consents(self) -> ApplicationConsents:
        return ApplicationConsents(self._engine, audit=self._database.audit, clock=self._clock)

    @cached_property
    def resets(self) -> FactorResetDesk:
        return composition.build_factor_reset_desk(self._settings, self._database, self._client)

    @cached_property
    def ask(self) -> RegistrationViews:
        standings = PostgresStandings(self._engine, clock=self._clock)
        return RegistrationViews(self._client, standings=standings, metrics=self._metrics)

    @cached_property
    def act(self) -> RegistrationActs:
        return RegistrationActs(self._client, answer_wait=self._submit_wait, audit_queue=self._audit_queue)

    # ---- Families of services

    def protection(self) -> ProtectionServices:
        settings = self._settings
        return ProtectionServices(
            throttle=self.throttle,
            trusted_proxies=settings.trusted_proxies,
            cookies=self._cookies,
            form_tokens=self._form_tokens,
            public_url=settings.public_url,
            api_keys={key: name for name, key in settings.named_api_keys},
            metrics_key=settings.metrics_key.get_secret_value() if settings.metrics_key else None,
            metrics_open=settings.environment == "development",
            staff=self._staff,
            staff_must_have_factor=settings.environment == "production",
            temporal_ui_origin=self._temporal_ui_origin,
        )

    def registration(self) -> RegistrationServices:
        return RegistrationServices(
            pages=self.pages,
            outcomes=self.outcomes,
            answers=self.answers,
            throttle=self.throttle,
            captcha=self.captcha,
            sent_forms=self.sent_forms,
            start=self.start,
            ask=self.ask,
            act=self.act,
            answers_by_mail_only=self._settings.enumeration == "neutral",
            change_hours=self._settings.address_change_hours,
        )

    def help(self) -> HelpServices:
        settings = self._settings
        facts = HelpFacts(
            link_hours=settings.password_link_hours,
            mail_from=settings.mail_from,
            wait_days=settings.wait_for_registry_days,
            address_hours=settings.address_change_hours,
            captcha_is_by_proof=settings.captcha == "proof",
        )
        return HelpServices(pages=self.pages, facts=facts)

    def password(self) -> PasswordServices:
        return PasswordServices(
            pages=self.pages,
            outcomes=self.outcomes,
            answers=self.answers,
            cookies=self._cookies,
            throttle=self.throttle,
            captcha=self.captcha,
            devices=self.devices,
            links=composition.build_password_links(self._settings, self._database),
            changes=composition.build_address_changes(self._settings, self._database),
            resets=self.resets,
            hasher=self._hasher,
            policy=PasswordPolicy(self._settings.password_policy),
            start=self.start,
            recoveries=self.recoveries,
            act=self.act,
        )

    def login(self) -> LoginServices:
        audit = self._database.audit
        return LoginServices(
            pages=self.pages,
            answers=self.answers,
            cookies=self._cookies,
            throttle=self.throttle,
            captcha=self.captcha,
            devices=self.devices,
            credentials=PostgresCredentials(
                self._engine,
                hasher=self._hasher,
                lockouts=self._database.lockouts,
                audit=audit,
                clock=self._clock,
            ),
            sessions=PostgresSessions(self._engine, audit=audit, clock=self._clock),
            own_accounts=PostgresOwnAccounts(self._engine, audit=audit, clock=self._clock),
            clients=self.clients,
            consents=self.consents,
            factors=composition.build_second_factors(self._settings, self._database),
            passkeys=composition.build_passkeys(self._settings, self._database),
            second_steps=SecondSteps(self._engine, clock=self._clock),
            factor_rule=self._settings.second_factor,
            clock=self._clock,
            hasher=self._hasher,
            policy=PasswordPolicy(self._settings.password_policy),
            recoveries=self.recoveries,
        )

    def support(self) -> SupportServices:
        return SupportServices(
            pages=self.pages,
            cookies=self._cookies,
            throttle=self.throttle,
            captcha=self.captcha,
            devices=self.devices,
            support=composition.build_support(self._settings, self._database, self._client),
            accounts=composition.build_support_accounts(self._database),
            staff=self._staff,
            factors=composition.build_second_factors(self._settings, self._database),
            passkeys=composition.build_passkeys(self._settings, self._database),
            clock=self._clock,
            readings=self._readings,
            answers=self.answers,
            ask=self.ask,
            joins=composition.build_support_joins(self._settings, self._database),
            resets=self.resets,
            reviews=composition.build_support_reviews(self._settings, self._database, self._client),
            public_url=self._settings.public_url,
        )

    def oidc(self) -> OidcServices:
        return OidcServices(
            pages=self.pages,
            issuer=self._settings.public_url,
            asked=AskedRequests(
                (
                    composition.purpose_key(self._settings, "asked-requests"),
                    *composition.older_purpose_keys(self._settings, "asked-requests"),
                ),
                clock=self._clock,
            ),
            factor_rule=self._settings.second_factor,
            clients=OpenClients(self.clients),
            keys=composition.build_signing_keys(self._settings),
            consents=self.consents,
            sessions=session_factory(self._engine),
            audit=self._database.audit,
            clock=self._clock,
        )

    def operations(self) -> OperationsServices:
        database = DatabaseFitness(self._engine)
        return OperationsServices(
            readiness=Readiness(self._client, codec=self._codec, database=database),
            metrics=self._metrics,
            gauges=TemporalGauges(self._client),
            database=database,
        )

    def codec(self) -> CodecServices:
        return CodecServices(
            codec=self._codec,
            readings=self._readings,
            public_url=self._settings.public_url,
            temporal_namespace=self._settings.temporal_namespace,
            temporal_ui_origin=self._temporal_ui_origin,
        )

    def api(self) -> ApiServices:
        return ApiServices(
            throttle=self.throttle,
            start=self.start,
            ask=self.ask,
            act=self.act,
            public_url=self._settings.public_url,
        )
