"""The root of the tree of errors, and the errors of the domain.

Each outer layer translates the tree once: activities/errors.py and api/errors.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FieldError:
    """What is wrong with one field, in the words shown to the person.

    Attributes:
        field: Name of the field in RawSubmission; a form puts its own name in its place.
        message: Spanish sentence that says the problem and the remedy.
        is_missing: Whether the person gave nothing, as opposed to something wrong.
    """

    field: str
    message: str
    is_missing: bool = False


class MipresError(Exception):
    """Base of every error that this product raises on purpose."""


class InvalidSubmissionError(MipresError):
    """What was submitted breaks field rules. Nothing has been started."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        self.errors = tuple(errors)
        super().__init__(", ".join(error.field for error in errors))


class RegistryUnavailableError(MipresError):
    """A registry gave no usable answer: a technical failure, never a 'not found'."""

    def __init__(self, registry: str, cause: str, *, retry_after_seconds: float | None = None) -> None:
        self.registry = registry
        self.cause = cause
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"{registry}: {cause}")


class MailNotAcceptedError(MipresError):
    """The mail server could not take the message now; it may later."""


class MailAddressRejectedError(MipresError):
    """The mail server refuses this address for good (5xx)."""


class MailBeingSentError(MipresError):
    """Another attempt is sending the same mail at this moment."""


class LinkNotUsableError(MipresError):
    """A password link cannot be used any more."""
