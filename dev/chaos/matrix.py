"""The crash matrix: each part is killed at each step, and each person is found."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dev.chaos.product import PARTS, Product
from dev.chaos.registrant import Registrant, newcomers
from dev.chaos.steps import STEPS, Step
from dev.chaos.waiting import NotYetError, patiently

PEOPLE = 2
# One copy may be lost between sending and recording; the next attempt sends the other.
MOST_COPIES = 2


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One cell of the table.

    Attributes:
        lost: People whose registration did not end.
        doubled: People who have two of something that must exist once.
        copies: The highest number of copies of one link in a person's mail.
        seconds: From the first submission until the last registration ended.
    """

    part: str
    step: str
    lost: int
    doubled: int
    copies: int
    seconds: float

    @property
    def is_good(self) -> bool:
        return self.lost == self.doubled == 0 and self.copies <= MOST_COPIES


async def crash_everywhere(
    product: Product, *, until: float, report: Callable[[Sequence[Verdict]], None] = lambda _: None
) -> list[Verdict]:
    """Kill each part at each step, row after row until the time is over."""
    verdicts: list[Verdict] = []
    for part in PARTS:
        if time.monotonic() < until:
            row = await crash_along_the_way(product, [(part, step) for step in STEPS])
            report(row)
            verdicts += row
    return verdicts


async def crash_along_the_way(product: Product, cells: Sequence[tuple[str, Step]]) -> list[Verdict]:
    """Fill some cells; their people continue while the next ones are held."""
    interrupted = [
        (part, step, time.monotonic(), await _interrupt(product, part, step)) for part, step in cells
    ]
    return [await _verdict(product, *cell) for cell in interrupted]


Journeys = list[tuple[Registrant, asyncio.Task[float]]]


async def _interrupt(product: Product, part: str, step: Step) -> Journeys:
    """Hold people in a step, kill a part, start it again, and let them go on."""
    people = await newcomers(product, PEOPLE)
    if step.before:
        await asyncio.gather(*(step.before(person) for person in people))
    async with step.hold(product, people):
        journeys = [(person, asyncio.create_task(_finish(person))) for person in people]
        await step.reached(product, people)
        await product.stack.crash(part)
        await product.stack.restart(part)
    return journeys


async def _finish(person: Registrant) -> float:
    """Finish a registration and return the time of its end."""
    await person.finish()
    return time.monotonic()


async def _verdict(product: Product, part: str, step: Step, began: float, journeys: Journeys) -> Verdict:
    lost, ended = 0, began
    for _, journey in journeys:
        try:
            ended = max(ended, await journey)
        except NotYetError:
            lost += 1
    people = [person for person, _ in journeys]
    return Verdict(
        part=part,
        step=step.name,
        lost=lost,
        doubled=sum([await _is_doubled(product, person) for person in people]),
        copies=max([await _copies(person) for person in people]),
        seconds=ended - began,
    )


async def _is_doubled(product: Product, person: Registrant) -> bool:
    accounts = await product.count("SELECT count(*) FROM accounts WHERE login = $1", person.citizen.login)
    profiles = await product.count("SELECT count(*) FROM profiles WHERE radicado = $1", person.radicado)
    runs = await product.temporal.count_workflows(f"WorkflowId = 'registration/{person.radicado}'")
    return max(accounts, profiles, runs.count) > 1


async def _copies(person: Registrant) -> int:
    """How many copies of the first mail arrived; the other mails are confirmations."""
    subjects = [str(mail["Subject"]) for mail in await patiently(person.mails)]
    return subjects.count(subjects[0]) if subjects else 0


def table(verdicts: Sequence[Verdict]) -> str:
    """Faults by steps: lost/doubled, the most copies of a mail, and the time."""
    cells = {(verdict.part, verdict.step): verdict for verdict in verdicts}
    width = max(len(step.name) for step in STEPS)
    lines = ["  ".join(["kill -9".ljust(10), *(step.name.ljust(width) for step in STEPS)]).rstrip()]
    for part in PARTS:
        row = [_cell(cells.get((part, step.name))).ljust(width) for step in STEPS]
        lines.append("  ".join([part.ljust(10), *row]).rstrip())
    return "\n".join(lines)


def _cell(verdict: Verdict | None) -> str:
    if verdict is None:
        return "-"
    return f"{verdict.lost}/{verdict.doubled} ×{verdict.copies} {verdict.seconds:.0f} s"


def summary(verdicts: Sequence[Verdict]) -> str:
    lost, doubled = sum(v.lost for v in verdicts), sum(v.doubled for v in verdicts)
    people = len(verdicts) * PEOPLE
    return f"{len(verdicts)} caídas, {people} personas: {lost} perdidas, {doubled} duplicadas."


def whole() -> int:
    """How many cells the table has."""
    return len(PARTS) * len(STEPS)


def diagonal() -> list[tuple[str, Step]]:
    """Each part once, each at another step: the short version for the test suite."""
    by_name = {step.name: step for step in STEPS}
    pairs = {
        "worker": "ReTHUS",
        "temporal": "crear cuenta",
        "correo": "enviar enlace",
        "registros": "miseguridadsocial",
        "api": "guardar clave",
        "postgres": "esperar clave",
    }
    return [(part, by_name[name]) for part, name in pairs.items()]
