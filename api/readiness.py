"""Check whether this process can serve, and how what it depends on is doing."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    ListWorkflowExecutionsRequest,
    ListWorkflowExecutionsResponse,
)
from temporalio.client import Client

from mipres.database.fitness import DatabaseFitness
from mipres.domain.fitness import Fitness
from mipres.temporal.answers import (
    NamespaceMissingError,
    TemporalUnavailableError,
    UnknownWorkflowError,
    UnreadableAnswerError,
    translated,
)
from mipres.temporal.codec import EncryptionCodec
from mipres.temporal.connection import SearchAttributesMissingError, require_search_attributes
from mipres.temporal.names import RUNNING, SEARCH_ATTRIBUTES
from mipres.temporal.runs import passing_over_strangers

log = structlog.get_logger()

_LOOK = timedelta(seconds=1)
# Four questions and the first connection; a probe of the manifests waits for four seconds.
LOOK_SECONDS = 3.0
_NEWEST = 5
_MISFITS = (NamespaceMissingError, UnreadableAnswerError, SearchAttributesMissingError)


class Readiness:
    """Checks what a request needs, each by its name.

    Args:
        client: Temporal.
        codec: The payload keys that this process holds.
        database: PostgreSQL.
    """

    def __init__(self, client: Client, *, codec: EncryptionCodec, database: DatabaseFitness) -> None:
        self._client = client
        self._codec = codec
        self._database = database
        self._look: asyncio.Task[dict[str, Fitness]] | None = None

    async def checks(self) -> dict[str, Fitness]:
        """Check everything; what lies behind a check that failed is left out."""
        database, temporal = await asyncio.gather(self._database.look(), self._look_at_temporal())
        return {**database.checks, **temporal}

    async def _look_at_temporal(self) -> dict[str, Fitness]:
        # The first connection to a server that stands still outlasts a probe: the next look asks for the same one.
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._temporal())
        done, _ = await asyncio.wait({self._look}, timeout=LOOK_SECONDS)
        return self._look.result() if done else {"temporal": Fitness.DOWN}

    async def _temporal(self) -> dict[str, Fitness]:
        checks = {"temporal": await self._fitness("temporal", self._ask_server)}
        if checks["temporal"] is Fitness.OK:
            checks["namespace"] = await self._fitness("namespace", self._newest_open_runs)
        if checks.get("namespace") is Fitness.OK:
            checks["search_attributes"] = await self._fitness(
                "search_attributes", lambda: require_search_attributes(self._client, SEARCH_ATTRIBUTES)
            )
            checks["payload_keys"] = await self._fitness("payload_keys", self._read_newest_open_run)
        return checks

    async def _fitness(self, name: str, check: Callable[[], Awaitable[object]]) -> Fitness:
        try:
            with translated():
                await check()
        except UnknownWorkflowError:
            # The registration ended meanwhile, and its history was removed.
            return Fitness.OK
        except (TemporalUnavailableError, SearchAttributesMissingError) as error:
            log.warning("dependency_check_failed", check=name, reason=str(error))
            return Fitness.UNFIT if isinstance(error, _MISFITS) else Fitness.DOWN
        return Fitness.OK

    async def _ask_server(self) -> None:
        if not await self._client.service_client.check_health(timeout=_LOOK):
            raise TemporalUnavailableError("the server is not serving")

    async def _read_newest_open_run(self) -> None:
        """Open what some process encrypted last: its active key may be missing here.

        A stranger with reach to Temporal starts runs too, but what no process encrypted says nothing of this one.
        """
        for info in (await self._newest_open_runs()).executions:
            history = await self._client.workflow_service.get_workflow_execution_history(
                GetWorkflowExecutionHistoryRequest(
                    namespace=self._client.namespace, execution=info.execution, maximum_page_size=1
                ),
                timeout=_LOOK,
            )
            started = history.history.events[0].workflow_execution_started_event_attributes
            with passing_over_strangers():
                for payload in started.input.payloads:
                    self._codec.open(payload)
                    return

    async def _newest_open_runs(self) -> ListWorkflowExecutionsResponse:
        request = ListWorkflowExecutionsRequest(
            namespace=self._client.namespace, page_size=_NEWEST, query=RUNNING
        )
        return await self._client.workflow_service.list_workflow_executions(request, timeout=_LOOK)
