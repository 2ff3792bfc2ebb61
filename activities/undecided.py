"""Whether the end of a registration is known yet, as its workflow published it."""

from typing import Final

from temporalio import activity

from mipres.domain.errors import MailOutOfDateError
from mipres.domain.stages import Stage
from mipres.temporal.answers import UnknownWorkflowError
from mipres.temporal.names import REGISTRATION_STAGE
from mipres.temporal.runs import describe_run

_UNDECIDED: Final = {Stage.CHECKING, Stage.WAITING_REGISTRY}


async def require_undecided() -> None:
    """Look at the newest run of this activity's workflow.

    A cancellation reaches an attempt too late that is under way, and a workflow that ends with
    another mail first may not cancel its notices at all.

    Raises:
        MailOutOfDateError: the end is known, so no mail may say that the registration goes on.
        TemporalUnavailableError: the server gave no answer.
    """
    try:
        run = await describe_run(activity.client(), activity.info().workflow_id or "")
    except UnknownWorkflowError:
        raise MailOutOfDateError from None
    stage = run.attributes.get(REGISTRATION_STAGE)
    if not run.engine.is_open or (stage is not None and stage not in _UNDECIDED):
        raise MailOutOfDateError
