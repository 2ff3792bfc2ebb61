"""Make the namespace and its search attributes, or complete what is there.

`python -m deploy.temporal_setup`.

It can run any number of times. Temporal Cloud makes both with its own tools instead.
"""

import asyncio
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest, UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from deploy.verdict import end, reason_of
from mipres import composition
from mipres.arguments import Arguments
from mipres.settings.loading import load_settings
from mipres.temporal.answers import NO_ANSWER, translated
from mipres.temporal.connection import TemporalConnection, connect
from mipres.temporal.names import SEARCH_ATTRIBUTES

PAUSE_SECONDS = 1.0


class WrongTypeError(Exception):
    """An attribute has another type, which only a person can change.

    The text is the line to show.
    """


async def set_up(connection: TemporalConnection, *, retention: timedelta) -> None:
    """Bring the namespace to what the product needs.

    Args:
        connection: The server, and the namespace to make or complete.
        retention: How long Temporal keeps a workflow that has ended.

    Raises:
        WrongTypeError: an attribute is there with another type.
        RPCError, RuntimeError: the server does not agree yet, or cannot be reached.
    """
    client = await connect(connection, identity="temporal-setup")
    await _ensure_namespace(client, retention)
    await _ensure_attributes(client)


async def _ensure_namespace(client: Client, retention: timedelta) -> None:
    kept = Duration()
    kept.FromTimedelta(retention)
    try:
        await client.workflow_service.register_namespace(
            RegisterNamespaceRequest(namespace=client.namespace, workflow_execution_retention_period=kept)
        )
    except RPCError as error:
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            raise
        await client.workflow_service.update_namespace(
            UpdateNamespaceRequest(
                namespace=client.namespace, config=NamespaceConfig(workflow_execution_retention_ttl=kept)
            )
        )


async def _ensure_attributes(client: Client) -> None:
    listed = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    present = {name: int(kind) for name, kind in listed.custom_attributes.items()}
    wanted = {key.name: int(key.indexed_value_type.value) for key in SEARCH_ATTRIBUTES}
    wrong = [name for name, kind in wanted.items() if present.get(name, kind) != kind]
    if wrong:
        raise WrongTypeError(f"ya existen con otro tipo los atributos {', '.join(wrong)}: quítelos primero.")
    missing = {name: kind for name, kind in wanted.items() if name not in present}
    if missing:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)  # type: ignore[arg-type]
        )
    for name in wanted:
        # The list knows an attribute some seconds before queries do.
        await client.count_workflows(f"{name} IS NULL")


async def until_set_up(
    connection: TemporalConnection, *, retention: timedelta, patience: timedelta
) -> str | None:
    """Repeat the set-up until the server agrees.

    Its caches deny for seconds what it has just made.

    Returns:
        What went wrong, in one line; None when all is there.
    """
    reason = f"Temporal no responde en {connection.address}"
    try:
        async with asyncio.timeout(patience.total_seconds()):
            while True:
                try:
                    with translated():
                        await set_up(connection, retention=retention)
                except NO_ANSWER as error:
                    reason = reason_of(error, connection)
                    await asyncio.sleep(PAUSE_SECONDS)
                else:
                    return None
    except TimeoutError:
        return f"{reason}."
    except WrongTypeError as error:
        return f"espacio de nombres {connection.namespace}: {error}"


def main() -> None:
    """Set up the namespace of the settings, and end the process."""
    parser = Arguments(prog="python -m deploy.temporal_setup", description=__doc__)
    parser.add_argument(
        "--retention-days", type=int, default=90, help="how long Temporal keeps what has ended (90)"
    )
    parser.add_argument("--patience-seconds", type=int, default=120, help="how long to try (120)")
    options = parser.parse_args()
    connection = composition.temporal_connection(load_settings())
    complaint = asyncio.run(
        until_set_up(
            connection,
            retention=timedelta(days=options.retention_days),
            patience=timedelta(seconds=options.patience_seconds),
        )
    )
    end(f"temporal-setup: {complaint}" if complaint else None)


if __name__ == "__main__":
    main()
