"""What meets people in the middle of a step: the rows of the crash matrix."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateStage
from temporalio.service import RPCError

from dev.chaos.product import PARTS, Product
from dev.chaos.registrant import Registrant
from dev.chaos.waiting import NO_ANSWER
from mipres.domain.radicado import radicado_of
from mipres.keys import derive_key
from mipres.temporal.names import registration_workflow_id

Disturbance = Callable[[Product, Sequence[Registrant]], Awaitable[object]]


def _killed(part: str) -> Disturbance:
    async def kill(product: Product, _people: Sequence[Registrant]) -> None:
        await product.stack.crash(part)
        await product.stack.restart(part)

    return kill


async def _cancelled(product: Product, people: Sequence[Registrant]) -> None:
    """Support cancels twice at once, and Temporal's own interface once more."""
    await asyncio.gather(*(_cancel(product, person) for person in people))


async def _cancel(product: Product, person: Registrant) -> None:
    key = derive_key(product.stack.secret("SECRET_KEY"), "radicado")
    radicado = radicado_of(person.citizen.submission, key=key)
    handle = product.temporal.get_workflow_handle(registration_workflow_id(radicado))
    accepted = WorkflowUpdateStage.ACCEPTED
    updates = (
        handle.start_update("cancel_registration", "ensayo de caos", wait_for_stage=accepted)
        for _ in range(2)
    )
    for answer in await asyncio.gather(*updates, handle.cancel(), return_exceptions=True):
        # A registration that has ended meanwhile refuses the cancel.
        if isinstance(answer, BaseException):
            with suppress(WorkflowUpdateFailedError, RPCError):
                raise answer


async def _pressed_twice(_product: Product, people: Sequence[Registrant]) -> None:
    """Everybody presses the button of their step once more, and looks at no answer."""
    with suppress(*NO_ANSWER):
        await asyncio.gather(*(person.press_again() for person in people))


KILLS: dict[str, Disturbance] = {part: _killed(part) for part in PARTS}
ACTS: dict[str, Disturbance] = {"cancelar": _cancelled, "doble clic": _pressed_twice}
ROWS = KILLS | ACTS
