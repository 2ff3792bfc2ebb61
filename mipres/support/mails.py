"""Mails that wait for the mail server while no registration says so.

Notices of locks, of access and of support, recoveries, and notices of registrations that have ended.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest, ResetActivityRequest
from temporalio.client import Client

from mipres.domain.radicado import is_reference
from mipres.domain.stages import WaitingOn
from mipres.temporal import names
from mipres.temporal.answers import UnknownWorkflowError, translated
from mipres.temporal.runs import Run, description_of, read_failure, run_of
from mipres.temporal.ui import workflow_url

_LOOK = timedelta(seconds=5)
_PAGE = 500
_LOOKS_AT_ONCE = 20
_MAIL_STEPS = frozenset(names.MailStep)


@dataclass(frozen=True, kw_only=True)
class WaitingMail:
    """A mail that has failed and waits for its next attempt. Nothing personal.

    Attributes:
        step: Its activity id.
        error: What the last attempt failed with.
    """

    workflow_id: str
    run_id: str
    step: str
    error: str
    ui_url: str

    @property
    def reference(self) -> str | None:
        """The reference that the trail knows; a scheduled round has none."""
        reference = names.reference_of(self.workflow_id)
        return reference if is_reference(reference) else None


class MailDesk:
    """Finds such mails by their pending steps, and has the server try them at once.

    Args:
        client: Temporal; it must hold the payload keys, to read errors.
        ui_url: Address of Temporal's web interface.
    """

    def __init__(self, client: Client, *, ui_url: str) -> None:
        self._client = client
        self._ui_url = ui_url

    async def waiting(self) -> list[WaitingMail]:
        """Every one, the oldest run first."""
        runs = [run for run in await self._runs() if not _retries_it_itself(run)]
        slots = asyncio.Semaphore(_LOOKS_AT_ONCE)

        async def look(run: Run) -> list[WaitingMail]:
            async with slots:
                return await self._mails_of(run)

        found = await asyncio.gather(*map(look, sorted(runs, key=lambda run: run.started_at)))
        return [mail for mails in found for mail in mails]

    async def retry(self, mail: WaitingMail) -> None:
        """Skip the pause before the next attempt.

        Raises:
            UnknownWorkflowError: the mail was sent or given up meanwhile.
            TemporalUnavailableError: the server gave no answer.
        """
        reset = ResetActivityRequest(
            namespace=self._client.namespace,
            execution=WorkflowExecution(workflow_id=mail.workflow_id, run_id=mail.run_id),
            identity=self._client.identity,
            id=mail.step,
        )
        with translated():
            await self._client.workflow_service.reset_activity(reset, retry=True, timeout=_LOOK)

    async def _runs(self) -> list[Run]:
        request = ListWorkflowExecutionsRequest(
            namespace=self._client.namespace, query=names.MAY_MAIL, page_size=_PAGE
        )
        runs: list[Run] = []
        with translated():
            while True:
                page = await self._client.workflow_service.list_workflow_executions(
                    request, retry=True, timeout=_LOOK
                )
                runs += map(run_of, page.executions)
                if not page.next_page_token:
                    return runs
                request.next_page_token = page.next_page_token

    async def _mails_of(self, run: Run) -> list[WaitingMail]:
        try:
            description = await description_of(self._client, run.workflow_id)
        except UnknownWorkflowError:
            return []
        newest = run_of(description.workflow_execution_info)
        return [
            WaitingMail(
                workflow_id=newest.workflow_id,
                run_id=newest.run_id,
                step=pending.activity_id,
                error=str(await read_failure(self._client, pending.last_failure)),
                ui_url=workflow_url(
                    newest.workflow_id, ui_url=self._ui_url, namespace=self._client.namespace
                ),
            )
            for pending in description.pending_activities
            if pending.activity_id in _MAIL_STEPS and pending.HasField("last_failure")
        ]


def _retries_it_itself(run: Run) -> bool:
    """Whether its own update retries it: a registration that names the mail server."""
    return WaitingOn.MAIL in (run.attributes.get(names.WAITING_ON) or ()) and bool(
        run.attributes.get(names.REGISTRATION_STAGE)
    )
