"""A review whose worker is killed goes on, and repeats no answered question."""

import asyncio

import pytest

from dev.chaos.product import Product, open_product
from dev.chaos.registrant import newcomers
from dev.chaos.waiting import NotYetError, patiently
from mipres.domain.review import ReviewStage
from mipres.temporal import names
from workflows.access_review import AccessReview
from workflows.review_contract import AccessReviewRequest

PORTION = 2
DUE = "UPDATE profiles SET updated_at = now() - interval '30 days', reviewed_at = NULL"
IN_ORDER = (
    "SELECT document_number FROM profiles JOIN accounts ON accounts.id = account_id ORDER BY profiles.id"
)
SLOWNESS_MS = 2_000


async def in_use(product: Product, count: int) -> list[str]:
    """People who registered long ago, in the order of a review."""
    people = await newcomers(product, count)
    await asyncio.gather(*(person.finish() for person in people))
    async with product.stack.database() as connection:
        await connection.execute(DUE)
        rows = await connection.fetch(IN_ORDER)
    assert {row["document_number"] for row in rows} == {person.citizen.number for person in people}
    return [f"CC {row['document_number']}" for row in rows]


async def calls_of(product: Product) -> dict[str, int]:
    answer = await product.registries.get("/_control/calls")
    calls: dict[str, int] = answer.raise_for_status().json()["rethus"]
    return calls


@pytest.mark.timeout(240)
async def test_a_review_goes_on_where_its_worker_was_killed() -> None:
    async with open_product() as product:
        people = await in_use(product, 2 * PORTION)
        answered, interrupted = people[:PORTION], people[PORTION:]
        await product.registries.delete("/_control/calls")
        await product.set_registry("rethus", mode="slow", latency_ms=SLOWNESS_MS)
        handle = await product.temporal.start_workflow(
            AccessReview.run,
            AccessReviewRequest(days=7, portion=PORTION),
            id=f"{names.ACCESS_REVIEW_ID}-chaos",
            task_queue=names.REGISTRATIONS_QUEUE,
        )

        async def second_portion_is_asked() -> None:
            if not set(interrupted) <= set(await calls_of(product)):
                raise NotYetError("the first portion is not over")

        await patiently(second_portion_is_asked)
        await product.stack.crash("worker")
        await product.set_registry("rethus", mode="up")
        await product.stack.restart("worker")
        state = await handle.result()
        calls = await calls_of(product)
    assert (state.stage, state.looked) == (ReviewStage.REVIEWED, len(people))
    assert [calls[person] for person in answered] == [1] * len(answered)
    assert [calls[person] for person in interrupted] == [2] * len(interrupted)
