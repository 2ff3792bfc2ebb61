"""What goes into the workflows and comes out of them. Nothing else."""

from dataclasses import dataclass

from mipres.domain.documents import Document
from mipres.domain.outcomes import Outcome
from mipres.domain.stages import Stage, WaitingOn
from mipres.domain.submissions import Submission, UserType
from mipres.domain.terms import Consent


@dataclass(frozen=True, kw_only=True)
class RecoveryRequest:
    """Input of the workflow PasswordRecovery. `reference` is the opaque part of its id."""

    reference: str
    document: Document


@dataclass(frozen=True, kw_only=True)
class LockNoticeRequest:
    """Input of the workflow LoginLocked. `reference` is the opaque part of its id."""

    reference: str
    document: Document


@dataclass(frozen=True, kw_only=True)
class RegistrationRequest:
    """Input of the workflow Registration.

    Attributes:
        link_hours: Lifetime of a password link, so that a registration keeps the one it began with.
        tell_by_mail: No page shows the answer, so a refusal has to be mailed too.
    """

    radicado: str
    submission: Submission
    consent: Consent
    link_hours: float = 24.0
    tell_by_mail: bool = False


@dataclass(frozen=True, kw_only=True)
class RegistrationStatus:
    """Answer of the query `status` and result of the workflow. Holds nothing personal.

    Attributes:
        waiting_on: What is being waited for now: registries by name, `database`, `mail`,
            or `mail_address` when the person's address is rejected.
        updated_at: When the stage last changed, ISO 8601 with zone.
        outcome: The first answer, once there is one.
    """

    radicado: str
    user_type: UserType
    stage: Stage
    waiting_on: tuple[WaitingOn, ...]
    updated_at: str
    outcome: Outcome | None = None
