"""The root of the tree of errors, and the errors of the domain.

Each outer layer translates the tree once: activities/errors.py and api/errors.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


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


class UnusableTableError(MipresError):
    """A table of professions or sanctions cannot be used.

    Nothing is decided without it.
    """

    def __init__(self, file: Path, fault: str) -> None:
        self.file = file
        super().__init__(f"{file}: {fault}")


class RegistryUnavailableError(MipresError):
    """A registry gave no usable answer: a technical failure, never a 'not found'.

    Attributes:
        cause: The kind of fault and, in an answer that was read, the path of the field. Never a value.
    """

    def __init__(self, registry: str, cause: str, *, retry_after_seconds: float | None = None) -> None:
        self.registry = registry
        self.cause = cause
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"{registry}: {cause}")


class MailNotAcceptedError(MipresError):
    """The mail server could not take the message now; it may later."""


class MailProbablyDeliveredError(MailNotAcceptedError):
    """The message was handed over and its reply never came.

    Another try probably makes a second copy.
    """


class MailAddressRejectedError(MipresError):
    """No mail can be sent to this address.

    It is malformed, or the mail server refuses it for good.
    """


class MailOutOfDateError(MipresError):
    """What a mail says holds no more."""


class MailBeingSentError(MipresError):
    """Another attempt is sending the same mail at this moment."""


class DocumentReplacedError(MipresError):
    """The account of this document goes on in another account of the person."""


class PersonErasedError(MipresError):
    """The person was erased after this was submitted, so nothing of it is written."""


class LinkNotUsableError(MipresError):
    """A password link cannot be used any more."""
