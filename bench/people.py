"""Citizens whom nobody has registered yet, known to the simulated registries."""

from collections.abc import Mapping, Sequence

from bench.http import Connection, expect
from dev.citizen import Citizen, Delegate, next_number

_BATCH = 500


async def new_professionals(registries_port: int, count: int) -> list[Citizen]:
    """Make professionals up and add them to the simulator, before anything is timed."""
    people = [Citizen(number=next_number()) for _ in range(count)]
    await tell_registries(registries_port, people)
    return people


async def new_delegates(registries_port: int, count: int) -> list[Delegate]:
    """Make delegates up and add them to the simulator."""
    people = [Delegate(number=next_number()) for _ in range(count)]
    await tell_registries(registries_port, people)
    return people


async def tell_registries(registries_port: int, people: Sequence[Citizen]) -> None:
    """Have the simulated registries know people."""
    connection = Connection(port=registries_port)
    for start in range(0, len(people), _BATCH):
        batch = [person.record() for person in people[start : start + _BATCH]]
        expect(await connection.post("/_control/people", json=batch), 200)
    connection.close()


async def set_registry(registries_port: int, name: str, behaviour: Mapping[str, object]) -> None:
    """Have a simulated registry behave, or misbehave."""
    connection = Connection(port=registries_port)
    expect(await connection.put(f"/_control/{name}", json=behaviour), 200)
    connection.close()
