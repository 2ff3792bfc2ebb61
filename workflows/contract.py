"""Names that programs outside rely on: queues, ids, search attributes, payloads. Nothing else."""

from dataclasses import dataclass

from temporalio.common import SearchAttributeKey

from mipres.domain.documents import Document
from mipres.domain.outcomes import Outcome, Stage
from mipres.domain.submissions import Submission, UserType
from mipres.ports import Consent

REGISTRATIONS_QUEUE = "registrations"
MISEGURIDADSOCIAL = "miseguridadsocial"
RETHUS = "rethus"
SSO = "sso"
REGISTRIES = (MISEGURIDADSOCIAL, RETHUS, SSO)

REGISTRATION_STAGE = SearchAttributeKey.for_keyword("RegistrationStage")
USER_TYPE = SearchAttributeKey.for_keyword("UserType")
WAITING_ON = SearchAttributeKey.for_keyword_list("WaitingOn")
STUCK_SINCE = SearchAttributeKey.for_datetime("StuckSince")
SEARCH_ATTRIBUTES = (REGISTRATION_STAGE, USER_TYPE, WAITING_ON, STUCK_SINCE)


# Types of the errors with which an update is refused.
REASON_MISSING = "ReasonMissing"
WRONG_STAGE = "WrongStage"
TOO_SOON = "TooSoon"

MAIL_ADDRESS = "mail_address"
"""What a registration waits for when the mail server rejects the person's address for good."""


def registry_queue(registry: str) -> str:
    return f"registry-{registry}"


def registration_workflow_id(radicado: str) -> str:
    return f"registration/{radicado}"


def recovery_workflow_id(reference: str) -> str:
    return f"recovery/{reference}"


def lock_notice_workflow_id(reference: str) -> str:
    return f"lock-notice/{reference}"


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
    waiting_on: tuple[str, ...]
    updated_at: str
    outcome: Outcome | None = None
