"""Every activity, by the system that it needs.

The one list for workers, real and tested.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from activities.access_notices import AccessNotices
from activities.accounts import AccountActivities
from activities.addresses import AddressActivities
from activities.backchannel_logouts import BackchannelLogouts
from activities.emails import EmailActivities
from activities.factor_resets import FactorResetActivities
from activities.registries import HealthTalentChecks, SocialSecurityChecks, SocialServiceChecks
from activities.retention import RetentionActivities
from activities.retries import StepRetries
from activities.reviews import AccessReviews, ProfileReviewer, ReviewOfOne
from mipres.port_set import Ports

Activities = tuple[Callable[..., Any], ...]


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """Activities by registry; `own` are those that need no registry."""

    own: Activities
    miseguridadsocial: Activities
    rethus: Activities
    sso: Activities

    def all(self) -> Activities:
        groups: list[Activities] = [getattr(self, field.name) for field in fields(self)]
        return tuple(activity for group in groups for activity in group)


def catalog(ports: Ports) -> Catalog:
    """The activities over the given ports."""
    people = SocialSecurityChecks(registry=ports.miseguridadsocial)
    talent = HealthTalentChecks(registry=ports.rethus, clock=ports.clock, rules=ports.rules)
    placements = SocialServiceChecks(registry=ports.sso, clock=ports.clock, rules=ports.rules)
    reviewer = ProfileReviewer(
        people=ports.miseguridadsocial,
        talent=ports.rethus,
        placements=ports.sso,
        clock=ports.clock,
        rules=ports.rules,
    )
    accounts = AccountActivities(
        accounts=ports.accounts,
        reviews=ReviewOfOne(profiles=ports.reviewed_profiles, reviewer=reviewer),
    )
    mails = EmailActivities(
        accounts=ports.accounts,
        composer=ports.composer,
        mailer=ports.mailer,
        sent_mails=ports.sent_mails,
        address_changes=ports.address_changes,
        support_address=ports.support_address,
    )
    resets = FactorResetActivities(
        resets=ports.factor_resets, mails=mails, support_address=ports.support_address
    )
    reviews = AccessReviews(
        profiles=ports.reviewed_profiles,
        reviewer=reviewer,
        mails=mails,
        clock=ports.clock,
        policy=ports.review_policy,
        support_address=ports.support_address,
    )
    addresses = AddressActivities(registry=ports.miseguridadsocial, changes=ports.address_changes)
    return Catalog(
        own=(
            addresses.settle_address,
            accounts.register_account,
            accounts.find_account,
            accounts.expire_link,
            accounts.discard_account,
            accounts.record_refusal,
            mails.send_password_link,
            mails.confirm_password_set,
            mails.send_reminder,
            mails.send_update_notice,
            mails.send_delay_notice,
            mails.send_given_up_notice,
            mails.send_cancelled_notice,
            mails.send_refusal_notice,
            mails.send_wait_ended_notice,
            mails.send_lock_notice,
            mails.notify_support,
            mails.warn_old_address,
            mails.notify_new_address,
            mails.notify_change_stopped,
            resets.notify_factor_reset,
            resets.carry_out_factor_reset,
            resets.give_up_factor_reset,
            resets.notify_reset_stopped,
            StepRetries().retry_step,
            RetentionActivities(retention=ports.retention).purge_expired,
            AccessNotices(notices=ports.access_notices, mails=mails).mail_access_changes,
            BackchannelLogouts(
                ended=ports.ended_logins, messenger=ports.logout_messenger, clock=ports.clock
            ).announce_logouts,
            reviews.find_due_profiles,
            reviews.close_profiles,
            reviews.notify_review_stopped,
        ),
        miseguridadsocial=(people.check_person, people.check_delegation, reviews.review_delegation),
        rethus=(talent.check_profession, talent.check_other_user, reviews.review_profession),
        sso=(placements.check_placement, reviews.review_placement),
    )
