"""The mixed day: how fast people come, and what breaks meanwhile."""

import asyncio
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.http import Connection
from bench.mailbox import Mailbox
from bench.people import set_registry, tell_registries
from bench.soak.people import Plan, make_plan
from bench.soak.samples import Observer, Sample
from bench.soak.visit import NotFinishedError, Tally, Visit
from dev.private_stack import PrivateStack

LOAD = 0.6
REGISTRIES = ("miseguridadsocial", "rethus", "sso")
PARTS = ("api", "worker", "temporal", "postgres", "correo", "registros")
SAMPLES = 120
_VISITORS = 8
_WARM_UP_PEOPLE = 20
_MODES = ("error", "down")
# Shares of a third of the day, apart from one another.
_OUTAGES_AT = (0.30, 0.55, 0.80)
_OUTAGE_SHARE = 0.05
_PATIENCE_SECONDS = 300.0
"""Of a step, while no registry is down: a part may be starting again."""
_SHORTEST_PAUSE_SECONDS = 0.25


@dataclass(frozen=True, kw_only=True)
class Lived:
    """What a day was like. Rates are people a second."""

    capacity: float
    rate: float
    people: int
    samples: Sequence[Sample]
    disturbances: Sequence[tuple[float, str]]


def patience_of(outage: float) -> float:
    """Seconds for which a step is tried, with outages of this many seconds.

    Who came meanwhile is served after it beside those who go on coming, by what these leave of the capacity.
    """
    return _PATIENCE_SECONDS + outage / (1 - LOAD)


class Day:
    """One day on one stack."""

    def __init__(self, stack: PrivateStack, mailbox: Mailbox, *, seconds: float, seed: int) -> None:
        self.tally = Tally()
        self._stack = stack
        self._mailbox = mailbox
        self._seconds = seconds
        self._outage = _OUTAGE_SHARE * seconds / 3
        self._chance = random.Random(seed)  # noqa: S311 - the same day again, no secret.
        self._disturbances: list[tuple[float, str]] = []
        # Before it has begun it is over: those who show the capacity wait for no further link.
        self._began = -math.inf

    async def live(self, *, restarts: Sequence[str]) -> Lived:
        """Find the capacity, then have people come at a share of it while parts fail."""
        capacity = await self._capacity()
        rate = LOAD * capacity
        plans = await self._known_people(round(rate * self._seconds))
        self.tally = Tally()
        self._began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch())
            group.create_task(self._disturb(restarts))
            group.create_task(self._arrivals(plans, rate))
        return Lived(
            capacity=round(capacity, 2),
            rate=round(rate, 2),
            people=len(plans),
            samples=watching.result(),
            disturbances=self._disturbances,
        )

    async def _known_people(self, count: int) -> list[Plan]:
        plans = [make_plan(self._chance) for _ in range(count)]
        await tell_registries(self._stack.settings.registry_port, [plan.citizen for plan in plans])
        return plans

    async def _capacity(self) -> float:
        """People a second of as many visitors as keep the product busy, once it is warm."""
        await self._closed_loop(_WARM_UP_PEOPLE)
        seconds = min(20.0, self._seconds / 10)
        done, began = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - began) < seconds:
            done += await self._closed_loop(2 * _VISITORS)
        return done / elapsed

    async def _closed_loop(self, count: int) -> int:
        left = iter(await self._known_people(count))

        async def visitor() -> None:
            for plan in left:
                await self._visit(plan).live()

        await asyncio.gather(*(visitor() for _ in range(_VISITORS)))
        return count

    def _visit(self, plan: Plan) -> Visit:
        settings = self._stack.settings
        return Visit(
            plan=plan,
            api=Connection(port=settings.api_port),
            mail=Connection(port=settings.mail_ui_port),
            mailbox=self._mailbox,
            tally=self.tally,
            patience=patience_of(self._outage),
            until=self._began + self._seconds,
        )

    async def _arrivals(self, plans: Sequence[Plan], rate: float) -> None:
        """Everybody comes at their time, however many are still there."""
        async with asyncio.TaskGroup() as group:
            for number, plan in enumerate(plans):
                await self._sleep_until(number / rate)
                group.create_task(self._live(plan))

    async def _live(self, plan: Plan) -> None:
        try:
            await self._visit(plan).live()
        except NotFinishedError as error:
            self.tally.unfinished.append(str(error))

    async def _watch(self) -> list[Sample]:
        observer, samples = Observer(self._stack, self.tally), []
        pause = max(_SHORTEST_PAUSE_SECONDS, self._seconds / SAMPLES)
        while self._now() < self._seconds:
            samples.append(await observer.look(self._now()))
            await asyncio.sleep(pause)
        return samples

    async def _disturb(self, restarts: Sequence[str]) -> None:
        """Restart each part in the first third; fail each registry in every third."""
        third = self._seconds / 3
        for number in range(3):
            async with asyncio.TaskGroup() as group:
                group.create_task(self._outages(number * third, third, _MODES[number % 2]))
                if number == 0:
                    group.create_task(self._restarts(restarts, third))

    async def _outages(self, start: float, third: float, mode: str) -> None:
        for registry, share in zip(REGISTRIES, _OUTAGES_AT, strict=True):
            await self._sleep_until(start + share * third)
            await self._set(registry, mode)
            await asyncio.sleep(self._outage)
            await self._set(registry, "up")

    async def _restarts(self, parts: Sequence[str], third: float) -> None:
        for number, part in enumerate(parts):
            await self._sleep_until(third * (number + 0.5) / len(parts))
            self._note(f"{part} killed")
            await self._stack.crash(part)
            await self._stack.restart(part)

    async def _set(self, registry: str, mode: str) -> None:
        self._note(f"{registry} {mode}")
        while True:
            try:
                await set_registry(self._stack.settings.registry_port, registry, {"mode": mode})
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(_SHORTEST_PAUSE_SECONDS)
            else:
                return

    def _note(self, what: str) -> None:
        self._disturbances.append((round(self._now(), 1), what))

    def _now(self) -> float:
        return time.monotonic() - self._began

    async def _sleep_until(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds - self._now()))
