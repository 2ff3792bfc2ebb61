"""Domain errors become Temporal failures here and nowhere else."""

import errno
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory, FailureError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities import metrics
from mipres.domain.errors import (
    MailAddressRejectedError,
    MailBeingSentError,
    MailNotAcceptedError,
    MailProbablyDeliveredError,
    RegistryUnavailableError,
)
from mipres.domain.mail import HANDED_OVER_LIFETIME
from mipres.domain.registry_faults import fault_for_staff
from mipres.domain.server_faults import (
    address_fault_for_staff,
    database_fault_for_staff,
    mail_fault_for_staff,
)
from mipres.domain.stages import WAITING_FOR_STAFF, WaitingOn
from mipres.logs import origin_of

REGISTRY_UNAVAILABLE = "RegistryUnavailable"
MAIL_NOT_ACCEPTED = "MailNotAccepted"
MAIL_PROBABLY_DELIVERED = "MailProbablyDelivered"
MAIL_BEING_SENT = "MailBeingSent"
MAIL_ADDRESS_REJECTED = "MailAddressRejected"
DATABASE_UNAVAILABLE = "DatabaseUnavailable"
UNFORESEEN = "Unforeseen"
ACCOUNT_MISSING = "AccountMissing"
LOGOUT_NOT_TAKEN = "LogoutNotTaken"

# A second copy confuses the person: by then the first one has arrived, or never will.
_AFTER_A_PROBABLE_DELIVERY = HANDED_OVER_LIFETIME

_OF_THE_PERSON = (
    "que figura en miseguridadsocial",
    "La persona debe corregirla allí; después, reenvíe el enlace: se consulta otra vez.",
)
_OF_SUPPORT = ("de soporte", "Corrija MIPRES_SUPPORT_EMAIL.")


@contextmanager
def translated(*, is_for_support: bool = False) -> Iterator[None]:
    """Raise domain errors as ApplicationErrors that name the cause and the remedy.

    Outages are expected, so they are benign: they do not raise alarms of the SDK's own.

    Args:
        is_for_support: Whether a mail goes to support, whose address stands in no registry.
    """
    try:
        yield
    except RegistryUnavailableError as error:
        metrics.registry_failed(error.registry)
        wait, name = error.retry_after_seconds, WAITING_FOR_STAFF[WaitingOn(error.registry)]
        raise ApplicationError(
            f"El registro {name} no respondió bien ({fault_for_staff(error.cause)}). Se reintenta solo; si dura, avise a quien opera {name}.",
            type=REGISTRY_UNAVAILABLE,
            category=ApplicationErrorCategory.BENIGN,
            next_retry_delay=timedelta(seconds=wait) if wait else None,
        ) from None
    except MailProbablyDeliveredError as error:
        metrics.mail_failed(metrics.MailFailure.PROBABLY_DELIVERED)
        raise ApplicationError(
            f"El servidor de correo recibió el mensaje y {mail_fault_for_staff(str(error))}, sin confirmarlo: es probable que haya llegado. Se reintenta en unas horas con el mismo Message-ID; revise el servidor de correo.",
            type=MAIL_PROBABLY_DELIVERED,
            category=ApplicationErrorCategory.BENIGN,
            next_retry_delay=_AFTER_A_PROBABLE_DELIVERY,
        ) from None
    except MailNotAcceptedError as error:
        metrics.mail_failed(metrics.MailFailure.NOT_ACCEPTED)
        raise ApplicationError(
            f"El servidor de correo no aceptó el mensaje: {mail_fault_for_staff(str(error))}. Se reintenta solo; si dura, revise el servidor de correo.",
            type=MAIL_NOT_ACCEPTED,
            category=ApplicationErrorCategory.BENIGN,
        ) from None
    except MailBeingSentError:
        raise ApplicationError(
            "Otro intento está enviando este mismo correo. Se comprueba solo.",
            type=MAIL_BEING_SENT,
            category=ApplicationErrorCategory.BENIGN,
        ) from None
    except MailAddressRejectedError as error:
        metrics.mail_failed(metrics.MailFailure.ADDRESS_REJECTED)
        whose, remedy = _OF_SUPPORT if is_for_support else _OF_THE_PERSON
        raise ApplicationError(
            f"El servidor de correo rechaza la dirección {whose}: {address_fault_for_staff(str(error))}. {remedy}",
            type=MAIL_ADDRESS_REJECTED,
            non_retryable=True,
        ) from None


def account_missing() -> ApplicationError:
    """The account of a registration is gone: nothing that a retry could mend."""
    return ApplicationError(
        "La cuenta de este registro ya no existe. No hay nada que reintentar.",
        type=ACCOUNT_MISSING,
        non_retryable=True,
    )


def logout_not_taken(clients: Iterable[str]) -> ApplicationError:
    """Applications that could not be notified of a logout now."""
    return ApplicationError(
        f"No se pudo avisar la salida de personas a: {', '.join(sorted(clients))}. Se reintenta solo durante un día; si dura, avise a quien opera esa aplicación.",
        type=LOGOUT_NOT_TAKEN,
        category=ApplicationErrorCategory.BENIGN,
    )


class NamedFailures(Interceptor):
    """Names what no activity translates, so that support sees what broke.

    Args:
        database_fault: What a failure of the database is called; None for any other.
    """

    def __init__(self, *, database_fault: Callable[[Exception], str | None]) -> None:
        self._database_fault = database_fault

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name.
        return _NamingFailures(next, self._database_fault)


class _NamingFailures(ActivityInboundInterceptor):
    def __init__(
        self, inner: ActivityInboundInterceptor, database_fault: Callable[[Exception], str | None]
    ) -> None:
        super().__init__(inner)
        self._database_fault = database_fault

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name.
        try:
            return await self.next.execute_activity(input)
        except FailureError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, support sees it.
            fault = self._database_fault(error)
            raise (_of_database(fault) if fault else _unforeseen(error)) from None


def _of_database(fault: str) -> ApplicationError:
    metrics.database_failed()
    return ApplicationError(
        f"La base de datos de cuentas no hizo lo que se le pidió: {database_fault_for_staff(fault)}. Se reintenta solo; si dura, revise PostgreSQL, que esté migrada, y `/health/dependencies` de la API.",
        type=DATABASE_UNAVAILABLE,
        category=ApplicationErrorCategory.BENIGN,
    )


def _unforeseen(error: Exception) -> ApplicationError:
    # Its own text may be of any length, and may hold a person's data.
    code = f" {errno.errorcode.get(error.errno)}" if isinstance(error, OSError) and error.errno else ""
    return ApplicationError(
        f"Falló algo imprevisto: {type(error).__name__}{code} en {origin_of(error)}. Se reintenta solo; avise a quien desarrolla.",
        type=UNFORESEEN,
    )
