"""How a program that asks Temporal something ends.

One line about what is wrong and which setting to look at, and its exit status.
"""

import os
import sys
from typing import NoReturn

from mipres.temporal.answers import TemporalUnavailableError, UnknownWorkflowError, fault_for_operators
from mipres.temporal.connection import TemporalConnection


def reason_of(error: TemporalUnavailableError | UnknownWorkflowError, connection: TemporalConnection) -> str:
    """Say in Spanish, without a full stop, why there is no answer."""
    if isinstance(error, UnknownWorkflowError):
        return "Temporal todavía no lo conoce"
    return fault_for_operators(error, address=connection.address, namespace=connection.namespace)


def end(complaint: str | None) -> NoReturn:
    """End the process: 0 without a complaint, else 1 with it on standard error."""
    if complaint:
        sys.stderr.write(f"{complaint}\n")
    sys.stderr.flush()
    # Temporal's native library may crash while the interpreter is taken down, which would look like a failure.
    os._exit(1 if complaint else 0)
