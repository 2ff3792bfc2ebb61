"""Registrations that wait and never ran: rows of the two databases.

What grows with the people who wait is what is searched: accounts, links and the list of open workflows. A
workflow that only waits is not in any memory, and its history is read when its time comes. So beyond what a
quarter of an hour can really run, these rows stand in for it; the trail and histories get none.
"""

import asyncio
import hashlib
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing

from dev.private_stack import PrivateStack
from mipres.temporal.names import WorkflowType, registration_workflow_id

_BATCH = 5_000
# Temporal writes into the same file: it gets its turn between two batches.
_PAUSE_SECONDS = 0.02
_LOCK_SECONDS = 30.0
ROWS = (
    """
    INSERT INTO accounts (id, document_type, document_number, login, given_names, surnames, email)
    SELECT md5(i::text)::uuid, 'CC', (400000000 + i)::text, 'CC' || (400000000 + i), 'Ana María', 'Rodríguez Peña',
           'w' || i || '@ejemplo.test' FROM generate_series($1::int, $2::int) i
    """,
    """
    INSERT INTO profiles (id, account_id, user_type, radicado)
    SELECT md5(i::text)::uuid, md5(i::text)::uuid, 'other', 'RM-' || upper(substr(md5(i::text), 1, 12))
    FROM generate_series($1::int, $2::int) i
    """,
    """
    INSERT INTO consents
    SELECT md5(i::text)::uuid, md5(i::text)::uuid, 'RM-' || upper(substr(md5(i::text), 1, 12)), '2025-03', repeat('0', 64), now(), 'web'
    FROM generate_series($1::int, $2::int) i
    """,
    """
    INSERT INTO password_links (id, account_id, reference, issue_key, purpose, issued_at, expires_at)
    SELECT md5(i::text)::uuid, md5(i::text)::uuid, 'RM-' || upper(substr(md5(i::text), 1, 12)), 'w' || i, 'create', now(), now() + interval '7 days'
    FROM generate_series($1::int, $2::int) i
    """,
    "INSERT INTO sent_mails SELECT 'w' || i, now(), now() FROM generate_series($1::int, $2::int) i",
)
_COLUMNS = "namespace_id, _version, start_time, execution_time, workflow_type_name, status, memo, encoding, task_queue, search_attributes"
_COPY = (
    f"INSERT INTO executions_visibility ({_COLUMNS}, run_id, workflow_id, root_run_id, root_workflow_id) "  # noqa: S608 - its own columns.
    f"VALUES ({'?, ' * len(_COLUMNS.split(','))}?, ?, ?, ?)"
)
# Those without their text belong to the table itself.
_INDEXES = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'executions_visibility' AND sql NOTNULL"
# Once and not for each copy: no index of the store begins with what names one workflow.
_SOME_THAT_WAITS = (
    f"SELECT {_COLUMNS} FROM executions_visibility WHERE workflow_type_name = ? AND status = 1 LIMIT 1"  # noqa: S608 - its own columns.
)


async def make_up(stack: PrivateStack, first: int, last: int) -> None:
    """Write the rows of registrations that wait, from one number to another."""
    async with stack.database() as connection:
        for statement in ROWS:
            await connection.execute(statement, first, last)
        await connection.execute("ANALYZE")
    with closing(sqlite3.connect(stack.data_dir / "temporal.db", timeout=_LOCK_SECONDS)) as visibility:
        # No commit waits for the disk.
        visibility.execute("PRAGMA synchronous = OFF")
        for _ in _indexed_at_last(visibility, _copies(visibility, first, last)):
            await asyncio.sleep(_PAUSE_SECONDS)


def _indexed_at_last(visibility: sqlite3.Connection, writing: Iterator[None]) -> Iterator[None]:
    """Write without the store's hundred indexes, and make them again.

    That takes a third of the time.
    """
    indexes = visibility.execute(_INDEXES).fetchall()
    with visibility:
        for name, _ in indexes:
            visibility.execute(f"DROP INDEX {name}")
    yield from writing
    for _, creation in indexes:
        with visibility:
            visibility.execute(creation)
        yield


def _copies(visibility: sqlite3.Connection, first: int, last: int) -> Iterator[None]:
    """Copy a workflow that really waits, batch by batch."""
    pattern = visibility.execute(_SOME_THAT_WAITS, (WorkflowType.REGISTRATION,)).fetchone()
    for start in range(first, last + 1, _BATCH):
        numbers = range(start, min(start + _BATCH, last + 1))
        names = [(str(uuid.uuid4()), registration_workflow_id(_radicado(i))) for i in numbers]
        with visibility:
            visibility.executemany(_COPY, [(*pattern, *name, *name) for name in names])
        yield


def _radicado(number: int) -> str:
    digest = hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()
    return f"RM-{digest[:12].upper()}"
