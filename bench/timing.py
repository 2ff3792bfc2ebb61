"""Whether the time of an answer tells what its text does not.

`python -m bench.timing`.

Prints the median of each kind of failed login, and of neutral submissions of people with and without an
account, each over 500; docs/security.md quotes a run.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from bench.http import Connection, expect
from bench.mailbox import Mailbox
from bench.people import new_professionals
from bench.product import measured_stack
from bench.statistics import median
from bench.visits import Driver
from dev.citizen import PASSWORD, REGISTRATION_NUMBER, Citizen, csrf_of
from dev.private_stack import PrivateStack
from mipres.arguments import take_none

SAMPLES = 500
_WRONG = "Otra-Clave-2027"
# Nine failures in a row do not lock yet.
_ROUNDS_BETWEEN_LIFTS = 8


async def main() -> None:
    """Measure and print."""
    async with measured_stack(captcha="off", enumeration="neutral") as stack:
        print_table("Failed logins", await logins(stack))
        print_table("Neutral submissions", await submissions(stack))


async def logins(stack: PrivateStack) -> Mapping[str, list[float]]:
    """Seconds of each kind of failure, in random order within each round."""
    complete, locked, without = await new_professionals(stack.settings.registry_port, 3)
    await register(stack, complete, locked)
    page = await open_page(stack, "/ingreso/mipres")
    expect(await submit_registration(stack, without), 201, 202)
    kinds = {
        "unknown login": ("CC99999999", PASSWORD),
        "wrong password": (complete.login, _WRONG),
        "no password yet": (without.login, PASSWORD),
        "locked, right password": (locked.login, PASSWORD),
    }

    async def attempt(login: str, password: str) -> None:
        fields = {"csrf_token": page.token, "usuario": login, "contrasena": password}
        expect(await page.connection.post("/ingreso/mipres", data=fields), 422)

    async with stack.database() as connection:
        for _ in range(10):
            await attempt(locked.login, _WRONG)
        # So that it outlasts the measurement.
        await connection.execute(
            "UPDATE login_guards SET locked_until = now() + interval '1 day' WHERE locked_until IS NOT NULL"
        )
        lift = "UPDATE login_guards SET failures = 0 WHERE locked_until IS NULL"
        return await alternate(
            {kind: partial(attempt, *told) for kind, told in kinds.items()},
            between=lambda: connection.execute(lift),
        )


async def submissions(stack: PrivateStack) -> Mapping[str, list[float]]:
    """Seconds until the page, for people with an account and without."""
    people = await new_professionals(stack.settings.registry_port, 2 * SAMPLES)
    async with stack.database() as connection:
        # Registering all of them takes minutes, and what the page must not tell is in this table.
        await connection.executemany(
            "INSERT INTO accounts (id, document_type, document_number, login, given_names, surnames, email, password_hash)"
            " VALUES (gen_random_uuid(), 'CC', $1, $2, 'Ana', 'Ruiz', $3, 'none')",
            [(person.number, person.login, person.email) for person in people[:SAMPLES]],
        )
    known, strangers = iter(people[:SAMPLES]), iter(people[SAMPLES:])
    page = await open_page(stack, "/registro/profesional")

    async def submit(number: str) -> None:
        fields = {
            "csrf_token": page.token,
            "tipo_documento": "CC",
            "numero_documento": number,
            "registro_profesional": REGISTRATION_NUMBER,
            "acepta_datos": "SI",
        }
        expect(await page.connection.post("/registro/profesional", data=fields), 202)

    return await alternate(
        {
            "with an account": lambda: submit(next(known).number),
            "without one": lambda: submit(next(strangers).number),
        },
        # What the first one started must not slow down the second one's answer.
        between=lambda: asyncio.sleep(0),
    )


async def alternate(
    kinds: Mapping[str, Callable[[], Awaitable[None]]], *, between: Callable[[], Awaitable[Any]]
) -> Mapping[str, list[float]]:
    """Each kind once a round, in an order of its own: drift hits all alike."""
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(SAMPLES):
        if number % _ROUNDS_BETWEEN_LIFTS == 0:
            await between()
        for kind in random.sample(list(kinds), k=len(kinds)):
            began = time.perf_counter()
            await kinds[kind]()
            times[kind].append(time.perf_counter() - began)
    return times


def print_table(title: str, times: Mapping[str, list[float]]) -> None:
    """Medians, and how far they lie apart."""
    medians = {kind: median(values) * 1000 for kind, values in times.items()}
    spread = (max(medians.values()) / min(medians.values()) - 1) * 100
    print(f"{title}, median of {SAMPLES} each:")
    for kind, value in medians.items():
        print(f"  {kind:24} {value:7.2f} ms")
    print(f"  largest over smallest    +{spread:.1f} %", flush=True)


class Page:
    """A form in a visit of its own."""

    def __init__(self, connection: Connection, token: str) -> None:
        self.connection = connection
        self.token = token


async def open_page(stack: PrivateStack, path: str) -> Page:
    connection = Connection(port=stack.settings.api_port)
    return Page(connection, csrf_of(expect(await connection.get(path), 200)))


async def register(stack: PrivateStack, *people: Citizen) -> None:
    """Registrations with their passwords."""
    mailbox = Mailbox(stack.settings.mail_ui_port)
    reading = asyncio.create_task(mailbox.read_for_ever())
    visitor = Driver(stack.settings.api_port, mailbox)
    for person in people:
        await visitor.register(person)
    visitor.close()
    reading.cancel()


async def submit_registration(stack: PrivateStack, person: Citizen) -> Any:
    key = stack.settings.api_keys[0].get_secret_value()
    connection = Connection(port=stack.settings.api_port)
    return await connection.post("/api/v1/registrations", json=person.request(), key=key)


if __name__ == "__main__":
    take_none("python -m bench.timing", __doc__)
    asyncio.run(main())
