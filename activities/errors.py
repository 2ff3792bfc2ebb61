"""Domain errors become Temporal failures here and nowhere else."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities import metrics
from mipres.domain.errors import MailAddressRejectedError, MailNotAcceptedError, RegistryUnavailableError

REGISTRY_UNAVAILABLE = "RegistryUnavailable"
MAIL_NOT_ACCEPTED = "MailNotAccepted"
MAIL_ADDRESS_REJECTED = "MailAddressRejected"
ACCOUNT_MISSING = "AccountMissing"


@contextmanager
def translated() -> Iterator[None]:
    """Raise domain errors as ApplicationErrors whose type and message tell support the cause and the remedy.

    Outages are expected, so they are benign: they do not raise alarms of the SDK's own.
    """
    try:
        yield
    except RegistryUnavailableError as error:
        metrics.registry_failed(error.registry)
        wait = error.retry_after_seconds
        raise ApplicationError(
            f"El registro {error.registry} no respondió bien ({error.cause}). Se reintenta solo; si dura, avise a quien opera {error.registry}.",
            type=REGISTRY_UNAVAILABLE,
            category=ApplicationErrorCategory.BENIGN,
            next_retry_delay=timedelta(seconds=wait) if wait else None,
        ) from None
    except MailNotAcceptedError as error:
        metrics.mail_failed("not_accepted")
        raise ApplicationError(
            f"El servidor de correo no aceptó el mensaje ({error}). Se reintenta solo; si dura, revise el servidor de correo.",
            type=MAIL_NOT_ACCEPTED,
            category=ApplicationErrorCategory.BENIGN,
        ) from None
    except MailAddressRejectedError:
        metrics.mail_failed("address_rejected")
        raise ApplicationError(
            "El servidor de correo rechaza la dirección que figura en miseguridadsocial. La persona debe corregirla allí; después, cancele este registro y que se registre de nuevo.",
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
