"""The command that brings the database's schema up to date."""

import asyncio
import sys

from mipres.cli.running import faults_named
from mipres.database.engine import migrate as migrate_database
from mipres.settings.loading import load_settings


def migrate() -> None:
    """Lleva el esquema de la base de datos a la última versión."""
    url = load_settings().database_url.get_secret_value()
    with faults_named():
        newer = asyncio.run(migrate_database(url))
    if newer is not None:
        print(
            f"Advertencia: el esquema está en la revisión {newer}, de una versión más nueva que esta. "
            "Las migraciones solo amplían, así que sirve y no hay nada que hacer.",
            file=sys.stderr,
        )
