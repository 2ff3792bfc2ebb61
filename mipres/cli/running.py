"""What a command stands on.

Its services, opened for one run, and one line for everything that goes wrong.
"""

import asyncio
import os
import pwd
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

import typer

from mipres import composition
from mipres.database.audit import PostgresAuditTrail
from mipres.database.client_grants import ClientGrants
from mipres.database.credentials import Hasher
from mipres.database.failures import (
    DATABASE_ERRORS,
    database_fault,
    is_not_migrated,
    is_of_this_machine,
)
from mipres.database.lockouts import LoginLockouts
from mipres.database.milestones import Milestones
from mipres.domain.server_faults import database_fault_for_staff
from mipres.keys import UnknownBoxKeyError
from mipres.settings.loading import load_settings
from mipres.settings.model import Settings
from mipres.support.accounts import SupportAccounts
from mipres.support.actions import Support
from mipres.support.factor_resets import FactorResetDesk
from mipres.support.joins import SupportJoins
from mipres.support.person_data import PersonData
from mipres.support.reviews import SupportReviews
from mipres.support.staff import PostgresStaff
from mipres.temporal.answers import TemporalUnavailableError, UnknownWorkflowError, fault_for_operators
from mipres.temporal.connection import connect

NOT_POSSIBLE, MISUSED, AWAY = 1, 2, 3
"""Exit codes. 0 means done."""


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What a command works with."""

    support: Support
    accounts: SupportAccounts
    joins: SupportJoins
    factor_resets: FactorResetDesk
    reviews: SupportReviews
    staff: PostgresStaff
    audit: PostgresAuditTrail
    milestones: Milestones
    lockouts: LoginLockouts
    client_grants: ClientGrants
    person_data: PersonData
    reseal: Callable[[Mapping[str, bytes], str], Awaitable[int]]


@asynccontextmanager
async def open_tools(settings: Settings) -> AsyncIterator[Tools]:
    """The tools of one command, closed at its end."""
    # Lazy, so that commands that need only the database work while Temporal is away.
    client = await connect(
        composition.temporal_connection(settings), identity=f"cli:{operating_system_user()}", lazy=True
    )
    async with composition.open_database(settings) as database:
        yield Tools(
            support=composition.build_support(settings, database, client),
            accounts=composition.build_support_accounts(database),
            factor_resets=composition.build_factor_reset_desk(settings, database, client),
            joins=composition.build_support_joins(settings, database),
            reviews=composition.build_support_reviews(settings, database, client),
            staff=composition.build_staff(database, Hasher()),
            audit=database.audit,
            milestones=Milestones(database.engine, clock=database.clock),
            lockouts=database.lockouts,
            client_grants=composition.build_client_grants(database),
            person_data=composition.build_person_data(settings, database, client),
            reseal=partial(composition.reseal_second_factors, database),
        )


def run_with_tools(work: Callable[[Tools], Awaitable[None]]) -> None:
    """Do the work, and name in one line whatever does not answer."""
    settings = load_settings()

    async def everything() -> None:
        async with open_tools(settings) as tools:
            await work(tools)

    with faults_named():
        try:
            asyncio.run(everything())
        except UnknownWorkflowError:
            stop("Temporal no tiene ningún registro con ese radicado.")
        except UnknownBoxKeyError as error:
            stop(f"Falta en MIPRES_PAYLOAD_KEYS la clave {error.key_id}, con la que se cifró lo que se lee.")
        except TemporalUnavailableError as error:
            place = {"address": settings.temporal_address, "namespace": settings.temporal_namespace}
            stop(f"{fault_for_operators(error, **place)}.", AWAY)


@contextmanager
def faults_named() -> Iterator[None]:
    """End the command with one line where the database or this machine fails."""
    try:
        yield
    except BrokenPipeError:
        # The program that reads the output, as `head`, has read enough: Click ends the command for it.
        raise
    except DATABASE_ERRORS as error:
        if isinstance(error, OSError) and is_of_this_machine(error):
            stop(of_this_machine(error))
        stop(_of_database(error), AWAY)


def of_this_machine(error: OSError) -> str:
    """What to say of a file or a limit that failed here."""
    what = f" ({error.filename})" if error.filename is not None else ""
    return f"No se pudo leer ni escribir en este equipo: {error.strerror}{what}."


def _of_database(error: Exception) -> str:
    if is_not_migrated(error):
        return "La base de datos no está migrada a esta versión: ejecute `python -m mipres.cli migrate`."
    fault = database_fault(error) or type(error).__name__
    return f"La base de datos no hizo lo que se le pidió: {database_fault_for_staff(fault)}."


def stop(line: str, code: int = NOT_POSSIBLE) -> NoReturn:
    """End the command with one line on standard error."""
    flush_output()
    print(line, file=sys.stderr)
    raise typer.Exit(code)


def flush_output() -> None:
    """Let what is written be seen; a process may also begin without an output."""
    if sys.stdout is not None:
        sys.stdout.flush()


def misused(line: str) -> NoReturn:
    """End a command that was typed wrongly."""
    stop(line, MISUSED)


def operating_system_user() -> str:
    """The account that runs the command."""
    try:
        # Not the environment's LOGNAME, which the caller can set.
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        # A container may run under a number that has no name.
        return f"uid-{os.getuid()}"
