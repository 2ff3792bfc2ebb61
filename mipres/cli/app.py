"""Operators' commands, all in one list.

Exit codes: 0 done, 1 not possible, 2 misused, 3 something does not answer.
"""

import os
import sys
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from mipres.arguments import speak_in_any_locale
from mipres.cli.accounts import account, unlock
from mipres.cli.applications import applications
from mipres.cli.keys import keys
from mipres.cli.migrations import migrate
from mipres.cli.person import person
from mipres.cli.registrations import cancel, find, resend, retry, show, stuck
from mipres.cli.reviews import review
from mipres.cli.running import NOT_POSSIBLE, flush_output, of_this_machine
from mipres.cli.second_factor import second_factor
from mipres.cli.spanish import Commands, in_spanish
from mipres.cli.staff import staff
from mipres.cli.trail import audit
from mipres.version import VERSION_LINE

PROGRAM = "python -m mipres.cli"

app = Commands(add_completion=False, pretty_exceptions_enable=False)
for command in (migrate, find, show, stuck, audit, retry, resend, cancel, unlock):
    app.command()(command)
app.add_typer(account, name="account")
app.add_typer(applications, name="applications")
app.add_typer(keys, name="keys")
app.add_typer(person, name="person")
app.add_typer(review, name="review")
app.add_typer(second_factor, name="second-factor")
app.add_typer(staff, name="staff")


def _version_asked(value: bool) -> None:  # noqa: FBT001 - Typer's form.
    if value:
        print(VERSION_LINE)
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version_asked, is_eager=True, help="Muestra la versión.")
    ] = False,
) -> None:
    """Registro MIPRES: comandos de operación."""


def run() -> NoReturn:
    """Run a command and leave at once.

    The Temporal client's threads may crash a process that ends slowly.
    """
    speak_in_any_locale()
    try:
        code = _exit_code()
        flush_output()
    except BrokenPipeError:
        # The program that reads the output has read enough.
        code = NOT_POSSIBLE
    except OSError as error:
        print(of_this_machine(error), file=sys.stderr)
        code = NOT_POSSIBLE
    if sys.stderr is not None:
        sys.stderr.flush()
    os._exit(code)


def _exit_code() -> int:
    """Run a command; what it ends with."""
    try:
        ended: object = app(standalone_mode=False)
    except SystemExit as end:
        ended = end.code
    except TyperException as mistake:
        # Without any word there is no message: the help has been shown.
        if message := mistake.format_message():
            print(f"{PROGRAM}: {in_spanish(' '.join(message.split()))} (--help)", file=sys.stderr)
        ended = mistake.exit_code
    except typer.Abort:
        ended = NOT_POSSIBLE
    return ended if isinstance(ended, int) else 0
