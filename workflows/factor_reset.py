"""A reset of a second factor: a notice, a day to stop it, and its end."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.factor_resets import FactorResetInput
    from mipres.domain.factor_resets import FactorResetRequest, ResetProgress
    from mipres.temporal.names import RESET_CLOSED
    from workflows import policies, steps
    from workflows.details import FACTOR_RESET
    from workflows.durable_steps import StepFailedError, StepRunner, notified
    from workflows.waiting import comes_true


@workflow.defn(name="SecondFactorReset")
class SecondFactorReset:
    """Started for one reset; the database decides when the time is over."""

    @workflow.init
    def __init__(self, request: FactorResetRequest) -> None:
        self._input = FactorResetInput(reset_id=request.reset_id)
        self._is_closed = False
        self._steps = StepRunner(on_change=lambda: None)

    @workflow.run
    async def run(self, _request: FactorResetRequest) -> None:
        """Notify, wait and carry out; without a notice nothing is reset."""
        workflow.set_current_details(FACTOR_RESET)
        try:
            progress: ResetProgress = await self._steps.do(steps.NOTIFY_FACTOR_RESET, self._input)
        except StepFailedError as failure:
            workflow.logger.warning("a reset of a second factor was given up: %s", failure.type)
            await self._steps.do(steps.GIVE_UP_FACTOR_RESET, self._input)
            return
        while progress.remaining is not None:
            progress = await self._when_due(progress.remaining)
        if progress.is_stopped and not await notified(steps.NOTIFY_RESET_STOPPED, self._input):
            workflow.logger.warning("support was not notified of a stopped reset")

    @workflow.signal(
        name=RESET_CLOSED, description="La persona o soporte detuvo el restablecimiento. Sin contenido."
    )
    def reset_closed(self) -> None:
        """A hint only: the end is in the database."""
        self._is_closed = True

    async def _when_due(self, remaining: timedelta) -> ResetProgress:
        # The database decides when the time is over, and its answer may come a little late.
        within = remaining + policies.CHANGE_MARGIN
        await comes_true(
            lambda: self._is_closed, within=within, summary="Hasta que la persona ya no pueda detenerlo"
        )
        self._is_closed = False
        progress: ResetProgress = await self._steps.do(steps.CARRY_OUT_FACTOR_RESET, self._input)
        return progress
