"""Professionals whom nobody has registered yet, known to the simulated registries."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.http import Connection, expect

REGISTRATION_NUMBER = "76-1234"
NIT = "900123456"
_BATCH = 500
_numbers = itertools.count(20_000_001)


@dataclass(frozen=True, kw_only=True)
class Professional:
    """One person, by identity card."""

    number: str

    @property
    def email(self) -> str:
        return f"p{self.number}@ejemplo.test"

    @property
    def login(self) -> str:
        return f"CC{self.number}"

    def request(self) -> dict[str, object]:
        """Body of the API's POST."""
        return {
            "user_type": "professional",
            "document": {"type": "CC", "number": self.number},
            "professional_registration": REGISTRATION_NUMBER,
            "data_terms_accepted": True,
        }

    def record(self) -> dict[str, object]:
        """What the registries know."""
        profession = {"code": "01", "name": "MEDICINA", "registration": REGISTRATION_NUMBER}
        return {
            "document": {"type": "CC", "number": self.number},
            "given_names": "Ana María",
            "surnames": "Rodríguez Peña",
            "email": self.email,
            "rethus": {"professions": [profession], "sanctions": []},
        }


@dataclass(frozen=True, kw_only=True)
class Delegate(Professional):
    """One person whom a clinic has named, so that ReTHUS is not asked."""

    def request(self) -> dict[str, object]:
        return {
            "user_type": "delegate",
            "entity": {"kind": "IPS", "nit": NIT},
            "document": {"type": "CC", "number": self.number},
            "data_terms_accepted": True,
        }

    def record(self) -> dict[str, object]:
        clinic = {"nit": NIT, "name": "CLÍNICA DE EJEMPLO", "kind": "IPS", "regime": None}
        return super().record() | {"rethus": None, "delegate_of": [clinic]}


async def new_professionals(registries_port: int, count: int) -> list[Professional]:
    """Make people up and tell the simulator, before anything is timed."""
    people = [Professional(number=str(next(_numbers))) for _ in range(count)]
    await _tell(registries_port, people)
    return people


async def new_delegates(registries_port: int, count: int) -> list[Delegate]:
    """The same for delegates."""
    people = [Delegate(number=str(next(_numbers))) for _ in range(count)]
    await _tell(registries_port, people)
    return people


async def _tell(registries_port: int, people: Sequence[Professional]) -> None:
    connection = Connection(port=registries_port)
    for batch in _batches(people):
        expect(await connection.post_json("/_control/people", [person.record() for person in batch]), 200)
    connection.close()


async def set_registry(registries_port: int, name: str, behaviour: Mapping[str, object]) -> None:
    """Have a simulated registry behave, or misbehave."""
    connection = Connection(port=registries_port)
    expect(await connection.put_json(f"/_control/{name}", behaviour), 200)
    connection.close()


def _batches(people: Sequence[Professional]) -> Iterator[Sequence[Professional]]:
    for start in range(0, len(people), _BATCH):
        yield people[start : start + _BATCH]
