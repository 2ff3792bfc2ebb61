"""What meets in the same moment, in every order.

Nothing is lost, nothing is half done, no run fails.
"""

import asyncio
import os
import random
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from temporalio import workflow
from temporalio.client import WorkflowExecutionStatus, WorkflowUpdateFailedError
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from mipres.domain.stages import Stage
from mipres.temporal.answers import is_unknown_workflow
from tests.patience import PATIENCE_SECONDS
from tests.workflows.conftest import MEDICINE, Handle, World
from workflows.registration import Registration

REASON = "la persona lo pidió por teléfono"
SEEDS = range(200 if os.environ.get("FUZZ") == "long" else 10)


async def by_support(handle: Handle) -> None:
    await handle.execute_update("cancel_registration", REASON)


async def in_temporal(handle: Handle) -> None:
    await handle.cancel()


async def twice_by_support(handle: Handle) -> None:
    await asyncio.gather(by_support(handle), by_support(handle))


async def by_both(handle: Handle) -> None:
    await asyncio.gather(by_support(handle), in_temporal(handle))


async def twice_in_temporal(handle: Handle) -> None:
    await in_temporal(handle)
    await in_temporal(handle)


CANCELS = [by_support, in_temporal, twice_by_support, by_both, twice_in_temporal]


async def leaves_nothing(world: World, handle: Handle) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert (await handle.result()).stage is Stage.CANCELLED
    assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED
    assert world.accounts.accounts == {}
    assert all(link.closed for link in world.accounts.links.values())


async def while_a_registry_is_down(world: World) -> Handle:
    world.talent.down = True
    handle, _ = await world.submit()
    return handle


async def while_the_password_is_awaited(world: World) -> Handle:
    handle, _ = await world.submit()
    await world.mailed("password_link")
    return handle


async def while_the_mail_is_down(world: World) -> Handle:
    world.mailer.down = True
    handle, _ = await world.submit()

    async def waits() -> bool:
        return (await handle.query(Registration.status)).waiting_on == ("mail",)

    await world.eventually(waits)
    return handle


@pytest.mark.parametrize("cancel", CANCELS)
@pytest.mark.parametrize(
    "reach", [while_a_registry_is_down, while_the_password_is_awaited, while_the_mail_is_down]
)
async def test_a_cancel_leaves_nothing_wherever_it_comes(
    world: World,
    reach: Callable[[World], Awaitable[Handle]],
    cancel: Callable[[Handle], Awaitable[None]],
) -> None:
    world.knows(MEDICINE)
    handle = await reach(world)
    await cancel(handle)
    await leaves_nothing(world, handle)


@pytest.mark.parametrize("cancel", CANCELS)
async def test_a_cancel_waits_for_the_account_that_is_being_created(
    world: World, cancel: Callable[[Handle], Awaitable[None]]
) -> None:
    """Otherwise the account would be created after it was removed."""
    world.knows(MEDICINE)
    world.accounts.down = True
    handle, _ = await world.submit()
    world.accounts.hold()
    world.accounts.down = False
    await handle.execute_update("retry_now", REASON)
    await world.accounts.registering.wait()
    cancelling = asyncio.create_task(asyncio.wait_for(cancel(handle), PATIENCE_SECONDS))
    await world.eventually(lambda: _is_cancelling(handle))
    world.accounts.release()
    await cancelling
    await leaves_nothing(world, handle)
    assert len(world.accounts.registrations) == 1


async def _is_cancelling(handle: Handle) -> bool:
    kinds = [event async for event in handle.fetch_history_events()]
    return any(
        (
            event.HasField("workflow_execution_update_accepted_event_attributes")
            and event.workflow_execution_update_accepted_event_attributes.accepted_request.input.name
            == "cancel_registration"
        )
        or event.HasField("workflow_execution_cancel_requested_event_attributes")
        for event in kinds
    )


# Queries and updates that meet without a cache can stop a worker for good (temporalio/sdk-rust#886); the
# fixture replays each history all the same.
@pytest.mark.several_at_once
async def test_a_cancel_during_giving_up_is_a_cancel(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    await world.passes(handle, timedelta(minutes=4))
    # Nothing can mend an account that is gone, so the registration gives up and asks about the password.
    world.accounts.accounts.clear()
    world.accounts.expiry_down = True
    await handle.execute_update("resend_link", REASON)

    async def gives_up() -> bool:
        return (await handle.query(Registration.status)).waiting_on == ("database",)

    await world.eventually(gives_up)
    await asyncio.wait_for(by_support(handle), PATIENCE_SECONDS)
    await leaves_nothing(world, handle)


async def test_a_cancel_that_meets_the_password_tells_what_came_of_it(world: World) -> None:
    world.knows(MEDICINE)
    handle, _ = await world.submit()
    await world.mailed("password_link")
    world.sets_password()
    signal, cancel = await asyncio.gather(
        handle.signal(Registration.password_set), by_support(handle), return_exceptions=True
    )
    assert signal is None
    status = await handle.result()
    if status.stage is Stage.CANCELLED:
        assert cancel is None
    else:
        assert status.stage is Stage.COMPLETED
        # The registration refuses it, or has closed before it came: support reads that none is running.
        if isinstance(cancel, RPCError):
            assert is_unknown_workflow(cancel)
        else:
            assert isinstance(cancel, WorkflowUpdateFailedError)
    assert all(contact.has_password for contact in world.accounts.accounts.values())
    assert len(world.accounts.accounts) == 1


async def test_a_cancel_that_meets_a_completion_of_an_activity_is_whole_or_not_at_all(world: World) -> None:
    """The server throws a closing task away when something new has come.

    Nothing of it may stay done.
    """
    world.knows(MEDICINE)
    for _ in range(10):
        world.mailer.sent.clear()
        handle, _ = await world.submit()
        # The mail's completion and the cancel race for the same task.
        await by_support(handle)
        await leaves_nothing(world, handle)
        world.accounts.registrations.clear()


@dataclass(kw_only=True)
class Storm:
    """All that people, support and outages can do to one registration, by chance."""

    world: World
    handle: Handle
    chance: random.Random

    async def sets_password(self) -> None:
        self.world.sets_password()
        await self.mistaken_signal()

    async def mistaken_signal(self) -> None:
        await self.handle.signal(Registration.password_set)

    async def asks_again(self) -> None:
        await self.handle.signal(Registration.asked_again)

    async def time_passes(self) -> None:
        await self.world.passes(self.handle, timedelta(minutes=self.chance.choice([1, 4, 60, 600])))

    async def mail_turns(self) -> None:
        self.world.mailer.down = not self.world.mailer.down

    async def registry_turns(self) -> None:
        self.world.talent.down = not self.world.talent.down

    async def resends(self) -> None:
        await self._updates("resend_link")

    async def retries(self) -> None:
        await self._updates("retry_now")

    async def cancels(self) -> None:
        await self._updates("cancel_registration")

    async def cancels_in_temporal(self) -> None:
        await self.handle.cancel()

    async def _updates(self, name: str) -> None:
        await self.handle.execute_update(name, self.chance.choice([REASON, " "]))

    async def blow(self) -> None:
        """A few things in the same moment; a refusal is an answer too."""
        acts = [
            *(self.sets_password, self.mistaken_signal, self.asks_again, self.time_passes),
            *(self.mail_turns, self.registry_turns, self.resends, self.retries),
            *(self.cancels, self.cancels_in_temporal),
        ]
        together = self.chance.sample(acts, k=self.chance.choice([1, 1, 2, 3]))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*(act() for act in together), return_exceptions=True)

    async def has_ended(self) -> bool:
        return (await self.handle.describe()).close_time is not None


# As above: queries and updates meet.
@pytest.mark.several_at_once
@pytest.mark.parametrize("seed", SEEDS)
async def test_any_order_of_everything_ends_well(world: World, seed: int) -> None:
    """However it goes, the run ends in a stage that agrees with the database."""
    chance = random.Random(seed)
    world.knows(MEDICINE)
    world.talent.down = chance.random() < 0.3
    handle, _ = await world.submit()
    storm = Storm(world=world, handle=handle, chance=chance)
    for _ in range(6):
        if not await storm.has_ended():
            await storm.blow()
    world.talent.down = world.mailer.down = False
    while not await storm.has_ended():
        try:
            await world.passes(handle, timedelta(hours=25))
        except RPCError as error:
            # Where it has ended since it was looked at, the loop sees it.
            if not is_unknown_workflow(error):
                raise
    status = await handle.result()
    assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED
    accounts = list(world.accounts.accounts.values())
    assert status.stage in {Stage.COMPLETED, Stage.EXPIRED, Stage.CANCELLED}
    if status.stage is Stage.COMPLETED:
        assert [contact.has_password for contact in accounts] == [True]
    if status.stage is Stage.CANCELLED:
        assert all(contact.has_password for contact in accounts)
    assert all(link.closed for link in world.accounts.links.values())


@workflow.defn(name="Careless")
class Careless:
    """Ends while a handler is under way, which a registration never does."""

    def __init__(self) -> None:
        self._is_asked = False

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self._is_asked)

    @workflow.update
    async def ask(self) -> None:
        self._is_asked = True
        await workflow.wait_condition(lambda: False)


async def test_a_run_that_ends_before_a_handler_is_noticed(
    temporal_env: WorkflowEnvironment, unfinished: list[str]
) -> None:
    """Every test of a workflow fails where a run leaves a handler unfinished."""
    queue = f"careless-{uuid.uuid4()}"
    async with Worker(
        temporal_env.client,
        task_queue=queue,
        workflows=[Careless],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        handle = await temporal_env.client.start_workflow(Careless.run, id=queue, task_queue=queue)
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update(Careless.ask)
        await handle.result()
    [found] = unfinished
    assert "ask" in found
    unfinished.clear()
