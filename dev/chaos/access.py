"""What comes before and after access: waiting for ReTHUS by choice, and the review that suspends."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from dev.chaos.product import Product
from dev.chaos.registrant import Registrant, has_been_asked
from dev.chaos.waiting import NotYetError, patiently
from dev.citizen import MEDICINE, Citizen, Unlisted, next_number
from mipres.temporal import names
from mipres.temporal.names import registration_workflow_id

_SANCTION = {"authority": "Tribunal de Ética", "kind": "Suspensión", "start": "2020-01-01", "end": None}
_MAKE_DUE = """
WITH due AS (UPDATE profiles SET reviewed_at = now() - interval '30 days' WHERE radicado = ANY($1) RETURNING 1)
SELECT count(*) FROM due
"""
_SUSPENDED = "SELECT count(*) FROM profiles WHERE radicado = $1 AND sanctioned_at IS NOT NULL"
_MAILED = """
SELECT count(*) FROM access_changes JOIN accounts ON accounts.id = account_id
WHERE login = $1 AND change = 'profile_suspended' AND mailed_at IS NOT NULL
"""


class Patient(Unlisted):
    """A doctor whom ReTHUS does not know yet, and who waits for it."""

    def request(self) -> dict[str, Any]:
        return super().request() | {"wait_for_registry": True}


async def unlisted(product: Product, count: int) -> list[Registrant]:
    people = [Patient(number=next_number()) for _ in range(count)]
    await product.tell_registries([person.record() for person in people])
    return [Registrant(product=product, citizen=person) for person in people]


async def wait_by_choice(person: Registrant) -> None:
    """Submit, and be in the stage that waits for the registry."""
    await person.submit()

    async def is_watching() -> None:
        if await person.stage() != "watching":
            raise NotYetError("not waiting yet")

    await patiently(is_watching)


async def appear_and_finish(person: Registrant) -> None:
    """Give up waiting, appear in ReTHUS, and register as everybody does."""
    await patiently(lambda: _give_up(person))
    await person.product.tell_registries([Citizen.record(person.citizen)])
    await person.submit_again()
    await person.finish()


async def _give_up(person: Registrant) -> None:
    workflow_id = registration_workflow_id(str(person.radicado))
    # What has ended meanwhile takes no update, and an engine that was killed gives no answer.
    with suppress(WorkflowUpdateFailedError, RPCError):
        handle = person.product.temporal.get_workflow_handle(workflow_id)
        await handle.execute_update("stop_watching", "ensayo de caos")
    if await person.stage() not in {"refused", "cancelled"}:
        raise NotYetError("still waiting")


@asynccontextmanager
async def sanctioned_under_review(product: Product, people: list[Registrant]) -> AsyncIterator[None]:
    """Sanction people whose last answer is old, and review them while ReTHUS is slow."""
    sanctioned = {"rethus": {"professions": [MEDICINE], "sanctions": [_SANCTION]}}
    await product.tell_registries([person.citizen.record() | sanctioned for person in people])
    await product.count(_MAKE_DUE, [person.radicado for person in people])
    async with product.slow_registry("rethus"):
        await _review(product)
        yield


async def _review(product: Product) -> None:
    review_id = f"{names.ACCESS_REVIEW_ID}-caos-{uuid.uuid4().hex}"

    async def start() -> None:
        try:
            await product.temporal.start_workflow(
                names.WorkflowType.ACCESS_REVIEW, id=review_id, task_queue=names.REGISTRATIONS_QUEUE
            )
        except WorkflowAlreadyStartedError:
            return
        except RPCError as error:
            raise NotYetError(str(error)) from error

    await patiently(start)


async def are_asked_again(product: Product, people: list[Registrant]) -> bool:
    """Whether ReTHUS was asked once by the registration and once by the review."""
    return await has_been_asked(product, "rethus", people, times=2)


async def be_suspended(person: Registrant) -> None:
    """Lose the access, and get the mail that says so."""
    await patiently(lambda: _found(person, _SUSPENDED, person.radicado))
    await patiently(lambda: _mail_changes(person))


async def _mail_changes(person: Registrant) -> None:
    """Send what waits now, instead of in the next round."""
    with suppress(RPCError):
        await person.product.temporal.get_schedule_handle(names.ACCESS_NOTICES_ID).trigger()
    await _found(person, _MAILED, person.citizen.login)


async def _found(person: Registrant, statement: str, value: str | None) -> None:
    if not await person.product.count(statement, value):
        raise NotYetError("not yet in the database")
