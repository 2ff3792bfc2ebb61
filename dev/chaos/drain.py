"""The drain: many registrations wait for one registry.

It comes back, and how gently it is asked.
"""

import asyncio
import statistics
import time
from dataclasses import dataclass

from dev.chaos.product import Product
from dev.chaos.registrant import newcomers
from dev.chaos.waiting import NotYetError, patiently

REGISTRY = "rethus"
AT_ONCE = 10
PAUSE_BETWEEN_NEWCOMERS = 1.0
DRAIN_SECONDS = 300.0


@dataclass(frozen=True, kw_only=True)
class Drain:
    """What was measured while the parked registrations went on."""

    parked: int
    seconds: float
    peak_per_second: int
    calls: int
    before_ms: list[float]
    during_ms: list[float]

    def __str__(self) -> str:
        return (
            f"{self.parked} registros esperaban a {REGISTRY}; al volver siguieron solos en {self.seconds:.0f} s, "
            f"con {self.calls} consultas y un máximo de {self.peak_per_second} en un segundo.\n"
            f"Registro nuevo: {_figures(self.before_ms)} en calma; {_figures(self.during_ms)} durante el drenaje."
        )


async def drain(product: Product, *, parked: int) -> Drain:
    """Park registrations, bring the registry back, and register others meanwhile."""
    calm = [await _time_of_a_submission(product) for _ in range(AT_ONCE)]
    await product.set_registry(REGISTRY, mode="error")
    waiting = await newcomers(product, parked)
    for start in range(0, parked, AT_ONCE):
        await asyncio.gather(*(person.submit() for person in waiting[start : start + AT_ONCE]))
    await product.registries.delete("/_control/calls")
    began = time.monotonic()
    await product.set_registry(REGISTRY, mode="up")
    draining = asyncio.create_task(_until_nobody_waits(product))
    during = []
    while not draining.done():
        during.append(await _time_of_a_submission(product))
        await asyncio.wait({draining}, timeout=PAUSE_BETWEEN_NEWCOMERS)
    await draining
    seconds = time.monotonic() - began
    peak = (await product.registries.get("/_control/calls/peak")).json()[REGISTRY]
    return Drain(
        parked=parked,
        seconds=seconds,
        peak_per_second=peak["peak_per_second"],
        calls=peak["total"],
        before_ms=calm,
        during_ms=during,
    )


async def _time_of_a_submission(product: Product) -> float:
    """Milliseconds until the page has its answer."""
    [person] = await newcomers(product, 1)
    began = time.monotonic()
    await person.submit()
    return (time.monotonic() - began) * 1000


async def _until_nobody_waits(product: Product) -> None:
    async def ask() -> None:
        waiting = await product.temporal.count_workflows("RegistrationStage = 'waiting_registry'")
        if waiting.count:
            raise NotYetError(f"{waiting.count} still wait")

    await patiently(ask, seconds=DRAIN_SECONDS)


def _figures(milliseconds: list[float]) -> str:
    slowest = max(milliseconds)
    return f"mediana {statistics.median(milliseconds):.0f} ms, peor {slowest:.0f} ms ({len(milliseconds)})"
