"""A week of reviews behind registrations: `python -m bench.review_week`.

One queue of one registry with the product's own limits; a registration always goes first.
"""

from dataclasses import dataclass

from bench.simulation import HOURS
from mipres.arguments import take_none
from workflows import policies

DAY_SECONDS = 24 * 60 * 60
WEEK_SECONDS = 7 * DAY_SECONDS
PROFILES = 400_000


@dataclass(frozen=True, kw_only=True)
class Week:
    """What a week came to.

    Attributes:
        finished_after_seconds: When the last profile was asked about; None if the week was too short.
        most_registrations_waiting: At once, behind the registry.
        most_calls_in_a_second: Of both together.
    """

    finished_after_seconds: int | None
    most_registrations_waiting: int
    most_calls_in_a_second: int


def live_a_week(*, registrations_a_day: int, profiles: int = PROFILES) -> Week:
    """Play a week in which everything depends on the same registry."""
    shares = [share / sum(HOURS) * registrations_a_day / 3600 for share in HOURS]
    waiting_registrations = arriving = allowance = 0.0
    batch, resting_until, left = 0, 0.0, profiles
    finished, most_waiting, most_calls = None, 0, 0
    for second in range(WEEK_SECONDS):
        arriving += shares[second % DAY_SECONDS // 3600]
        waiting_registrations, arriving = waiting_registrations + arriving // 1, arriving % 1
        if not batch and left and second >= resting_until:
            batch = min(policies.REVIEW_BATCH, left)
            left -= batch
            resting_until = second + batch / policies.REVIEW_CALLS_PER_SECOND
        allowance = min(allowance + policies.HANDED_OUT_PER_SECOND, policies.REGISTRY_CALLS_PER_SECOND)
        first = min(int(allowance), int(waiting_registrations))
        behind = min(int(allowance) - first, batch)
        allowance, waiting_registrations, batch = (
            allowance - first - behind,
            waiting_registrations - first,
            batch - behind,
        )
        most_waiting = max(most_waiting, int(waiting_registrations))
        most_calls = max(most_calls, first + behind)
        if finished is None and not left and not batch:
            finished = second
    return Week(
        finished_after_seconds=finished,
        most_registrations_waiting=most_waiting,
        most_calls_in_a_second=most_calls,
    )


def main() -> None:
    take_none("python -m bench.review_week", __doc__)
    for registrations in (0, 20_000, 100_000):
        week = live_a_week(registrations_a_day=registrations)
        hours = week.finished_after_seconds and round(week.finished_after_seconds / 3600, 1)
        print(f"{registrations} registrations a day: {PROFILES} profiles reviewed after {hours} h; {week}")


if __name__ == "__main__":
    main()
