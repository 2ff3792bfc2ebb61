"""The ways in which Temporal gives no answer, told apart in one place."""

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.client import WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

from mipres.domain.errors import MipresError


class TemporalUnavailableError(MipresError):
    """Temporal, or a worker behind it, gave no answer."""


class UpdateLostError(TemporalUnavailableError):
    """The server threw an update away with the workflow task that held it; the same update may be sent again."""


class UnknownWorkflowError(MipresError):
    """Temporal has no such workflow, or none that is running where the call needs one."""


# The server's own words for it: the status that comes with them stands for other refusals too.
_UPDATE_LOST = "unexpected workflow task failure"


@contextmanager
def translated() -> Iterator[None]:
    """Raise one of these errors for every way in which the SDK reports that there was no answer.

    Raises:
        TemporalUnavailableError: the server, or a worker behind it, gave no answer.
        UpdateLostError: the server lost the update.
        UnknownWorkflowError: the server does not know the workflow.
    """
    try:
        yield
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise UnknownWorkflowError from error
        if _UPDATE_LOST in error.message:
            raise UpdateLostError from error
        raise TemporalUnavailableError from error
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
        raise TemporalUnavailableError from error
    except RuntimeError as error:
        # A client that connects with its first call raises nothing more particular.
        if "client connect" not in str(error):
            raise
        raise TemporalUnavailableError from error
