"""What registrations count.

The SDK's meter stays silent while a history is replayed.
"""

from temporalio import workflow

from mipres.domain.outcomes import Outcome
from mipres.domain.review import ReviewOutcome
from mipres.domain.stages import Stage, WaitingOn
from mipres.domain.submissions import UserType


def outcome_known(outcome: Outcome, user_type: UserType) -> None:
    """From the submission to the first answer, however long a registry held it up."""
    workflow.metric_meter().create_histogram_timedelta(
        "mipres_time_to_outcome", "From the submission to its first outcome"
    ).record(
        workflow.now() - workflow.info().start_time, {"outcome": outcome.code, "user_type": user_type.value}
    )


def registration_ended(stage: Stage, user_type: UserType) -> None:
    workflow.metric_meter().create_counter(
        "mipres_registrations_ended", "Registrations by the stage in which they ended"
    ).add(1, {"stage": stage.value, "user_type": user_type.value})


def profile_reviewed(registry: WaitingOn, outcome: ReviewOutcome) -> None:
    workflow.metric_meter().create_counter(
        "mipres_profiles_reviewed", "Profiles in use that were held against their registry"
    ).add(1, {"registry": registry.value, "outcome": outcome.value})
