"""How something that a process depends on is doing."""

from enum import StrEnum


class Fitness(StrEnum):
    """What one look found.

    An outage ends by itself, and every process sees the same. What does not fit stays so until a
    setting, a key or a migration changes, perhaps of this process alone.
    """

    OK = "ok"
    DOWN = "down"
    """No answer."""
    UNFIT = "unfit"
    """It answers, and this process cannot work with it."""
