"""Temporal's two answers that are none, each an error of ours, told apart in one place."""

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.client import WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

from mipres.domain.errors import MipresError


class TemporalUnavailableError(MipresError):
    """Temporal, or a worker behind it, gave no answer."""


class UnknownWorkflowError(MipresError):
    """Temporal has no such workflow, or none that is running where the call needs one."""


@contextmanager
def translated() -> Iterator[None]:
    """Raise one of the two errors for every way in which the SDK says that there was no answer.

    Raises:
        TemporalUnavailableError: the server, or a worker behind it, gave no answer.
        UnknownWorkflowError: the server does not know the workflow.
    """
    try:
        yield
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise UnknownWorkflowError from error
        raise TemporalUnavailableError from error
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
        raise TemporalUnavailableError from error
    except RuntimeError as error:
        # A client that connects with its first call raises nothing more particular.
        if "client connect" not in str(error):
            raise
        raise TemporalUnavailableError from error
