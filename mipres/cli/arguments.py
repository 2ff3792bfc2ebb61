"""What the commands take, and how each option and argument is read.

A wrong one ends the command with code 2.
"""

import re
from datetime import timedelta
from typing import Annotated

import typer

from mipres.cli.running import misused, operating_system_user
from mipres.domain.audit import ReasonRefusedError, checked_reason, operator
from mipres.domain.documents import Document, parse_document
from mipres.domain.documents import read_login as document_of
from mipres.domain.radicado import is_radicado
from mipres.domain.radicado import read_reference as reference_in
from mipres.domain.stages import WaitingOn
from mipres.support.joins import ProofRefusedError, checked_proof

Radicado = Annotated[str, typer.Argument(help="Número de radicado: RM- y doce símbolos.")]
Login = Annotated[str, typer.Argument(help="Usuario, por ejemplo CC1020304050.")]
DocumentType = Annotated[str, typer.Argument(metavar="TIPO", help="Tipo de documento, por ejemplo CC.")]
DocumentNumber = Annotated[str, typer.Argument(metavar="NUMERO", help="Número de documento.")]
Reason = Annotated[
    str,
    typer.Option(
        "--reason", help="Motivo, de al menos 10 caracteres; queda en la auditoría.", show_default=False
    ),
]
As = Annotated[
    str | None,
    typer.Option("--as", help="Quién actúa, si no es la cuenta del sistema operativo.", show_default=False),
]
WaitingOnOption = Annotated[
    str | None,
    typer.Option("--waiting-on", help=f"Solo los que esperan a uno: {', '.join(WaitingOn)}."),
]


def read_actor(as_: str | None) -> str:
    """The operator whom the trail names."""
    account = operating_system_user()
    if as_ is None:
        return operator(account)
    if not re.fullmatch(r"[\w.-]{2,40}", as_):
        misused("--as: use de 2 a 40 letras, dígitos, punto o guion.")
    return operator(as_, account=account)


def read_reason(text: str) -> str:
    try:
        return checked_reason(text)
    except ReasonRefusedError as error:
        misused(f"--reason: {error}.")


def read_login(text: str) -> str:
    """The login that was typed; what is no document's stays as it is, and no account has it."""
    document = document_of(text)
    return document.login if document else re.sub(r"[^A-Z0-9]", "", text.upper())


def read_document(type_code: str, number: str) -> Document:
    try:
        return parse_document(type_code.upper(), number)
    except KeyError:
        misused(f"{type_code}: no es un tipo de documento; use CC, CE, CD, PA, PE, PT o SC.")
    except ValueError as error:
        misused(f"{error}.")


def read_proof(text: str) -> str:
    try:
        return checked_proof(text)
    except ProofRefusedError as error:
        misused(f"--proof: {error}.")


def read_radicado(text: str) -> str:
    radicado = reference_in(text)
    if radicado is None or not is_radicado(radicado):
        misused(f"{text}: no es un radicado; son RM- y doce letras o dígitos, como RM-9TK0WVFK6AQB.")
    return radicado


def read_reference(text: str) -> str:
    """A radicado, or the reference of a recovery."""
    return reference_in(text) or read_radicado(text)


def read_waiting_on(name: str | None) -> WaitingOn | None:
    if name is None:
        return None
    if name not in set(WaitingOn):
        misused(f"--waiting-on: use uno de {', '.join(WaitingOn)}.")
    return WaitingOn(name)


def read_duration(text: str) -> timedelta:
    match = re.fullmatch(r"(\d{1,4})([sm]?)", text)
    if not match:
        misused("--jitter: use segundos o minutos, como 60s o 5m.")
    return timedelta(**{"minutes" if match[2] == "m" else "seconds": int(match[1])})
