import pytest

from mipres.domain.server_faults import (
    address_fault_for_staff,
    database_fault_for_staff,
    mail_fault_for_staff,
)
from mipres.mail.replies import Refusal, Step


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("SMTPConnectError", "no se pudo conectar"),
        ("SMTPReadTimeoutError", "no respondió a tiempo"),
        ("SMTPServerDisconnected", "se cortó la conexión"),
        ("gaierror", "no se pudo conectar"),
        ("AUTH: 535 5.7.8", "no admitió la cuenta con la que se envía"),
        ("RCPT: 451 4.3.0", "no admitió el destinatario"),
        ("SMTPException", "dio una respuesta que no se entiende"),
    ],
)
def test_staff_reads_in_spanish_what_the_mail_server_did(cause: str, words: str) -> None:
    assert mail_fault_for_staff(cause) == f"{words} ({cause})"


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("RCPT: 550 5.1.1", "no admitió el destinatario (RCPT: 550 5.1.1)"),
        ("final dot: 550", "no admitió el mensaje completo (final dot: 550)"),
        ("malformed address", "no tiene la forma de una dirección"),
        ("the server takes no such address", "no admite letras como la ñ antes de la arroba"),
        ("RCPT: 550 ana@ejemplo.test", "no dijo por qué"),
        ("ana@ejemplo.test", "no dijo por qué"),
    ],
)
def test_staff_reads_why_an_address_was_refused_and_never_the_address(cause: str, words: str) -> None:
    assert address_fault_for_staff(cause) == words


@pytest.mark.parametrize("step", Step)
def test_no_step_of_a_delivery_lacks_its_words(step: Step) -> None:
    words = mail_fault_for_staff(str(Refusal(step=step, code=451, text="4.3.0 later")))
    assert words.startswith("no admitió ")
    assert "un paso" not in words


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("ConnectionRefusedError", "no se pudo conectar"),
        ("TimeoutError", "no respondió a tiempo"),
        ("InterfaceError", "se cortó la conexión"),
        ("PoolTimeoutError", "este proceso tenía ocupadas todas sus conexiones"),
        ("SSLCertVerificationError", "no se pudo cifrar la conexión (TLS)"),
        ("ConnectionError", "no se pudo cifrar la conexión (TLS), o atiende allí otro programa"),
        *(
            (
                f"DuplicateError, SQLSTATE {state}",
                "ya tiene lo que se quería crear: alguien cambió su esquema sin las migraciones",
            )
            for state in ("42P07", "42701", "42723", "42710")
        ),
        ("FileNotFoundError", "no se pudo conectar"),
        ("InvalidPasswordError, SQLSTATE 28P01", "no admitió la cuenta con la que se conecta"),
        ("TooManyConnectionsError, SQLSTATE 53300", "ya no le quedan conexiones"),
        ("DiskFullError, SQLSTATE 53100", "ya no le queda espacio o memoria"),
        ("QueryCanceledError, SQLSTATE 57014", "la operación tardó demasiado y se canceló"),
        ("AdminShutdownError, SQLSTATE 57P01", "se está apagando o iniciando"),
        (
            "UndefinedTableError, SQLSTATE 42P01",
            "no conoce lo que se le pide: está sin migrar, o es otra versión",
        ),
        ("PostgresError, SQLSTATE XX000", "no pudo hacerlo"),
    ],
)
def test_staff_reads_in_spanish_what_the_database_did(fault: str, words: str) -> None:
    assert database_fault_for_staff(fault) == f"{words} ({fault})"
