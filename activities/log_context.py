"""The lines of an activity name its trace, its registration and the attempt."""

from typing import Any

import structlog
from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from mipres.logs import bind_workflow


class LogContext(Interceptor):
    """Binds what is known of an activity to everything that it logs.

    It stays bound: the SDK logs a failure when the interceptors are done, in the same task.
    """

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name.
        return _Bound(next)


class _Bound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name.
        info = activity.info()
        structlog.contextvars.bind_contextvars(activity_id=info.activity_id, attempt=info.attempt)
        bind_workflow(info.workflow_id or "", run_id=info.workflow_run_id or "")
        return await self.next.execute_activity(input)
