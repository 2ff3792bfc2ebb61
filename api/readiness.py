"""Check whether this process can serve."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    ListWorkflowExecutionsRequest,
    ListWorkflowExecutionsResponse,
)
from temporalio.client import Client

from mipres.temporal.answers import TemporalUnavailableError, UnknownWorkflowError, translated
from mipres.temporal.codec import EncryptionCodec
from mipres.temporal.connection import SearchAttributesMissingError, require_search_attributes
from mipres.temporal.names import RUNNING, SEARCH_ATTRIBUTES

log = structlog.get_logger()

_LOOK = timedelta(seconds=1)


class Readiness:
    """Checks what a request needs, each by its name.

    Args:
        client: Temporal.
        codec: The payload keys that this process holds.
        database_answers: Asks the database.
    """

    def __init__(
        self, client: Client, *, codec: EncryptionCodec, database_answers: Callable[[], Awaitable[bool]]
    ) -> None:
        self._client = client
        self._codec = codec
        self._database_answers = database_answers

    async def checks(self) -> dict[str, bool]:
        """Check everything; what lies behind a check that failed is left out."""
        checks = {
            "database": await self._database_answers(),
            "temporal": await self._succeeds("temporal", self._ask_server),
        }
        if checks["temporal"]:
            checks["namespace"] = await self._succeeds("namespace", self._newest_open_runs)
        if checks.get("namespace"):
            checks["search_attributes"] = await self._succeeds(
                "search_attributes", lambda: require_search_attributes(self._client, SEARCH_ATTRIBUTES)
            )
            checks["payload_keys"] = await self._succeeds("payload_keys", self._read_newest_open_run)
        return checks

    async def _succeeds(self, name: str, check: Callable[[], Awaitable[object]]) -> bool:
        try:
            with translated():
                await check()
        except (TemporalUnavailableError, SearchAttributesMissingError) as error:
            log.warning("not_ready", check=name, reason=str(error))
            return False
        except UnknownWorkflowError:
            # The registration ended meanwhile, and its history was removed.
            return True
        return True

    async def _ask_server(self) -> None:
        if not await self._client.service_client.check_health(timeout=_LOOK):
            raise TemporalUnavailableError("the server is not serving")

    async def _read_newest_open_run(self) -> None:
        """Open what some process encrypted last: its active key may be missing here."""
        for info in (await self._newest_open_runs()).executions:
            history = await self._client.workflow_service.get_workflow_execution_history(
                GetWorkflowExecutionHistoryRequest(
                    namespace=self._client.namespace, execution=info.execution, maximum_page_size=1
                ),
                timeout=_LOOK,
            )
            started = history.history.events[0].workflow_execution_started_event_attributes
            for payload in started.input.payloads:
                self._codec.open(payload)

    async def _newest_open_runs(self) -> ListWorkflowExecutionsResponse:
        request = ListWorkflowExecutionsRequest(namespace=self._client.namespace, page_size=1, query=RUNNING)
        return await self._client.workflow_service.list_workflow_executions(request, timeout=_LOOK)
