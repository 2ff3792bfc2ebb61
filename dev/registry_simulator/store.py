"""People and modes, in memory and, if asked for, in one file."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ValidationError

from dev.registry_simulator.modes import Behaviour, Registry
from dev.registry_simulator.people import Person
from dev.registry_simulator.raw import RawAnswer
from dev.registry_simulator.seed import seeded_people, today_in_bogota


class StateUnreadableError(Exception):
    """The state file is another program's. The text is the Spanish line to show."""


class State(BaseModel):
    """What survives a restart.

    Neither seeded people, which come with the program, nor raw answers.
    """

    modes: dict[Registry, Behaviour] = {}
    people: list[Person] = []


class Store:
    """The seeded people with those added over them, and each registry's behaviour.

    Every change is written before it is shown, so that what a client has seen accepted is never lost.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        state = _read(file) if file else State()
        self._modes = {registry: state.modes.get(registry, Behaviour()) for registry in Registry}
        self._added = {str(person.document): person for person in state.people}
        self._raw_answers: dict[tuple[Registry, str], RawAnswer] = {}

    @property
    def modes(self) -> Mapping[Registry, Behaviour]:
        return self._modes

    @property
    def added(self) -> Sequence[Person]:
        return list(self._added.values())

    def person(self, document: str) -> Person | None:
        return self._added.get(document) or seeded_people(today_in_bogota()).get(document)

    def everyone(self) -> Sequence[Person]:
        return list({**seeded_people(today_in_bogota()), **self._added}.values())

    def set_mode(self, registry: Registry, behaviour: Behaviour) -> None:
        modes = {**self._modes, registry: behaviour}
        self._save(State(modes=modes, people=self.added))
        self._modes = modes

    def add(self, people: Sequence[Person]) -> None:
        added = {**self._added, **{str(person.document): person for person in people}}
        self._save(State(modes=self._modes, people=list(added.values())))
        self._added = added

    def raw_answer(self, registry: Registry, path: str, query: str) -> RawAnswer | None:
        """Find the raw answer of a call.

        One that was given for the path with its query goes first.
        """
        with_query = self._raw_answers.get((registry, f"{path}?{query}"))
        return with_query or self._raw_answers.get((registry, path))

    def set_raw_answer(self, registry: Registry, answer: RawAnswer) -> None:
        self._raw_answers[registry, answer.path] = answer

    def forget_raw_answers(self, registry: Registry, path: str | None) -> None:
        """Forget the raw answer of one path, or all of the registry without a path."""
        self._raw_answers = {
            key: answer
            for key, answer in self._raw_answers.items()
            if key[0] is not registry or path not in (None, key[1])
        }

    def _save(self, state: State) -> None:
        if self._file:
            _replace(self._file, state.model_dump_json().encode())


def _read(file: Path) -> State:
    try:
        return State.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return State()
    except (OSError, ValidationError) as error:
        raise StateUnreadableError(
            f"No se pudo leer el estado del simulador en {file}. Bórrelo o indique otro con --state."
        ) from error


def _replace(file: Path, content: bytes) -> None:
    """Write beside the file and rename.

    A kill in between leaves the old content whole.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.draft")
    try:
        with draft.open("wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        draft.replace(file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
