"""Operators' commands: `python -m mipres.cli …`."""

import asyncio

import typer

from mipres.adapters.database import migrate as migrate_database
from mipres.settings import load_settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Registro MIPRES: comandos de operación."""


@app.command()
def migrate() -> None:
    """Lleva el esquema de la base de datos a la última versión."""
    asyncio.run(migrate_database(load_settings().database_url.get_secret_value()))


if __name__ == "__main__":
    app()
