"""The crash matrix: each row meets people at each step, and each person is found."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dev.chaos.disturbances import ACTS, KILLS, ROWS
from dev.chaos.product import Product
from dev.chaos.registrant import Registrant
from dev.chaos.steps import STEPS, Step
from dev.chaos.waiting import NotYetError, patiently

PEOPLE = 2
_CHANGES_OF_ONE_KIND = """
SELECT coalesce(max(times), 0) FROM (
    SELECT count(*) AS times FROM access_changes JOIN accounts ON accounts.id = account_id
    WHERE login = $1 GROUP BY change) AS kinds
"""
_CHANGES_OF_ADDRESS = """
SELECT count(*) FROM address_changes JOIN accounts ON accounts.id = account_id WHERE login = $1
"""
# A killed program may lose between sending and recording that a mail was sent: the next attempt sends it again.
MOST_COPIES = dict.fromkeys(KILLS, 2) | dict.fromkeys(ACTS, 1)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One cell of the table.

    Attributes:
        row: The part that was killed, or what else was done.
        lost: People whose registration did not end.
        doubled: People who have two of something that must exist once.
        mailed_twice: People who got more than one copy of any mail.
        copies: The highest number of copies of one mail.
        seconds: From the first submission until the last registration ended.
    """

    row: str
    step: str
    lost: int
    doubled: int
    mailed_twice: int
    copies: int
    seconds: float

    @property
    def is_good(self) -> bool:
        return self.lost == self.doubled == 0 and self.copies <= MOST_COPIES[self.row]


async def crash_everywhere(
    product: Product, *, until: float, report: Callable[[Sequence[Verdict]], None] = lambda _: None
) -> list[Verdict]:
    """Fill row after row until the time is over."""
    verdicts: list[Verdict] = []
    for row in ROWS:
        if time.monotonic() < until:
            found = await crash_along_the_way(product, [(row, step) for step in STEPS])
            report(found)
            verdicts += found
    return verdicts


async def crash_along_the_way(product: Product, cells: Sequence[tuple[str, Step]]) -> list[Verdict]:
    """Fill some cells; their people continue while the next ones are held."""
    interrupted = [(row, step, time.monotonic(), await _interrupt(product, row, step)) for row, step in cells]
    return [await _verdict(product, *cell) for cell in interrupted]


Journeys = list[tuple[Registrant, asyncio.Task[float]]]


async def _interrupt(product: Product, row: str, step: Step) -> Journeys:
    """Hold people in a step, have the row happen, and let them go on."""
    people = await step.people(product, PEOPLE)
    if step.before:
        await asyncio.gather(*(step.before(person) for person in people))
    async with step.hold(product, people):
        journeys = [(person, asyncio.create_task(_finish(step, person))) for person in people]
        await step.reached(product, people)
        await ROWS[row](product, people)
    return journeys


async def _finish(step: Step, person: Registrant) -> float:
    """Do what is left after the step, and return the time of its end."""
    await step.finish(person)
    return time.monotonic()


async def _verdict(product: Product, row: str, step: Step, began: float, journeys: Journeys) -> Verdict:
    lost, ended = 0, began
    for _, journey in journeys:
        try:
            ended = max(ended, await journey)
        except NotYetError:
            lost += 1
    people = [person for person, _ in journeys]
    copies = [await _copies(person) for person in people]
    return Verdict(
        row=row,
        step=step.name,
        lost=lost,
        doubled=sum([await _is_doubled(product, person, step) for person in people]),
        mailed_twice=sum(count > 1 for count in copies),
        copies=max(copies),
        seconds=ended - began,
    )


async def _is_doubled(product: Product, person: Registrant, step: Step) -> bool:
    accounts = await product.count("SELECT count(*) FROM accounts WHERE login = $1", person.citizen.login)
    profiles = await product.count("SELECT count(*) FROM profiles WHERE radicado = $1", person.radicado)
    runs = await product.temporal.count_workflows(
        # Whoever was cancelled, or gave up waiting, begins anew.
        f"WorkflowId = 'registration/{person.radicado}' AND RegistrationStage NOT IN ('cancelled', 'refused')"
    )
    changes = await product.count(_CHANGES_OF_ONE_KIND, person.citizen.login)
    addresses = await product.count(_CHANGES_OF_ADDRESS, person.citizen.login)
    return max(accounts, profiles, changes, addresses) > 1 or runs.count > step.completed


async def _copies(person: Registrant) -> int:
    """How many copies of one mail arrived, at most."""
    return max(Counter(await patiently(person.texts)).values(), default=0)


def table(verdicts: Sequence[Verdict]) -> str:
    """Rows by steps: lost/doubled, the most copies of a mail, and the time."""
    cells = {(verdict.row, verdict.step): verdict for verdict in verdicts}
    width = max(len(step.name) for step in STEPS)
    lines = ["  ".join(["kill -9".ljust(10), *(step.name.ljust(width) for step in STEPS)]).rstrip()]
    for row in ROWS:
        filled = [_cell(cells.get((row, step.name))).ljust(width) for step in STEPS]
        lines.append("  ".join([row.ljust(10), *filled]).rstrip())
    return "\n".join(lines)


def _cell(verdict: Verdict | None) -> str:
    if verdict is None:
        return "-"
    return f"{verdict.lost}/{verdict.doubled} ×{verdict.copies} {verdict.seconds:.0f} s"


def summary(verdicts: Sequence[Verdict]) -> str:
    lost, doubled = sum(v.lost for v in verdicts), sum(v.doubled for v in verdicts)
    people, mailed_twice = len(verdicts) * PEOPLE, sum(v.mailed_twice for v in verdicts)
    return (
        f"{len(verdicts)} casos, {people} personas: {lost} perdidas, {doubled} duplicadas, "
        f"{mailed_twice} con un correo repetido."
    )


def whole() -> int:
    """How many cells the table has."""
    return len(ROWS) * len(STEPS)


def diagonal() -> list[tuple[str, Step]]:
    """Each row at one step, and the steps that follow a registration: for the test suite."""
    by_name = {step.name: step for step in STEPS}
    pairs = (
        # What is noticed after many seconds comes first: it is mended while the others run.
        ("correo", "cambiar correo"),
        ("worker", "revisar acceso"),
        ("worker", "ReTHUS"),
        ("temporal", "crear cuenta"),
        ("correo", "enviar enlace"),
        ("registros", "miseguridadsocial"),
        ("api", "guardar clave"),
        ("postgres", "esperar clave"),
        ("cancelar", "crear cuenta"),
        ("doble clic", "confirmar"),
        ("temporal", "esperar ReTHUS"),
    )
    return [(row, by_name[name]) for row, name in pairs]
