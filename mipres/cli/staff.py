"""Commands about the accounts of support."""

import sys
from typing import Annotated, NoReturn

import typer

from mipres.cli import text
from mipres.cli.arguments import As, Reason, read_actor, read_reason
from mipres.cli.documents import JsonOption, print_document
from mipres.cli.running import Tools, misused, run_with_tools, stop
from mipres.cli.spanish import Commands
from mipres.domain import sentences
from mipres.domain.passwords import normalise_password
from mipres.support.staff import (
    StaffNameError,
    StaffPasswordError,
    StaffUnknownError,
    new_password,
    require_good_password,
)

StaffName = Annotated[str, typer.Argument(help="Nombre de la cuenta de soporte, por ejemplo `ana.rojas`.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Leer la contraseña de la entrada en vez de generarla.")
]

staff = Commands(help="Cuentas de soporte para /soporte.")


@staff.command("add")
def add(name: StaffName, *, password_stdin: FromStdin = False, as_: As = None) -> None:
    """Crea una cuenta de soporte."""
    password = _choose_password(name, from_stdin=password_stdin)

    async def work(tools: Tools) -> None:
        try:
            await tools.staff.add(name, password, actor=read_actor(as_))
        except StaffNameError as error:
            stop(str(error))
        print(f"Cuenta de soporte creada: {name}")
        _show_generated(password, from_stdin=password_stdin)

    run_with_tools(work)


@staff.command("reset")
def reset(name: StaffName, *, password_stdin: FromStdin = False, as_: As = None) -> None:
    """Da otra contraseña a una cuenta, la habilita y cierra sus sesiones."""
    password = _choose_password(name, from_stdin=password_stdin)

    async def work(tools: Tools) -> None:
        try:
            await tools.staff.reset(name, password, actor=read_actor(as_))
        except StaffUnknownError:
            _stop_unknown(name)
        print(f"Contraseña nueva para {name}; sus sesiones se cerraron.")
        _show_generated(password, from_stdin=password_stdin)

    run_with_tools(work)


@staff.command("reset-factor")
def reset_factor(name: StaffName, reason: Reason, as_: As = None) -> None:
    """Quita ya el segundo factor de una cuenta y cierra sus sesiones."""
    why = read_reason(reason)

    async def work(tools: Tools) -> None:
        try:
            removed = await tools.staff.reset_factor(name, reason=why, actor=read_actor(as_))
        except StaffUnknownError:
            _stop_unknown(name)
        print("Segundo factor quitado." if removed else "La cuenta no tenía segundo factor.")
        print("Sus sesiones se cerraron.")

    run_with_tools(work)


@staff.command("disable")
def disable(name: StaffName, as_: As = None) -> None:
    """Deshabilita una cuenta y cierra sus sesiones; su rastro queda."""

    async def work(tools: Tools) -> None:
        try:
            await tools.staff.disable(name, actor=read_actor(as_))
        except StaffUnknownError:
            _stop_unknown(name)
        print(f"Cuenta deshabilitada: {name}")

    run_with_tools(work)


@staff.command("unlock")
def unlock(name: StaffName, as_: As = None) -> None:
    """Desbloquea el ingreso de una cuenta después de muchos intentos fallidos."""

    async def work(tools: Tools) -> None:
        try:
            lifted = await tools.staff.unlock(name, actor=read_actor(as_))
        except StaffUnknownError:
            _stop_unknown(name)
        print("Ingreso desbloqueado." if lifted else sentences.NEVER_LOCKED)

    run_with_tools(work)


@staff.command("list")
def list_(*, as_json: JsonOption = False) -> None:
    """Lista las cuentas de soporte."""

    async def work(tools: Tools) -> None:
        members = await tools.staff.members()
        if as_json:
            print_document({"staff": members})
            return
        if not members:
            print("No hay cuentas de soporte: cree una con `staff add`.")
        for member in members:
            print(text.staff_line(member))

    run_with_tools(work)


def _stop_unknown(name: str) -> NoReturn:
    stop(f"No hay ninguna cuenta de soporte con el nombre {name}.")


def _choose_password(name: str, *, from_stdin: bool) -> str:
    if not from_stdin:
        return new_password()
    password = normalise_password(sys.stdin.readline().rstrip("\r\n"))
    try:
        require_good_password(name, password)
    except StaffPasswordError as error:
        misused(f"{error}.")
    return password


def _show_generated(password: str, *, from_stdin: bool) -> None:
    if not from_stdin:
        print(f"Contraseña: {password}\nEntréguela en persona: {sentences.NEVER_SHOWN_AGAIN}")
