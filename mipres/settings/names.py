"""Names of settings and of the files that hold some; the values of development."""

import os
from pathlib import Path

PREFIX = "MIPRES_"
SECRETS_FILE = "secrets.env"
"""Secrets that the launcher generated at its first start, below DATA_DIR."""
OTHER_PROGRAMS = ("MIPRES_SIMULATOR_TOKEN",)
"""Variables of the development servers."""
STACK_FILE = "stack.env"
"""Where the running launcher's servers are, below DATA_DIR; gone when it stops."""
DEVELOPMENT_DATA_DIR = Path(".data")
DEVELOPMENT_CLIENT_SECRET = "desarrollo-solo-local"  # noqa: S105 - the contract's, refused in production.
DEVELOPMENT_KEY = "desarrollo"
"""API key and registry token of development, which production refuses."""
DATABASE_NAME = "mipres"


def variable(field: str) -> str:
    """The environment variable of a field, as every message names it."""
    return f"{PREFIX}{field.upper()}"


def file_of(field: str) -> Path | None:
    """The file that a `MIPRES_…_FILE` variable names for a field; None where the variable itself has a value."""
    path = os.environ.get(f"{variable(field)}_FILE")
    return Path(path) if path and variable(field) not in os.environ else None
