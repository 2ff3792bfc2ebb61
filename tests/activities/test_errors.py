import errno
from datetime import timedelta
from typing import Any

import pytest
from asyncpg.exceptions import CannotConnectNowError, TooManyConnectionsError
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.errors import NamedFailures, account_missing, translated
from mipres.database.failures import server_fault
from mipres.domain.errors import (
    LinkNotUsableError,
    MailAddressRejectedError,
    MailNotAcceptedError,
    MailProbablyDeliveredError,
    MipresError,
    RegistryUnavailableError,
)


def translation_of(error: Exception) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught, translated():
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("error", "error_type", "is_final"),
    [
        (RegistryUnavailableError("rethus", "HTTP status 503"), "RegistryUnavailable", False),
        (MailNotAcceptedError("SMTPConnectError"), "MailNotAccepted", False),
        (MailAddressRejectedError("refused"), "MailAddressRejected", True),
    ],
)
def test_a_domain_error_has_its_type_and_is_final_or_not(
    error: MipresError,
    error_type: str,
    is_final: bool,  # noqa: FBT001
) -> None:
    translation = translation_of(error)
    assert (translation.type, translation.non_retryable) == (error_type, is_final)


@pytest.mark.parametrize(
    "error", [RegistryUnavailableError("sso", "ReadTimeout"), MailNotAcceptedError("SMTPConnectError")]
)
def test_an_outage_raises_no_alarm_of_the_sdks_own(error: MipresError) -> None:
    assert translation_of(error).category is ApplicationErrorCategory.BENIGN


def test_support_reads_which_registry_failed_how_and_what_to_do() -> None:
    message = translation_of(RegistryUnavailableError("rethus", "HTTP status 503")).message
    assert "avise a quien opera ReTHUS" in message
    assert "código HTTP 503" in message


def test_support_reads_with_which_code_an_address_was_refused() -> None:
    message = translation_of(MailAddressRejectedError("RCPT: 550 5.1.1")).message
    assert (
        "rechaza la dirección que figura en miseguridadsocial: no admitió el destinatario (RCPT: 550 5.1.1)."
        in message
    )


def test_support_reads_in_spanish_what_the_mail_server_did() -> None:
    message = translation_of(MailNotAcceptedError("SMTPConnectError")).message
    assert "no aceptó el mensaje: no se pudo conectar (SMTPConnectError)." in message


async def test_support_reads_in_spanish_what_the_database_did() -> None:
    message = str(await failure_of(TooManyConnectionsError("sorry, too many clients already")))
    assert "pidió: ya no le quedan conexiones (TooManyConnectionsError, SQLSTATE 53300)." in message


@pytest.mark.parametrize(("asked", "delay"), [(7.0, timedelta(seconds=7)), (0.0, None), (None, None)])
def test_the_wait_that_a_registry_asks_for_is_the_next_retry(
    asked: float | None, delay: timedelta | None
) -> None:
    error = RegistryUnavailableError("rethus", "HTTP status 503", retry_after_seconds=asked)
    assert translation_of(error).next_retry_delay == delay


@pytest.mark.parametrize(
    "error",
    [
        RegistryUnavailableError("sso", "ReadTimeout"),
        MailNotAcceptedError("later"),
        MailAddressRejectedError("ana.ruiz@ejemplo.test"),
    ],
)
def test_what_lies_under_a_translation_does_not_enter_the_history(error: MipresError) -> None:
    translation = translation_of(error)
    assert translation.__cause__ is None
    assert translation.__suppress_context__
    assert "ejemplo" not in translation.message


@pytest.mark.parametrize("error", [ValueError("ours"), OSError("away"), LinkNotUsableError()])
def test_every_other_error_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, translated():
        raise error
    assert caught.value is error


def test_a_missing_account_is_final() -> None:
    error = account_missing()
    assert (error.type, error.non_retryable) == ("AccountMissing", True)


class FailingActivity(ActivityInboundInterceptor):
    """What is next in line: an activity that fails in the given way."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name.
        raise self._error


async def failure_of(error: Exception) -> Exception:
    interceptor = NamedFailures(database_fault=server_fault).intercept_activity(FailingActivity(error))
    work = ExecuteActivityInput(fn=print, args=(), executor=None, headers={})
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is what the test asks.
        await interceptor.execute_activity(work)
    return caught.value


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("127.0.0.1:5432"),
        CannotConnectNowError("the database system is starting up"),
        OperationalError("SELECT 1", {"document": "1020304050"}, Exception("closed")),
        PoolTimeoutError(),
        ProgrammingError("SELECT 1020304050", {}, Exception("typo")),
        TooManyConnectionsError("sorry, too many clients already"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_outage_of_the_database_has_a_type_a_cause_and_a_remedy(error: Exception) -> None:
    told = await failure_of(error)
    assert isinstance(told, ApplicationError)
    assert (told.type, told.non_retryable) == ("DatabaseUnavailable", False)
    assert told.category is ApplicationErrorCategory.BENIGN
    assert type(error).__name__ in told.message
    assert "revise PostgreSQL" in told.message
    assert "1020304050" not in told.message
    assert told.__suppress_context__


@pytest.mark.parametrize("error", [ValueError("1020304050" * 10_000), KeyError("1020304050")])
async def test_what_nobody_foresaw_is_told_by_class_and_place_and_never_by_its_text(error: Exception) -> None:
    told = await failure_of(error)
    assert isinstance(told, ApplicationError)
    assert (told.type, told.non_retryable) == ("Unforeseen", False)
    assert f"{type(error).__name__} en test_errors.py:" in told.message
    assert "1020304050" not in told.message
    assert len(told.message) < 300
    assert told.__suppress_context__


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (
            FileNotFoundError(errno.ENOENT, "No such file", "/app/plantilla.html"),
            "FileNotFoundError ENOENT en",
        ),
        (OSError(errno.EMFILE, "Too many open files"), "OSError EMFILE en"),
        (OSError(errno.ENOSPC, "No space left on device"), "OSError ENOSPC en"),
    ],
)
async def test_a_fault_of_the_workers_own_machine_is_none_of_the_database(error: OSError, named: str) -> None:
    told = await failure_of(error)
    assert isinstance(told, ApplicationError)
    assert (told.type, named in told.message) == ("Unforeseen", True), told.message


async def test_a_failure_that_is_translated_already_stays_as_it_is() -> None:
    error = account_missing()
    assert await failure_of(error) is error


def test_a_probable_delivery_is_tried_again_hours_later() -> None:
    told = translation_of(MailProbablyDeliveredError("SMTPReadTimeoutError"))
    assert (told.type, told.non_retryable) == ("MailProbablyDelivered", False)
    assert told.next_retry_delay is not None
    assert told.next_retry_delay >= timedelta(hours=1)
    assert "SMTPReadTimeoutError" in told.message
