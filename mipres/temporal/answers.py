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


class AccessRefusedError(TemporalUnavailableError):
    """The server answers, yet not to this key or certificate."""


class TlsDisagreementError(TemporalUnavailableError):
    """One side alone uses TLS, or does not take the other's certificate."""


class ConnectionCutError(TemporalUnavailableError):
    """Something listens and breaks off at the first word.

    It expects TLS or a client's certificate, or is a proxy without a server.
    """


class RequestRefusedError(TemporalUnavailableError):
    """The server answers that it does not do this.

    Its release, its limits or what is asked do not allow it.
    """


class UnknownHostError(TemporalUnavailableError):
    """No address belongs to the server's name."""


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


NO_ANSWER = (TemporalUnavailableError, UnknownWorkflowError)
"""What a question to Temporal that is not answered ends with, once `translated`."""

# The server's own words: the status that comes with them stands for other refusals too.
_SAID: dict[str, type[TemporalUnavailableError]] = {
    "unexpected workflow task failure": UpdateLostError,
    "limit on the total number of distinct updates": UpdatesSpentError,
}

_REFUSALS = {
    *(RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.OUT_OF_RANGE),
    *(RPCStatusCode.ALREADY_EXISTS, RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.RESOURCE_EXHAUSTED),
}
_NO_ACCESS = {RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.PERMISSION_DENIED}
# A failure to connect has no codes: these are the words of the SDK's core.
_SAID_OF_CONNECTING: dict[str, type[TemporalUnavailableError]] = {
    # A server that stands still keeps its connections open.
    "TimeoutExpired": TemporalUnavailableError,
    "KeepAliveTimedOut": TemporalUnavailableError,
    "dns error": UnknownHostError,
    "InvalidCertificate": TlsDisagreementError,
    "InvalidMessage": TlsDisagreementError,
    "fatal alert": TlsDisagreementError,
    "code: Unauthenticated": AccessRefusedError,
    "code: PermissionDenied": AccessRefusedError,
    "source: Some(tonic::transport": ConnectionCutError,
}

_FAULTS: dict[type[TemporalUnavailableError], str] = {
    NamespaceMissingError: "Temporal no tiene el namespace {namespace}: revise MIPRES_TEMPORAL_NAMESPACE",
    UnreadableAnswerError: "Temporal respondió algo que aquí no se puede leer: revise MIPRES_PAYLOAD_KEYS y la versión",
    AccessRefusedError: "Temporal en {address} no admite a este proceso: revise MIPRES_TEMPORAL_API_KEY y el certificado",
    TlsDisagreementError: "No hay acuerdo sobre TLS con Temporal en {address}: revise MIPRES_TEMPORAL_TLS_CA y si allí se usa TLS",
    ConnectionCutError: "Algo atiende en {address} y corta la conexión: Temporal aún no está detrás, o se espera allí otro cifrado (MIPRES_TEMPORAL_TLS_…)",
    RequestRefusedError: "Temporal en {address} responde que no lo hace ({said})",
    UnknownHostError: "Ningún servidor se llama como en {address}: revise MIPRES_TEMPORAL_ADDRESS",
    TemporalUnavailableError: "Temporal no responde en {address}",
}
"""What an operator reads; the last one stands for every other kind."""


@contextmanager
def translated() -> Iterator[None]:
    """Raise one of these errors for every way in which the SDK gives no answer.

    Raises:
        TemporalUnavailableError: the server, or a worker behind it, gave no usable answer.
        NamespaceMissingError: the namespace does not exist.
        AccessRefusedError: the server does not admit this client.
        RequestRefusedError: the server does not do what is asked.
        TlsDisagreementError: the two sides do not agree on how to encrypt.
        ConnectionCutError: something else listens there.
        UnknownHostError: no address belongs to the server's name.
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
        if error.status in _NO_ACCESS:
            raise AccessRefusedError(said) from error
        kinds = (kind for words, kind in _SAID.items() if words in error.message)
        other = RequestRefusedError if error.status in _REFUSALS else TemporalUnavailableError
        raise next(kinds, other)(said) from error
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
        raise TemporalUnavailableError("no answer in time") from error
    except (UntrustedPayloadError, ValueError) as error:
        # The SDK decodes within the call, and a message may repeat what it could not decode.
        raise UnreadableAnswerError(f"unreadable answer: {type(error).__name__}") from error
    except RuntimeError as error:
        # A client that connects with its first call raises nothing more particular.
        if "client connect" not in str(error):
            raise
        raise _of_connecting(str(error)) from error


def fault_for_operators(error: TemporalUnavailableError, *, address: str, namespace: str) -> str:
    """Say in Spanish what is wrong and which setting to look at.

    It has no full stop.
    """
    faults = (text for kind, text in _FAULTS.items() if isinstance(error, kind))
    return next(faults).format(address=address, namespace=namespace, said=error)


def is_unknown_workflow(error: RPCError) -> bool:
    """Whether the server says that it does not know the workflow."""
    # A namespace that does not exist is a wrong setting, and says nothing about any workflow.
    return error.status is RPCStatusCode.NOT_FOUND and not _names_a_missing_namespace(error)


def _of_connecting(said: str) -> TemporalUnavailableError:
    kinds = (kind for words, kind in _SAID_OF_CONNECTING.items() if words in said)
    return next(kinds, TemporalUnavailableError)("no connection")


def _names_a_missing_namespace(error: RPCError) -> bool:
    return any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in error.grpc_status.details)
