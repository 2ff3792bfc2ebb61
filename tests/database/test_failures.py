"""Each failure of a real PostgreSQL has a short name, and never its text."""

import errno
import re
from pathlib import Path

import pytest
from asyncpg.exceptions import TooManyConnectionsError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine

from mipres.database.engine import create_engine
from mipres.database.failures import database_fault, is_not_migrated, is_of_what_was_sent, server_fault

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("statement", "name", "not_migrated"),
    [
        ("SELECT 'Ruiz' FROM nowhere", "UndefinedTableError, SQLSTATE 42P01", True),
        ("SELECT ruiz FROM accounts", "UndefinedColumnError, SQLSTATE 42703", True),
        ("SELECT 1 / 0", "DivisionByZeroError, SQLSTATE 22012", False),
        (
            "SET LOCAL transaction_read_only = on; CREATE TABLE ruiz ()",
            "ReadOnlySQLTransactionError, SQLSTATE 25006",
            False,
        ),
        ("SET LOCAL statement_timeout = 1; SELECT pg_sleep(5)", "QueryCanceledError, SQLSTATE 57014", False),
    ],
)
async def test_what_the_server_refuses_is_named_with_its_code(
    engine: AsyncEngine, statement: str, name: str, *, not_migrated: bool
) -> None:
    async with engine.begin() as connection:
        *before, last = statement.split(";")
        for part in before:
            await connection.execute(text(part))
        with pytest.raises(SQLAlchemyError) as caught:
            await connection.execute(text(last))
    assert (database_fault(caught.value), is_not_migrated(caught.value)) == (name, not_migrated)


@pytest.mark.parametrize(
    ("sent", "is_sent"), [("SELECT CAST(:sent AS text)", True), ("SELECT CAST(:sent AS date)", False)]
)
async def test_a_text_that_no_column_holds_is_of_what_was_sent(
    engine: AsyncEngine, sent: str, *, is_sent: bool
) -> None:
    async with engine.connect() as connection:
        with pytest.raises(SQLAlchemyError) as caught:
            await connection.execute(text(sent), {"sent": "a\0b"})
    assert is_of_what_was_sent(caught.value) is is_sent


async def test_a_connection_that_is_refused_is_named(unused_tcp_port: int) -> None:
    engine = create_engine(f"postgresql+asyncpg://nobody@127.0.0.1:{unused_tcp_port}/none")
    with pytest.raises(OSError) as caught:  # noqa: PT011 - its class is what the test asks.
        await engine.connect()
    assert database_fault(caught.value) == type(caught.value).__name__
    await engine.dispose()


def test_a_server_without_a_free_place_is_named() -> None:
    error = TooManyConnectionsError("sorry, too many clients already")
    assert database_fault(error) == "TooManyConnectionsError, SQLSTATE 53300"


def test_a_process_that_has_no_connection_free_is_no_server_that_is_late() -> None:
    assert database_fault(PoolTimeoutError()) == "PoolTimeoutError"
    assert database_fault(TimeoutError()) == "TimeoutError"


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (OSError(errno.EMFILE, "Too many open files"), None),
        (FileNotFoundError(errno.ENOENT, "No such file", "plantilla.html"), None),
        # A socket that is a file: asyncio names none.
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), "FileNotFoundError"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "ConnectionResetError"),
    ],
)
def test_a_fault_of_this_machine_is_none_of_the_server(error: OSError, name: str | None) -> None:
    assert server_fault(error) == name


def test_an_error_of_the_code_is_none_of_the_database() -> None:
    assert database_fault(ValueError("x")) is None


def test_what_a_failure_of_the_database_is_has_one_owner() -> None:
    sources = [
        path for part in ("api", "activities", "mipres", "workflows") for path in (ROOT / part).rglob("*.py")
    ]
    spelled_again = [
        path for path in sources if re.search(r"except \([^)]*\bSQLAlchemyError\b", path.read_text("utf-8"))
    ]
    assert spelled_again == []
