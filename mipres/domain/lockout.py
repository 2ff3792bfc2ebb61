"""When a login is locked after failures, and for how long.

Never for good: a lock for ever is a weapon against people.
"""

from datetime import timedelta

FREE_FAILURES = 10
"""So many failures in a row lock; between GOV.UK's 5 to 10 and NIST's 100."""
LONGEST_LOCK = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(days=1)
"""Failures that are older count no longer."""
NOTICE_PAUSE = timedelta(days=1)
"""Notices of a lock go to the person no more often than this."""
_FIRST_LOCK = timedelta(minutes=1)
_ENOUGH_DOUBLINGS = 10


def lock_after(failures: int) -> timedelta:
    """One minute with the tenth failure in a row, then twice as long each time.

    A quarter of an hour at most.
    """
    if failures < FREE_FAILURES:
        return timedelta(0)
    doublings = min(failures - FREE_FAILURES, _ENOUGH_DOUBLINGS)
    return min(LONGEST_LOCK, _FIRST_LOCK * (1 << doublings))
