"""How a failure of the database shows, and what it is called."""

import errno
from typing import Final

from asyncpg.exceptions import InterfaceError, PostgresError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

# While a connection is made, asyncpg and the system speak for themselves; afterwards SQLAlchemy does.
DATABASE_ERRORS: Final[tuple[type[Exception], ...]] = (
    OSError,
    PostgresError,
    InterfaceError,
    SQLAlchemyError,
)
_NOT_MIGRATED: Final = {"42P01", "42703", "42883", "3F000"}
"""An unknown table, column, function or schema."""
_NO_TEXT: Final = {"22021", "22P05"}
"""A text with a character that PostgreSQL holds in no column, such as a NUL."""
_LIMITS: Final = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE}
"""Errors of the system that can have no file's name and still are no connection's."""


def database_fault(error: Exception) -> str | None:
    """The error's class and PostgreSQL's code, where the server gave one.

    Its text may repeat a row, so it stays out. None for an error that is none of the database's.
    """
    if not isinstance(error, DATABASE_ERRORS):
        return None
    root = _of_server(error)
    if root:
        return f"{type(root).__name__}, SQLSTATE {root.sqlstate}"
    # The server answers: it is this process that has no connection free.
    return "PoolTimeoutError" if isinstance(error, PoolTimeoutError) else type(error).__name__


def server_fault(error: Exception) -> str | None:
    """The same where a file or a limit of this machine may fail too: None for those."""
    return None if is_of_this_machine(error) else database_fault(error)


def is_of_this_machine(error: Exception) -> bool:
    """Whether a file or a limit of this machine failed, and no connection."""
    return isinstance(error, OSError) and (error.filename is not None or error.errno in _LIMITS)


def machine_fault(error: Exception) -> str | None:
    """The error's class and the system's name of what failed on this machine.

    No file's name.
    """
    if not isinstance(error, OSError) or not is_of_this_machine(error):
        return None
    return f"{type(error).__name__} {errno.errorcode.get(error.errno or 0, '')}".strip()


def is_not_migrated(error: Exception) -> bool:
    """Whether the schema lacks what this code asks for."""
    return _sqlstate(error) in _NOT_MIGRATED


def is_of_what_was_sent(error: Exception) -> bool:
    """Whether a text of the request is none that can be stored."""
    return _sqlstate(error) in _NO_TEXT


def _sqlstate(error: Exception) -> str | None:
    root = _of_server(error)
    return root.sqlstate if root else None


def _of_server(error: BaseException | None) -> PostgresError | None:
    """The server's own error, below those that SQLAlchemy puts around it."""
    while error is not None and not isinstance(error, PostgresError):
        error = getattr(error, "orig", None) or error.__cause__
    return error
