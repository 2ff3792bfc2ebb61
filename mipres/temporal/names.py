"""Every name that Temporal knows us by.

Queues, ids and their inverse, search attributes, error types, queries.

Programs outside rely on these names, and so do stored histories. Nothing else in the product spells them.
"""

import uuid
from datetime import datetime
from enum import StrEnum

from temporalio.common import SearchAttributeKey

from mipres.domain.radicado import is_reference
from mipres.domain.review import ReviewStage
from mipres.domain.stages import OPEN_STAGES, REGISTRIES, Stage, WaitingOn
from mipres.domain.submissions import UserType

# ---- Task queues

REGISTRATIONS_QUEUE = "registrations"


def registry_queue(registry: WaitingOn) -> str:
    return f"registry-{registry}"


REGISTRY_QUEUES = tuple(registry_queue(registry) for registry in REGISTRIES)


# ---- Workflow types and ids


class WorkflowType(StrEnum):
    """The registered names of the workflows."""

    REGISTRATION = "Registration"
    PASSWORD_RECOVERY = "PasswordRecovery"  # noqa: S105 - a name, no secret.
    LOGIN_LOCKED = "LoginLocked"
    CANCELLED_NOTICE = "CancelledNotice"
    RETENTION = "Retention"
    ACCESS_NOTICES = "AccessNotices"
    BACKCHANNEL_LOGOUTS = "BackchannelLogouts"
    ACCESS_REVIEW = "AccessReview"
    SECOND_FACTOR_RESET = "SecondFactorReset"


RETENTION_ID = "retention"
ACCESS_NOTICES_ID = "access-notices"
BACKCHANNEL_LOGOUTS_ID = "backchannel-logouts"
ACCESS_REVIEW_ID = "access-review"
_ID_PREFIXES = {
    WorkflowType.REGISTRATION: "registration/",
    WorkflowType.PASSWORD_RECOVERY: "recovery/",
    WorkflowType.LOGIN_LOCKED: "lock-notice/",
    WorkflowType.CANCELLED_NOTICE: "cancel-notice/",
    WorkflowType.SECOND_FACTOR_RESET: "factor-reset/",
}
_TYPES_BY_REFERENCE = {"RM": WorkflowType.REGISTRATION, "RC": WorkflowType.PASSWORD_RECOVERY}


def registration_workflow_id(radicado: str) -> str:
    return _ID_PREFIXES[WorkflowType.REGISTRATION] + radicado


def recovery_workflow_id(reference: str) -> str:
    return _ID_PREFIXES[WorkflowType.PASSWORD_RECOVERY] + reference


def lock_notice_workflow_id(reference: str) -> str:
    return _ID_PREFIXES[WorkflowType.LOGIN_LOCKED] + reference


def cancelled_notice_workflow_id(radicado: str) -> str:
    return _ID_PREFIXES[WorkflowType.CANCELLED_NOTICE] + radicado


def factor_reset_workflow_id(reset_id: uuid.UUID) -> str:
    return f"{_ID_PREFIXES[WorkflowType.SECOND_FACTOR_RESET]}{reset_id}"


def workflow_id_of(reference: str) -> str:
    """The workflow id of a radicado (`RM-…`) or of a recovery (`RC-…`)."""
    return _ID_PREFIXES[_TYPES_BY_REFERENCE[reference.partition("-")[0]]] + reference


def reference_of(workflow_id: str) -> str:
    """The inverse of every function above.

    The radicado or reference inside a workflow id.
    """
    return workflow_id.rpartition("/")[2]


def is_of_a_person(workflow_id: str) -> bool:
    """Whether the product gives this id to a registration or a recovery.

    A stranger with reach to Temporal chooses ids for runs of the same types.
    """
    reference = reference_of(workflow_id)
    return is_reference(reference) and workflow_id_of(reference) == workflow_id


# ---- Ids of the steps that mail, which support asks the server to try again


class MailStep(StrEnum):
    """Activity ids; a workflow that waits for one waits for the mail server."""

    LINK = "enviar-enlace"
    REMINDER = "enviar-recordatorio"
    CONFIRMATION = "confirmar-contrasena"
    DELAY = "avisar-demora"
    GIVEN_UP = "avisar-sin-terminar"
    CANCELLED = "avisar-cancelacion"
    SUPPORT = "avisar-soporte"
    UPDATE = "avisar-actualizacion"
    LOCK = "avisar-bloqueo"
    REFUSAL = "avisar-rechazo"
    WAIT_ENDED = "avisar-fin-de-espera"
    OLD_ADDRESS = "avisar-correo-anterior"
    NEW_ADDRESS = "avisar-correo-nuevo"
    CHANGE_STOPPED = "avisar-cambio-detenido"
    ACCESS = "avisar-accesos"
    FACTOR_RESET = "avisar-restablecimiento"
    RESET_STOPPED = "avisar-restablecimiento-detenido"


RESET_CLOSED = "reset_closed"
"""The signal that a reset of a second factor was stopped or cancelled."""


# ---- Search attributes

REGISTRATION_STAGE = SearchAttributeKey.for_keyword("RegistrationStage")
USER_TYPE = SearchAttributeKey.for_keyword("UserType")
WAITING_ON = SearchAttributeKey.for_keyword_list("WaitingOn")
STUCK_SINCE = SearchAttributeKey.for_datetime("StuckSince")
REVIEW_STAGE = SearchAttributeKey.for_keyword("ReviewStage")
REVIEWED_PROFILES = SearchAttributeKey.for_int("ReviewedProfiles")
SEARCH_ATTRIBUTES = (
    REGISTRATION_STAGE,
    USER_TYPE,
    WAITING_ON,
    STUCK_SINCE,
    REVIEW_STAGE,
    REVIEWED_PROFILES,
)


# ---- Types of the errors with which an update is refused

REASON_MISSING = "ReasonMissing"
WRONG_STAGE = "WrongStage"
TOO_SOON = "TooSoon"
WRONG_ARGUMENTS = "WrongArguments"


# ---- Queries of visibility

REGISTRATIONS = f'WorkflowType="{WorkflowType.REGISTRATION}"'
RUNNING = f'{REGISTRATIONS} AND ExecutionStatus="Running"'
WAITING = f"{RUNNING} AND {WAITING_ON.name} IS NOT NULL"
STUCK = f"{RUNNING} AND {STUCK_SINCE.name} IS NOT NULL"
_OPEN = ", ".join(f'"{stage}"' for stage in OPEN_STAGES)
CUT_OFF = (
    f'{REGISTRATIONS} AND ExecutionStatus IN ("Failed", "TimedOut", "Terminated")'
    f" AND ({REGISTRATION_STAGE.name} IS NULL OR {REGISTRATION_STAGE.name} IN ({_OPEN}))"
)
"""Registrations that ended before they reached an end of their own.

The person still waits for something.
"""
_MENDABLE = ", ".join(f'"{what}"' for what in WaitingOn if what is not WaitingOn.MAIL_ADDRESS)
GIVEN_UP = (
    f'{REGISTRATIONS} AND {REGISTRATION_STAGE.name}="{Stage.EXPIRED}" AND {WAITING_ON.name} IN ({_MENDABLE})'
)
"""Registrations that ended because what they waited for was not mended for days."""
_ENDED = ", ".join(f'"{stage}"' for stage in Stage if stage.has_ended)
_MAILING = ", ".join(
    f'"{kind}"' for kind in WorkflowType if kind not in {WorkflowType.REGISTRATION, WorkflowType.RETENTION}
)
MAY_MAIL = (
    f'ExecutionStatus="Running" AND (WorkflowType IN ({_MAILING})'
    f" OR {REGISTRATION_STAGE.name} IN ({_ENDED}) OR {WAITING_ON.name} IS NOT NULL)"
)
"""Runs that may have a mail under way which `WaitingOn` does not name.

Which of them do, only their pending steps say.
"""
RUNNING_REVIEWS = f'WorkflowType="{WorkflowType.ACCESS_REVIEW}" AND ExecutionStatus="Running"'
STOPPED_REVIEWS = f'{RUNNING_REVIEWS} AND {REVIEW_STAGE.name}="{ReviewStage.STOPPED}"'
PURGES = f'WorkflowType="{WorkflowType.RETENTION}" AND ExecutionStatus="Completed"'
# Both marks outlive the workflow that was terminated with them.
PAUSED = 'ExecutionStatus="Running" AND TemporalPauseInfo IS NOT NULL'
BROKEN_CODE = 'ExecutionStatus="Running" AND TemporalReportedProblems IS NOT NULL'


def running_in(stage: Stage) -> str:
    return f"{RUNNING} AND {_in(stage)}"


def checking_by(moment: datetime) -> str:
    """Registrations without an answer that were submitted by that moment."""
    return f'{running_in(Stage.CHECKING)} AND StartTime <= "{moment.isoformat()}"'


def unseen_by(moment: datetime) -> str:
    """Registrations that got no answer since that moment and count as stuck nowhere."""
    return (
        f'{RUNNING} AND {REGISTRATION_STAGE.name} IN ("{Stage.CHECKING}", "{Stage.WAITING_REGISTRY}")'
        f' AND {STUCK_SINCE.name} IS NULL AND StartTime <= "{moment.isoformat()}"'
    )


def closed_in(stage: Stage, *, since: datetime) -> str:
    return f'{REGISTRATIONS} AND {_in(stage)} AND CloseTime >= "{since:%Y-%m-%dT%H:%M:%SZ}"'


def waiting_for(waiting_on: WaitingOn) -> str:
    return f"{RUNNING} AND {_on(waiting_on)}"


def stuck_on(waiting_on: WaitingOn | None) -> str:
    """Stuck registrations, or those that one thing keeps."""
    return f"{STUCK} AND {_on(waiting_on)}" if waiting_on else STUCK


def stuck_by(moment: datetime) -> str:
    """Registrations that were stuck already at that moment."""
    return f'{STUCK} AND {STUCK_SINCE.name} <= "{moment.isoformat()}"'


def of_user_type(user_type: UserType) -> str:
    return f'{REGISTRATIONS} AND {USER_TYPE.name}="{user_type}"'


def runs_of(workflow_id: str) -> str:
    return f'WorkflowId="{workflow_id}"'


def begun_since(query: str, moment: datetime | None) -> str:
    """The same query, for runs that began since a moment."""
    return f'{query} AND StartTime >= "{moment.isoformat()}"' if moment else query


def _in(stage: Stage) -> str:
    return f'{REGISTRATION_STAGE.name}="{stage}"'


def _on(waiting_on: WaitingOn) -> str:
    return f'{WAITING_ON.name}="{waiting_on}"'
