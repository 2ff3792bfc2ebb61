"""One adapter for each port: what a process hands to the activities."""

from dataclasses import dataclass, field

from mipres.domain.eligibility import EligibilityRules
from mipres.domain.review import ReviewPolicy
from mipres.ports import (
    AccessNoticeList,
    Accounts,
    AddressChanges,
    Clock,
    EndedLogins,
    FactorResets,
    HealthTalentRegistry,
    LogoutMessenger,
    MailComposer,
    Mailer,
    Retention,
    ReviewedProfiles,
    SentMails,
    SocialSecurityRegistry,
    SocialServiceRegistry,
)


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Everything that the activities need from outside."""

    miseguridadsocial: SocialSecurityRegistry
    rethus: HealthTalentRegistry
    sso: SocialServiceRegistry
    accounts: Accounts
    address_changes: AddressChanges
    factor_resets: FactorResets
    composer: MailComposer
    mailer: Mailer
    sent_mails: SentMails
    retention: Retention
    access_notices: AccessNoticeList
    ended_logins: EndedLogins
    logout_messenger: LogoutMessenger
    reviewed_profiles: ReviewedProfiles
    clock: Clock
    support_address: str | None = None
    review_policy: ReviewPolicy = field(default_factory=ReviewPolicy)
    rules: EligibilityRules = field(default_factory=EligibilityRules)
