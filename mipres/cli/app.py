"""Operators' commands, all in one list.

Exit codes: 0 done, 1 not possible, 2 misused, 3 something does not answer.
"""

import os
import sys
from typing import Annotated, NoReturn

import typer

from mipres.cli.accounts import account, unlock
from mipres.cli.applications import applications
from mipres.cli.keys import keys
from mipres.cli.migrations import migrate
from mipres.cli.person import person
from mipres.cli.registrations import cancel, find, resend, retry, show, stuck
from mipres.cli.reviews import review
from mipres.cli.second_factor import second_factor
from mipres.cli.staff import staff
from mipres.cli.trail import audit
from mipres.version import VERSION_LINE

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
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
    code = 0
    try:
        app()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
