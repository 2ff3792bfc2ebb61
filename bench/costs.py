"""What one registration costs: history, actions, statements, processor time."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import asyncpg
import psutil
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from bench.rounds import FLOOR, NAIVE, OURS, PEER
from dev.private_stack import PrivateStack
from mipres.database.credentials import Hasher

_OWNERS = {
    **dict.fromkeys(("api", "worker"), OURS),
    **dict.fromkeys(("api-ingenua", "ingenuo"), NAIVE),
    **dict.fromkeys(("par-0", "par-1"), PEER),
    "piso": FLOOR,
}
"""Whose parts they are; all others serve every contender."""
_HASHES = 20
IDLE_MS = 0.3
"""A part that took less a registration only stood by."""
_LOCAL_ACTIVITY = "core_local_activity"
_BILLED = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: "start",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: "update",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: "signal",
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: "activity",
    EventType.EVENT_TYPE_TIMER_STARTED: "timer",
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: "search attributes",
}


@dataclass(frozen=True, kw_only=True)
class HistoryCost:
    """One registration in Temporal's books.

    Attributes:
        actions: As Temporal Cloud bills them, by kind. All local activities of one workflow task are one.
    """

    events: int
    workflow_tasks: int
    history_bytes: int
    actions: Mapping[str, int]

    @property
    def billed(self) -> int:
        return sum(self.actions.values())


def count_history(events: list[HistoryEvent], *, history_bytes: int) -> HistoryCost:
    """Count a whole history."""
    actions = Counter(_BILLED[event.event_type] for event in events if event.event_type in _BILLED)
    tasks_with_local_activities = {
        event.marker_recorded_event_attributes.workflow_task_completed_event_id
        for event in events
        if event.marker_recorded_event_attributes.marker_name == _LOCAL_ACTIVITY
    }
    if tasks_with_local_activities:
        actions["local activities"] = len(tasks_with_local_activities)
    return HistoryCost(
        events=len(events),
        workflow_tasks=sum(
            event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED for event in events
        ),
        history_bytes=history_bytes,
        actions=dict(actions),
    )


async def newest_history(client: Client, query: str) -> dict[str, object]:
    """The cost of some workflow that a query finds."""
    async for found in client.list_workflows(query, limit=1):
        handle = client.get_workflow_handle(found.id, run_id=found.run_id)
        history = await handle.fetch_history()
        size = (await handle.describe()).raw_description.workflow_execution_info.history_size_bytes
        cost = count_history(list(history.events), history_bytes=size)
        return asdict(cost) | {"billed": cost.billed}
    raise LookupError(query)


class Statements:
    """Statements that the product's database has executed, by pg_stat_statements."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def reset(self) -> None:
        connection = await asyncpg.connect(self._url, ssl=False)
        await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        await connection.execute("SELECT pg_stat_statements_reset()")
        await connection.close()

    async def top(self) -> list[dict[str, object]]:
        """By time, the most expensive first; our own questions are left out.

        `is_asked` is what the product sent; PostgreSQL does the rest in functions, triggers and foreign keys.
        """
        connection = await asyncpg.connect(self._url, ssl=False)
        rows = await connection.fetch(
            "SELECT calls, total_exec_time, toplevel, query FROM pg_stat_statements"
            " WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND query NOT LIKE '%pg_stat_statements%' ORDER BY total_exec_time DESC"
        )
        await connection.close()
        return [
            {
                "calls": row["calls"],
                "ms": round(row["total_exec_time"], 2),
                "is_asked": row["toplevel"],
                "query": " ".join(row["query"].split()),
            }
            for row in rows
        ]


async def password_hash_ms() -> float:
    """Processor time of the one password hash that a registration cannot do without."""
    hasher = Hasher()
    began = time.process_time()
    for number in range(_HASHES):
        await hasher.hash(f"Clave-Segura-{number}")
    return round((time.process_time() - began) * 1000 / _HASHES, 2)


def processor_seconds(stack: PrivateStack) -> dict[str, float]:
    """Processor time of every part so far, with the processes that it started.

    `driver` is this one.
    """
    pids = {**stack.supervisor.process_ids(), "driver": None}
    return {name: _seconds(psutil.Process(pid), alone=pid is None) for name, pid in pids.items()}


def _seconds(process: psutil.Process, *, alone: bool) -> float:
    family = [process, *([] if alone else process.children(recursive=True))]
    total = 0.0
    for member in family:
        try:
            times = member.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def spent(
    contender: str, before: Mapping[str, float], after: Mapping[str, float], registrations: int
) -> dict[str, float]:
    """Milliseconds a registration, by part.

    The other contenders' parts and those that stood by are left out.
    """
    parts = {name for name in before if name in after and _OWNERS.get(name, contender) == contender}
    each = {name: (after[name] - before[name]) * 1000 / registrations for name in parts}
    return {name: round(value, 2) for name, value in each.items() if value >= IDLE_MS}
