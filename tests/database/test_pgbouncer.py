"""PgBouncer in transaction mode, which docs/decisions/0049 rules out."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from dev.probes import LOOPBACK, free_port
from dev.process import SILENT, Part, supervisor_of
from mipres.database.engine import create_engine
from tests.deployment.programs import program


async def test_the_product_behind_it_says_at_once_that_it_cannot_work(
    database_url: str, open_directory: Path
) -> None:
    server, port = urlsplit(database_url), free_port()
    users, configuration = open_directory / "pgbouncer.txt", open_directory / "pgbouncer.ini"
    users.write_text(f'"{server.username}" "{server.password}"\n', encoding="utf-8")
    configuration.write_text(
        f"[databases]\n* = host={LOOPBACK} port={server.port}\n"
        f"[pgbouncer]\nlisten_addr = {LOOPBACK}\nlisten_port = {port}\npool_mode = transaction\n"
        f"auth_type = plain\nauth_file = {users}\nunix_socket_dir =\n",
        encoding="utf-8",
    )
    # It refuses to run as root.
    account = ("-u", "nobody") if os.geteuid() == 0 else ()
    bouncer = Part(
        name="pgbouncer",
        command=(program("pgbouncer"), *account, str(configuration)),
        ready_line="process up",
    )
    async with supervisor_of(SILENT) as supervisor:
        await supervisor.start(bouncer)
        engine = create_engine(database_url.replace(f":{server.port}/", f":{port}/"))
        try:
            with pytest.raises(DBAPIError, match="unsupported startup parameter: statement_timeout"):
                async with engine.connect() as connection:
                    await connection.execute(select(1))
        finally:
            await engine.dispose()
