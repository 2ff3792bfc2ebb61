"""How a program that asks Temporal something ends.

One line about what is wrong, and its exit status.
"""

import os
import sys
from typing import NoReturn


def end(complaint: str | None) -> NoReturn:
    """End the process: 0 without a complaint, else 1 with it on standard error."""
    if complaint:
        sys.stderr.write(f"{complaint}\n")
    sys.stderr.flush()
    # Temporal's native library may crash while the interpreter is taken down, which would look like a failure.
    os._exit(1 if complaint else 0)
