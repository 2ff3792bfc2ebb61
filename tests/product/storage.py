"""What the running product has stored, read behind its back.

PostgreSQL and Temporal.
"""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg
from temporalio.client import Client, WorkflowExecution

from mipres.domain.radicado import radicado_of
from mipres.domain.submissions import Submission, UserType
from mipres.keys import AuditKey, audit_keys, derive_key
from mipres.temporal.connection import TemporalConnection, connect
from tests.product.conftest import Product


@asynccontextmanager
async def database(product: Product) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(
        host="127.0.0.1",
        port=product.stack.ports["POSTGRES_PORT"],
        user="mipres",
        password=product.stack.secret("POSTGRES_PASSWORD"),
        database="mipres",
        ssl=False,
    )
    try:
        yield connection
    finally:
        await connection.close()


async def rows(product: Product, statement: str, *values: object) -> list[Any]:
    async with database(product) as connection:
        found: list[Any] = await connection.fetch(statement, *values)
        return found


async def stored_text(product: Product) -> str:
    """Every row of every table."""
    async with database(product) as connection:
        tables = await connection.fetch(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        )
        texts = [
            row[0]
            for table in tables
            for row in await connection.fetch(f'SELECT row_to_json(t)::text FROM "{table[0]}" t')
        ]
    return "\n".join(texts)


async def without_the_keys(product: Product) -> Client:
    """A stranger who can reach Temporal but has no key."""
    return await Client.connect(f"127.0.0.1:{product.stack.ports['TEMPORAL_PORT']}")


async def with_the_keys(product: Product) -> Client:
    key_id, _, encoded = product.stack.secret("PAYLOAD_KEYS").partition(":")
    connection = TemporalConnection(
        address=f"127.0.0.1:{product.stack.ports['TEMPORAL_PORT']}",
        namespace="default",
        payload_keys={key_id: base64.b64decode(encoded)},
        active_payload_key=key_id,
    )
    return await connect(connection, identity="test")


async def runs_of(product: Product, workflow_id: str) -> list[WorkflowExecution]:
    """Every run of a workflow, as Temporal lists them: a moment after they began."""
    client = await without_the_keys(product)
    query = f"WorkflowId = '{workflow_id}'"
    return [execution async for execution in client.list_workflows(query)]


def radicado_for(product: Product, submission: Submission) -> str:
    """The radicado of a submission.

    A professional's has the number that these tests register with.
    """
    if submission.user_type is UserType.PROFESSIONAL and submission.professional_registration is None:
        submission = replace(submission, professional_registration="76-1234")
    return radicado_of(submission, key=derived_key(product, "radicado"))


def audit_keys_of(product: Product) -> tuple[AuditKey, ...]:
    key_id, _, key = product.stack.secret("AUDIT_KEYS").partition(":")
    return audit_keys({key_id: base64.b64decode(key)}, secrets=[product.stack.secret("SECRET_KEY")])


def derived_key(product: Product, purpose: str) -> bytes:
    return derive_key(product.stack.secret("SECRET_KEY"), purpose)
