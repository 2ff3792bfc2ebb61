"""What goes into the workflows and comes out of them. Nothing else."""

from dataclasses import dataclass, field
from datetime import date, datetime

from activities.accounts import RegisterAccountResult
from mipres.domain.accounts import ProfileFacts
from mipres.domain.documents import Document
from mipres.domain.outcomes import Outcome, Refusal
from mipres.domain.people import Person
from mipres.domain.stages import Stage, WaitingOn
from mipres.domain.submissions import Submission, UserType
from mipres.domain.terms import Consent


@dataclass(frozen=True, kw_only=True)
class RecoveryRequest:
    """Input of the workflow PasswordRecovery.

    `reference` is the opaque part of its id.
    """

    reference: str
    document: Document


@dataclass(frozen=True, kw_only=True)
class LockNoticeRequest:
    """Input of the workflow LoginLocked. `reference` is the opaque part of its id."""

    reference: str
    document: Document


@dataclass(frozen=True, kw_only=True)
class PendingStep:
    """A step that one run of a workflow leaves to the next.

    Attributes:
        activity: The name of its activity.
        waiting_on: What is down.
        since: When the waiting began, which decides when it is given up.
        stuck_since: The same, once support should look.
    """

    activity: str
    waiting_on: WaitingOn
    since: datetime
    stuck_since: datetime | None = None


@dataclass(kw_only=True)
class RegistrationState:
    """Everything that a registration remembers, from one run to the next.

    Attributes:
        stage: `waiting_registry` is never stored: it follows from what the registration waits for.
        person: What miseguridadsocial knows; None until it has answered.
        identified_at: When it did.
        facts: What the registries know that belongs to the profile.
        account: None until it is registered.
        outcome: The first answer, once there is one.
        links_sent_at: When each link was sent, which decides when the next one may be.
        links_replaced: How many links of unknown fate made way for the next one.
        link_expires_at: The deadline of the newest link.
        is_reminded: Whether the reminder of the newest link was sent.
        is_link_asked: Whether another link is due.
        is_address_doubtful: Whether the registry is asked for the address before the next link.
        is_address_rejected: Whether the mail server rejects the address for good.
        is_password_announced: A hint, until the database was asked.
        is_cancel_asked: Whether support, or Temporal's interface, asked for the end.
        is_asked_openly: Whether somebody within the document's budget joined a quiet registration.
        must_mail_refusal: No page shows the answer to the person, so a refusal is mailed.
        since: When the stage or what is waited for last changed.
        pending: The check that the next run goes on with.
        refusal: Why the registry that is waited for says no.
        watched_since: When the person chose to wait for a registry that does not know them.
        appears_on: The day from which that registry will know them, if it is known.
        looked_at: When the registry was last asked while they wait.
        is_look_asked: Whether it is asked once more now, because the person registered again.
        is_watch_ended: Whether the person waits no longer.
        is_watch_extended: Whether the time was over and the registry gave no answer.
    """

    stage: Stage = Stage.CHECKING
    person: Person | None = None
    identified_at: datetime | None = None
    facts: ProfileFacts = field(default_factory=ProfileFacts)
    account: RegisterAccountResult | None = None
    outcome: Outcome | None = None
    links_sent_at: list[datetime] = field(default_factory=list)
    links_replaced: int = 0
    link_expires_at: datetime | None = None
    is_reminded: bool = False
    is_link_asked: bool = False
    is_address_doubtful: bool = False
    is_address_rejected: bool = False
    is_password_announced: bool = False
    is_cancel_asked: bool = False
    is_asked_openly: bool = False
    must_mail_refusal: bool = False
    since: datetime | None = None
    pending: PendingStep | None = None
    refusal: Refusal | None = None
    watched_since: datetime | None = None
    appears_on: date | None = None
    looked_at: datetime | None = None
    is_look_asked: bool = False
    is_watch_ended: bool = False
    is_watch_extended: bool = False


@dataclass(frozen=True, kw_only=True)
class RegistrationRequest:
    """Input of the workflow Registration.

    Attributes:
        link_hours: Lifetime of a password link, so that a registration keeps the one it began with.
        tell_by_mail: No page shows the answer, so a refusal has to be mailed too.
        is_quiet: The document's budget is spent, so nothing is mailed but what a new account needs.
        is_fast: Whether the first attempts are one local activity. Registrations that began before it
            existed have each its own.
        wait_for_registry: Whether the person waits for a registry that does not know them yet.
        wait_days: For how long at most.
        state: What an earlier run of the same registration hands on.
    """

    radicado: str
    submission: Submission
    consent: Consent
    link_hours: float = 24.0
    tell_by_mail: bool = False
    is_quiet: bool = False
    is_fast: bool = False
    wait_for_registry: bool = False
    wait_days: float = 30.0
    state: RegistrationState | None = None


@dataclass(frozen=True, kw_only=True)
class RegistrationStatus:
    """Answer of the query `status` and result of the workflow. Holds nothing personal.

    Attributes:
        waiting_on: What is being waited for now: registries by name, `database`, `mail`,
            or `mail_address` when the person's address is rejected.
        updated_at: When the stage last changed, ISO 8601 with zone.
        outcome: The first answer, once there is one.
        watched_until: Until when the registry is asked, ISO 8601 with zone, while the person waits for it.
        link_expires_at: Until when the newest link works, ISO 8601 with zone, while the password is awaited.
        resend_at: From when another link may be sent, ISO 8601 with zone, while the password is awaited.
    """

    radicado: str
    user_type: UserType
    stage: Stage
    waiting_on: tuple[WaitingOn, ...]
    updated_at: str
    outcome: Outcome | None = None
    watched_until: str | None = None
    link_expires_at: str | None = None
    resend_at: str | None = None
