"""The ways in which Temporal gives no answer, distinguished in one place."""

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.client import WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

from mipres.domain.errors import MipresError
from mipres.temporal.codec import UntrustedPayloadError


class TemporalUnavailableError(MipresError):
    """Temporal, or a worker behind it, gave no usable answer.

    Its text is for the log: the gRPC status and message, or what else happened. It names no person.
    """


class NamespaceMissingError(TemporalUnavailableError):
    """The namespace of the settings does not exist: no pause mends that."""


class UnreadableAnswerError(TemporalUnavailableError):
    """What came cannot be read here: a key is missing, or the build is another."""


class UpdateLostError(TemporalUnavailableError):
    """The server threw an update away with the workflow task that held it.

    The same update may be sent again.
    """


class UpdatesSpentError(TemporalUnavailableError):
    """A run has got as many updates as the server allows one; it goes on all the same."""


class UnknownWorkflowError(MipresError):
    """Temporal has no such workflow, or none that is running where the call needs one."""


# The server's own words: the status that comes with them stands for other refusals too.
_SAID: dict[str, type[TemporalUnavailableError]] = {
    "unexpected workflow task failure": UpdateLostError,
    "limit on the total number of distinct updates": UpdatesSpentError,
}


@contextmanager
def translated() -> Iterator[None]:
    """Raise one of these errors for every way in which the SDK gives no answer.

    Raises:
        TemporalUnavailableError: the server, or a worker behind it, gave no usable answer.
        NamespaceMissingError: the namespace does not exist.
        UnreadableAnswerError: the answer cannot be read here.
        UpdateLostError: the server lost the update.
        UpdatesSpentError: the run takes no more updates.
        UnknownWorkflowError: the server does not know the workflow.
    """
    try:
        yield
    except RPCError as error:
        said = f"{error.status.name}: {error.message}"
        if _names_a_missing_namespace(error):
            raise NamespaceMissingError(said) from error
        if is_unknown_workflow(error):
            raise UnknownWorkflowError from error
        kinds = (kind for words, kind in _SAID.items() if words in error.message)
        raise next(kinds, TemporalUnavailableError)(said) from error
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
        raise TemporalUnavailableError("no answer in time") from error
    except (UntrustedPayloadError, ValueError) as error:
        # The SDK decodes within the call, and a message may repeat what it could not decode.
        raise UnreadableAnswerError(f"unreadable answer: {type(error).__name__}") from error
    except RuntimeError as error:
        # A client that connects with its first call raises nothing more particular.
        if "client connect" not in str(error):
            raise
        raise TemporalUnavailableError("no connection") from error


def is_unknown_workflow(error: RPCError) -> bool:
    """Whether the server says that it does not know the workflow."""
    # A namespace that does not exist is a wrong setting, and says nothing about any workflow.
    return error.status is RPCStatusCode.NOT_FOUND and not _names_a_missing_namespace(error)


def _names_a_missing_namespace(error: RPCError) -> bool:
    return any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in error.grpc_status.details)
