"""Resets of second factors, as support and the person begin and end them."""

import uuid
from datetime import timedelta

import structlog
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from mipres.database.factor_resets import PostgresFactorResets
from mipres.domain import sentences
from mipres.domain.address_changes import ChangeView
from mipres.domain.factor_resets import FactorResetRequest, ResetRefusedError
from mipres.support.accounts import DecisionRefusedError, UnknownAccountError
from mipres.temporal import names
from mipres.temporal.answers import NO_ANSWER, translated

log = structlog.get_logger()

_PATIENCE = timedelta(seconds=5)


class FactorResetDesk:
    """Writes what is decided to the database, and lets the reset's workflow know.

    Args:
        resets: The database decides; a workflow only waits.
        client: Temporal.
    """

    def __init__(self, resets: PostgresFactorResets, client: Client) -> None:
        self._resets, self._client = resets, client

    async def ask(self, account_id: uuid.UUID, *, reason: str, actor: str) -> None:
        """Begin a reset.

        Asked again while one waits, it makes sure that its workflow runs: it may have been cut off before.

        Raises:
            UnknownAccountError: there is none.
            DecisionRefusedError: there is nothing to reset, or one waits already.
            TemporalUnavailableError: nothing was mailed; asked again, it goes on.
        """
        try:
            asked = await self._resets.ask(account_id, reason=reason, actor=actor)
        except ResetRefusedError as error:
            raise DecisionRefusedError(str(error)) from None
        if asked is None:
            raise UnknownAccountError
        reset_id, is_new = asked
        with translated():
            await self._client.start_workflow(
                names.WorkflowType.SECOND_FACTOR_RESET,
                FactorResetRequest(reset_id=reset_id),
                id=names.factor_reset_workflow_id(reset_id),
                task_queue=names.REGISTRATIONS_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                static_summary=sentences.FACTOR_RESET,
                rpc_timeout=_PATIENCE,
            )
        if not is_new:
            raise DecisionRefusedError("Ya hay un restablecimiento pendiente; su plazo sigue igual")

    async def cancel(self, account_id: uuid.UUID, *, reason: str, actor: str) -> None:
        """Withdraw the reset that waits.

        Raises:
            UnknownAccountError: there is none.
            DecisionRefusedError: none waits.
        """
        try:
            reset_id = await self._resets.cancel(account_id, reason=reason, actor=actor)
        except ResetRefusedError as error:
            raise DecisionRefusedError(str(error)) from None
        if reset_id is None:
            raise UnknownAccountError
        await self._announce(reset_id)

    async def view(self, token: str) -> ChangeView:
        return await self._resets.view(token)

    async def stop(self, token: str) -> bool:
        """Keep the factor, as its person wants; whether support is notified now.

        Raises:
            LinkNotUsableError: the reset waits no more.
        """
        return await self._announce(await self._resets.stop(token))

    async def _announce(self, reset_id: uuid.UUID) -> bool:
        """Let the workflow know; where it does not, the database stops it at its end."""
        handle = self._client.get_workflow_handle(names.factor_reset_workflow_id(reset_id))
        try:
            with translated():
                await handle.signal(names.RESET_CLOSED, rpc_timeout=_PATIENCE)
        except NO_ANSWER as error:
            log.warning("closed_reset_not_announced", reason=type(error).__name__)
            return False
        return True
