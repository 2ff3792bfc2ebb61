"""Four hundred thousand profiles fit into a week, behind the registrations."""

import pytest

from bench.review_week import PROFILES, WEEK_SECONDS, live_a_week
from workflows import policies


def test_the_arithmetic_of_the_page() -> None:
    assert pytest.approx(55.6, abs=0.1) == PROFILES / policies.REVIEW_CALLS_PER_SECOND / 3600


@pytest.mark.parametrize("registrations", [20_000, 100_000])
def test_a_review_fits_into_a_week_and_no_registration_waits_for_it(registrations: int) -> None:
    alone = live_a_week(registrations_a_day=registrations, profiles=0)
    beside = live_a_week(registrations_a_day=registrations)
    assert beside.finished_after_seconds is not None
    assert beside.finished_after_seconds < WEEK_SECONDS
    assert beside.most_registrations_waiting == alone.most_registrations_waiting
    assert beside.most_calls_in_a_second <= policies.REGISTRY_CALLS_PER_SECOND


def test_registrations_that_take_every_call_leave_the_review_none() -> None:
    """The model would notice a review that pushes in."""
    assert live_a_week(registrations_a_day=1_000_000).finished_after_seconds is None
