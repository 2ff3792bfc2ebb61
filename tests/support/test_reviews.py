"""What support sees of a review of access, and tells it."""

import uuid
from collections.abc import AsyncIterator
from unittest.mock import AsyncMock

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from dev.probes import LOOPBACK, free_port
from mipres.database.audit import PostgresAuditTrail
from mipres.domain.audit import operator
from mipres.domain.review import ReviewStage
from mipres.support.reviews import NoReviewStoppedError, ReviewDecision, SupportReviews
from mipres.temporal import names
from mipres.temporal.answers import TemporalUnavailableError
from tests.support.conftest import UI, eventually

ACTOR, REASON = operator("ana"), "ReTHUS confirmó los retiros por teléfono"


@workflow.defn(name="AccessReview")
class ScriptedReview:
    """Stops at once, and ends with the first answer."""

    def __init__(self) -> None:
        self._answer: str | None = None

    @workflow.run
    async def run(self) -> str:
        workflow.upsert_search_attributes(
            [names.REVIEW_STAGE.value_set("stopped"), names.REVIEWED_PROFILES.value_set(200)]
        )
        await workflow.wait_condition(lambda: self._answer is not None)
        return self._answer or ""

    @workflow.update
    async def go_on(self, reason: str) -> None:
        self._answer = f"go_on: {reason}"

    @workflow.update
    async def abandon(self, _reason: str) -> None:
        raise ApplicationError("El freno no ha detenido esta revisión", type=names.WRONG_STAGE)


@pytest.fixture
def reviews(client: Client, audit: PostgresAuditTrail) -> SupportReviews:
    return SupportReviews(client, audit=audit, ui_url=UI)


@pytest.fixture
async def stopped(client: Client, reviews: SupportReviews) -> AsyncIterator[str]:
    queue = f"scripted-reviews-{uuid.uuid4()}"
    worker = Worker(
        client, task_queue=queue, workflows=[ScriptedReview], workflow_runner=UnsandboxedWorkflowRunner()
    )
    async with worker:
        review = f"{names.ACCESS_REVIEW_ID}-{uuid.uuid4()}"
        handle = await client.start_workflow(ScriptedReview.run, id=review, task_queue=queue)

        async def is_seen() -> bool:
            views = await reviews.running()
            return any((view.workflow_id, view.stage) == (review, ReviewStage.STOPPED) for view in views)

        await eventually(is_seen)
        yield review
        if (await handle.describe()).close_time is None:
            await handle.terminate("prueba")

    async def is_gone() -> bool:
        return not [view for view in await reviews.running() if view.workflow_id == review]

    await eventually(is_gone)


async def test_a_stopped_review_gets_its_answer_with_a_trace(
    client: Client, reviews: SupportReviews, audit: PostgresAuditTrail, stopped: str
) -> None:
    view = await reviews.decide(ReviewDecision.GO_ON, reason=REASON, actor=ACTOR)
    assert (view.workflow_id, view.looked) == (stopped, 200)
    assert view.ui_url.startswith(UI)
    assert await client.get_workflow_handle(stopped).result() == f"go_on: {REASON}"
    (entry,) = await audit.entries()
    assert (entry.type, entry.actor, entry.reason) == ("review_go_on_asked", ACTOR, REASON)
    assert entry.details == {"review": stopped}


@pytest.mark.usefixtures("stopped")
async def test_somebody_else_was_quicker(reviews: SupportReviews) -> None:
    with pytest.raises(NoReviewStoppedError):
        await reviews.decide(ReviewDecision.ABANDON, reason=REASON, actor=ACTOR)


@pytest.mark.parametrize("decision", [None, ReviewDecision.ABANDON])
async def test_a_server_that_was_never_reached_is_away(decision: ReviewDecision | None) -> None:
    """A lazy client connects with its first call, and fails there in a way of its own."""
    client = await Client.connect(f"{LOOPBACK}:{free_port()}", lazy=True)
    reviews = SupportReviews(client, audit=AsyncMock(), ui_url=UI)
    with pytest.raises(TemporalUnavailableError):
        await (reviews.decide(decision, reason=REASON, actor=ACTOR) if decision else reviews.running())


async def test_without_a_review_there_is_nothing_to_decide_and_no_trace(
    reviews: SupportReviews, audit: PostgresAuditTrail
) -> None:
    with pytest.raises(NoReviewStoppedError):
        await reviews.decide(ReviewDecision.GO_ON, reason=REASON, actor=ACTOR)
    assert await audit.entries() == []
