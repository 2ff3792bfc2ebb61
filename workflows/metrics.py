"""What registrations count.

The SDK's meter stays silent while a history is replayed.
"""

from itertools import product

from temporalio import workflow
from temporalio.common import MetricCounter, MetricMeter

from mipres.domain.outcomes import Outcome
from mipres.domain.review import ReviewOutcome
from mipres.domain.stages import REGISTRIES, Stage, WaitingOn
from mipres.domain.submissions import UserType
from mipres.temporal import names

UNKNOWN = "unknown"
"""A registration that was given up waited for nothing that has a name."""


def begin_at_zero(meter: MetricMeter, *, namespace: str) -> None:
    """Begin each counter at 0, by the labels of the SDK in a workflow and by ours.

    Prometheus sees no increase in the first figure of a series.
    """

    def of(workflow_type: names.WorkflowType) -> MetricMeter:
        labels = {
            "namespace": namespace,
            "task_queue": names.REGISTRATIONS_QUEUE,
            "workflow_type": workflow_type.value,
        }
        return meter.with_additional_attributes(labels)

    registrations, reviews = of(names.WorkflowType.REGISTRATION), of(names.WorkflowType.ACCESS_REVIEW)
    ends, given_up = _registrations_ended(registrations), _registrations_given_up(registrations)
    for stage, user_type in product(Stage, UserType):
        if stage.has_ended:
            ends.add(0, {"stage": stage.value, "user_type": user_type.value})
    for what in (*WaitingOn, UNKNOWN):
        given_up.add(0, {"waiting_on": str(what)})
    for registry, outcome in product(REGISTRIES, ReviewOutcome):
        _profiles_reviewed(reviews).add(0, {"registry": registry.value, "outcome": outcome.value})


def outcome_known(outcome: Outcome, user_type: UserType) -> None:
    """From the submission to the first answer, however long a registry held it up."""
    workflow.metric_meter().create_histogram_timedelta(
        "mipres_time_to_outcome", "From the submission to its first outcome"
    ).record(
        workflow.now() - workflow.info().start_time, {"outcome": outcome.code, "user_type": user_type.value}
    )


def registration_ended(stage: Stage, user_type: UserType) -> None:
    _registrations_ended(workflow.metric_meter()).add(1, {"stage": stage.value, "user_type": user_type.value})


def registration_given_up(waiting_on: str) -> None:
    """Count one that waited for days for something that was not mended."""
    _registrations_given_up(workflow.metric_meter()).add(1, {"waiting_on": waiting_on})


def profile_reviewed(registry: WaitingOn, outcome: ReviewOutcome) -> None:
    _profiles_reviewed(workflow.metric_meter()).add(1, {"registry": registry.value, "outcome": outcome.value})


def _registrations_ended(meter: MetricMeter) -> MetricCounter:
    return meter.create_counter(
        "mipres_registrations_ended", "Registrations by the stage in which they ended"
    )


def _registrations_given_up(meter: MetricMeter) -> MetricCounter:
    return meter.create_counter(
        "mipres_registrations_given_up", "Registrations given up after days, by what they waited for"
    )


def _profiles_reviewed(meter: MetricMeter) -> MetricCounter:
    return meter.create_counter(
        "mipres_profiles_reviewed", "Profiles in use that were held against their registry"
    )
