"""How many cases are tried.

Some thousand in `make test`, more than ten thousand in `make fuzz`.
"""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings

IS_LONG = os.environ.get("FUZZ") == "long"


def cases(usual: int, *, long: int) -> Callable[[Any], Any]:
    """Hypothesis' settings.

    The same cases in every run of `make test`, new ones in each of `make fuzz`.
    """
    return settings(
        max_examples=long if IS_LONG else usual,
        derandomize=not IS_LONG,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
