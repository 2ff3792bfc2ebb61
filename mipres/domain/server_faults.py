"""How staff read the fault of our own servers, with its name in brackets."""

import re
import ssl
from typing import Final

TLS_FAILED: Final = "no se pudo cifrar la conexión (TLS)"

_SMTP_STEPS: Final = {
    "connect": "no admitió la conexión",
    "EHLO": "no admitió el saludo",
    "STARTTLS": "no admitió el cifrado",
    "AUTH": "no admitió la cuenta con la que se envía",
    "MAIL": "no admitió el remitente",
    "RCPT": "no admitió el destinatario",
    "DATA": "no admitió el contenido",
    "final dot": "no admitió el mensaje completo",
}
_REPLY: Final = re.compile(rf"({'|'.join(_SMTP_STEPS)}): \d{{3}}( [\d.]+)?", re.ASCII)
_ADDRESSES: Final = {
    "malformed address": "no tiene la forma de una dirección",
    "the server takes no such address": "no admite letras como la ñ antes de la arroba",
}
# The longest beginning of an SQLSTATE decides (PostgreSQL's documentation, appendix A).
_SQLSTATES: Final = {
    "08": "se perdió la conexión",
    "23": "los datos contradicen una regla de la base",
    "25006": "solo admite lecturas",
    "28": "no admitió la cuenta con la que se conecta",
    "3D": "no tiene esa base",
    "3F": "le falta un esquema: está sin migrar",
    "40": "dos operaciones se estorbaron",
    # Tables, columns, functions, schemas and other things that are there twice.
    **dict.fromkeys(
        ("42P07", "42701", "42723", "42P06", "42710", "42P04"),
        "ya tiene lo que se quería crear: alguien cambió su esquema sin las migraciones",
    ),
    "42501": "la cuenta con la que se conecta no tiene permiso",
    "42": "no conoce lo que se le pide: está sin migrar, o es otra versión",
    "53300": "ya no le quedan conexiones",
    "53": "ya no le queda espacio o memoria",
    "55": "otra operación tenía ocupado lo que se le pidió",
    "57014": "la operación tardó demasiado y se canceló",
    "57": "se está apagando o iniciando",
    "58": "no pudo leer o escribir en su disco",
}
_OF_ONE_CLASS: Final = {
    "PoolTimeoutError": "este proceso tenía ocupadas todas sus conexiones",
    # The driver's own plain class: what answers to the wish for TLS is no yes, and may be no PostgreSQL at all.
    "ConnectionError": f"{TLS_FAILED}, o atiende allí otro programa",
}
_NO_CONNECTION: Final = "no se pudo conectar"
# The last two are about a socket that is a file.
_OF_CONNECTING: Final = {"gaierror", "OSError", "OperationalError", "FileNotFoundError", "PermissionError"}


def class_of(error: BaseException) -> str:
    """The class of an error of a connection.

    Where TLS failed it is that of TLS's own error, which the libraries hide behind one of connecting.
    """
    inner: BaseException | None = error
    while inner is not None and not isinstance(inner, ssl.SSLError):
        inner = inner.__cause__ or inner.__context__
    return type(inner or error).__name__


def mail_fault_for_staff(cause: str) -> str:
    """Say in Spanish what `MailNotAcceptedError` says.

    It is a step with its codes, or the class of an error.
    """
    step, is_reply, _ = cause.partition(": ")
    words = _SMTP_STEPS.get(step, "no admitió un paso") if is_reply else _of_class(cause)
    return f"{words} ({cause})"


def address_fault_for_staff(cause: str) -> str:
    """Say in Spanish what `MailAddressRejectedError` says.

    It is a step with its codes, or what is wrong with the address. Nothing else is repeated: it could hold it.
    """
    if _REPLY.fullmatch(cause):
        return mail_fault_for_staff(cause)
    return _ADDRESSES.get(cause, "no dijo por qué")


def database_fault_for_staff(fault: str) -> str:
    """Say in Spanish what `database_fault` names.

    It is a class and, from the server, its SQLSTATE.
    """
    name, is_server, state = fault.partition(", SQLSTATE ")
    words = _of_state(state) if is_server else _of_class(name)
    return f"{words} ({fault})"


def _of_state(state: str) -> str:
    begins = [start for start in _SQLSTATES if state.startswith(start)]
    return _SQLSTATES[max(begins, key=len)] if begins else "no pudo hacerlo"


def _of_class(name: str) -> str:
    if name in _OF_ONE_CLASS:
        return _OF_ONE_CLASS[name]
    if "SSL" in name:
        return TLS_FAILED
    if "Timeout" in name:
        return "no respondió a tiempo"
    if "Disconnected" in name or name in {"ConnectionResetError", "BrokenPipeError", "InterfaceError"}:
        return "se cortó la conexión"
    if "Connect" in name or name in _OF_CONNECTING:
        return _NO_CONNECTION
    return "dio una respuesta que no se entiende"
