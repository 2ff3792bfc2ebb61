"""A change of address: people in use register again while the registry has another address."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError

from dev.chaos.product import Product
from dev.chaos.registrant import Registrant
from dev.chaos.waiting import NotYetError, patiently
from mipres.domain.mail import HANDED_OVER_LIFETIME
from mipres.temporal.names import registration_workflow_id

_STOPPING_LINK = "/no-fui-yo/"
# The slow server answers within ten seconds: a mail that is open for longer has an unknown fate.
_MAKE_DOUBTS_OLD = """
WITH doubtful AS (
    UPDATE sent_mails SET claimed_at = now() - interval '1 hour'
    FROM address_changes JOIN accounts ON accounts.id = account_id
    WHERE login = $1 AND sent_at IS NULL AND key LIKE 'address_%:' || address_changes.id
      AND claimed_at BETWEEN now() AND now() + $2::interval - interval '20 seconds'
    RETURNING 1)
SELECT count(*) FROM doubtful
"""


@asynccontextmanager
async def moved_under_slow_mail(product: Product, people: list[Registrant]) -> AsyncIterator[None]:
    """Give people another address, and register them again while mail is slow."""
    await product.tell_registries([person.citizen.record() | {"email": person.moved_to} for person in people])
    async with slow_mail(product, people):
        await asyncio.gather(*(person.submit_again() for person in people))
        yield


@asynccontextmanager
async def slow_mail(product: Product, _people: list[Registrant]) -> AsyncIterator[None]:
    """The mail server takes messages and answers late."""
    await product.set_mail("slow")
    try:
        yield
    finally:
        await product.set_mail("up")


async def are_warned(people: list[Registrant]) -> bool:
    """Whether the old address of each has the mail that can stop the change."""
    return all([await _is_warned(person) for person in people])


async def be_told_at_both(person: Registrant) -> None:
    """Get the mail at the old address and the one at the new, with the change still waiting."""
    await patiently(lambda: _both_have_mail(person))


async def _both_have_mail(person: Registrant) -> None:
    has_new = any(mail["To"][0]["Address"] == person.moved_to for mail in await person.mails())
    if has_new and await _is_warned(person):
        return
    if await person.stage() == "cancelled":
        await person.submit_again()
    if await person.product.count(_MAKE_DOUBTS_OLD, person.citizen.login, HANDED_OVER_LIFETIME):
        await _try_now(person)
    raise NotYetError("an address has no mail yet")


async def _try_now(person: Registrant) -> None:
    """Have support retry the mail instead of waiting for the next attempt."""
    handle = person.product.temporal.get_workflow_handle(registration_workflow_id(str(person.radicado)))
    # What goes on by itself takes no retry.
    with suppress(WorkflowUpdateFailedError, RPCError):
        await handle.execute_update("retry_now", "ensayo de caos")


async def _is_warned(person: Registrant) -> bool:
    return any(_STOPPING_LINK in text for _, text in await person.texts())
