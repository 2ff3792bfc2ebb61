"""The command that brings the database's schema up to date."""

import asyncio

from mipres.database.engine import migrate as migrate_database
from mipres.settings import load_settings


def migrate() -> None:
    """Lleva el esquema de la base de datos a la última versión."""
    asyncio.run(migrate_database(load_settings().database_url.get_secret_value()))
