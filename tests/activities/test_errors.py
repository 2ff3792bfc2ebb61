from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.errors import account_missing, translated
from mipres.domain.errors import (
    LinkNotUsableError,
    MailAddressRejectedError,
    MailNotAcceptedError,
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
    assert "rethus" in message
    assert "HTTP status 503" in message
    assert "avise" in message


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
