"""Support reads the SQLSTATE in a short line, whichever activity it hits."""

import logging
import uuid
from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, fields
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from asyncpg.exceptions import (
    AdminShutdownError,
    CannotConnectNowError,
    DiskFullError,
    InFailedSQLTransactionError,
    PostgresError,
    ReadOnlySQLTransactionError,
    TooManyConnectionsError,
    UndefinedColumnError,
    UniqueViolationError,
)
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverter, PayloadConverter
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities import emails
from activities.catalog import catalog
from activities.errors import DATABASE_UNAVAILABLE, NamedFailures
from activities.reviews import DueRequest, HeldFinding
from mipres.database.failures import server_fault
from mipres.domain.outcomes import Refusal
from mipres.domain.review import Finding
from mipres.logs import json_lines
from mipres.port_set import Ports
from tests.fakes import FakeClock, FakeComposer

PERSONAL = "1020304050"
WITHOUT_A_PORT = {"retry_step"}
"""It speaks to Temporal alone."""


def of_sqlalchemy(kind: type[DBAPIError], root: PostgresError) -> DBAPIError:
    """What SQLAlchemy makes of the server's error; a thousand parameters stand in it."""
    adapted = Exception(str(root))
    adapted.__cause__ = root
    error = kind(f"INSERT INTO accounts VALUES ('{PERSONAL}')", {"login": [PERSONAL] * 1000}, adapted)
    error.__cause__ = adapted
    return error


OUTAGES = (
    (of_sqlalchemy(OperationalError, CannotConnectNowError("starting up")), "SQLSTATE 57P03"),
    (of_sqlalchemy(OperationalError, AdminShutdownError("terminating connection")), "SQLSTATE 57P01"),
    (of_sqlalchemy(OperationalError, DiskFullError("no space")), "SQLSTATE 53100"),
    (of_sqlalchemy(ProgrammingError, UndefinedColumnError(f"column {PERSONAL}")), "SQLSTATE 42703"),
    (of_sqlalchemy(IntegrityError, UniqueViolationError(f"Key (login)=({PERSONAL})")), "SQLSTATE 23505"),
    (of_sqlalchemy(InternalError, InFailedSQLTransactionError("aborted")), "SQLSTATE 25P02"),
    (of_sqlalchemy(DBAPIError, ReadOnlySQLTransactionError("read-only")), "SQLSTATE 25006"),
    (InterfaceError(f"SELECT {PERSONAL}", {}, Exception("connection is closed")), "InterfaceError"),
    (TooManyConnectionsError("sorry, too many clients already"), "SQLSTATE 53300"),
    (PoolTimeoutError("QueuePool limit of size 10 overflow 0 reached"), "PoolTimeoutError"),
    (ConnectionRefusedError(111, "Connection refused"), "ConnectionRefusedError"),
)


class Away:
    """Any port: whatever it is asked, the database fails it."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, _name: str) -> Callable[..., Any]:
        async def fail(*_arguments: object, **_named: object) -> None:
            raise self._error

        return fail


def ports_failing_with(error: Exception) -> Ports:
    away: dict[str, Any] = {port.name: Away(error) for port in fields(Ports) if not has_default(port)}
    away |= {"clock": FakeClock(), "composer": FakeComposer(), "support_address": "soporte@registro.example"}
    return Ports(**away)


def has_default(port: Field[Any]) -> bool:
    return (port.default, port.default_factory) != (MISSING, MISSING)


def given(name: str, taken: Iterable[str]) -> list[Any]:
    """Something of the kind that the activity takes; most of them hand it on as it is."""
    if "refusal" in name or "wait_ended" in name:
        return [MagicMock(refusal=Refusal.NOT_IN_SSO, submission=None, may_wait=False)]
    if name == "find_due_profiles":
        return [DueRequest(limit=10)]
    if name == "close_profiles":
        return [[HeldFinding(profile_id=uuid.uuid4(), finding=Finding())]]
    return [MagicMock() for _ in taken]


class Calling(ActivityInboundInterceptor):
    """What is last in line: the activity itself."""

    def __init__(self) -> None:
        """Have nothing behind it."""

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name.
        return await input.fn(*input.args)


async def failure_of(function: Callable[..., Any]) -> Exception:
    interceptor = NamedFailures(database_fault=server_fault).intercept_activity(Calling())
    takes = [name for name in function.__annotations__ if name != "return"]
    work = ExecuteActivityInput(fn=function, args=given(function.__name__, takes), executor=None, headers={})
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is what the test asks.
        await ActivityEnvironment().run(interceptor.execute_activity, work)
    return caught.value


def stored(error: Exception) -> Failure:
    failure = Failure()
    DefaultFailureConverter().to_failure(error, PayloadConverter.default, failure)
    return failure


def logged(error: Exception) -> str:
    """The SDK's own line about an activity that failed."""
    record = logging.LogRecord(
        "temporalio.activity",
        logging.WARNING,
        __file__,
        1,
        "Completing activity as failed",
        args=(),
        exc_info=(type(error), error, error.__traceback__),
    )
    return json_lines().format(record)


NAMES = sorted({one.__name__ for one in catalog(ports_failing_with(KeyError())).all()} - WITHOUT_A_PORT)


@pytest.mark.parametrize("name", NAMES)
async def test_any_fault_of_the_database_is_short_and_named(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It asks Temporal before it mails.
    monkeypatch.setattr(emails, "require_undecided", AsyncMock())
    for error, named in OUTAGES:
        [function] = [one for one in catalog(ports_failing_with(error)).all() if one.__name__ == name]
        told = await failure_of(function)
        assert isinstance(told, ApplicationError)
        assert (told.type, told.non_retryable, named in told.message) == (
            DATABASE_UNAVAILABLE,
            False,
            True,
        ), told
        kept, line = stored(told), logged(told)
        assert kept.ByteSize() < 2000
        assert PERSONAL not in f"{kept}{line}"
        assert "traceback" not in line.lower()
