import asyncio
import signal
import socket
from pathlib import Path

import httpx2
import pytest

from dev.registry_simulator.modes import Behaviour, Mode, Registry
from dev.registry_simulator.people import Document, Person
from dev.registry_simulator.store import StateUnreadableError, Store
from tests.dev.programs import Start, run_to_its_end

PROGRAM = ("dev.registry_simulator", "--port", "0")
RETHUS = "/rethus/profesionales/CC/1020304050"
NEW_PERSON = Person(
    document=Document(type="CC", number="555"), given_names="Inés", surnames="Ñ", email="ines@ejemplo.test"
)


async def test_added_people_and_modes_survive_a_kill(
    start: Start, http: httpx2.AsyncClient, tmp_path: Path
) -> None:
    state = ("--state", str(tmp_path / "state" / "registries.json"))
    first = await start(*PROGRAM, *state)
    await http.post(f"{first.url}/_control/people", json=[NEW_PERSON.model_dump(mode="json")])
    await http.put(f"{first.url}/_control/rethus", json={"mode": "error"})
    await first.kill()

    second = await start(*PROGRAM, *state)

    assert (await http.get(f"{second.url}/miseguridadsocial/personas/CC/555")).json()["given_names"] == "Inés"
    assert (await http.get(second.url + RETHUS)).status_code == 500


async def test_a_registry_that_is_down_closes_without_an_answer(
    start: Start, http: httpx2.AsyncClient
) -> None:
    simulator = await start(*PROGRAM)
    await http.put(f"{simulator.url}/_control/rethus", json={"mode": "down"})

    with pytest.raises(httpx2.RemoteProtocolError):
        await http.get(simulator.url + RETHUS)

    assert (await http.get(f"{simulator.url}/_control")).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_spite_of_slow_calls(
    start: Start, http: httpx2.AsyncClient, number: signal.Signals
) -> None:
    simulator = await start(*PROGRAM)
    await http.put(f"{simulator.url}/_control/rethus", json={"mode": "slow"})
    call = asyncio.create_task(http.get(simulator.url + RETHUS))
    while not (await http.get(f"{simulator.url}/_control/calls")).json()["rethus"]:
        pass

    assert await simulator.end(number) == 0
    with pytest.raises(httpx2.RemoteProtocolError):
        await call


async def test_the_token_comes_from_the_environment(start: Start, http: httpx2.AsyncClient) -> None:
    simulator = await start(*PROGRAM, MIPRES_SIMULATOR_TOKEN="secreto")

    assert (await http.get(simulator.url + RETHUS)).status_code == 401
    allowed = await http.get(simulator.url + RETHUS, headers={"Authorization": "Bearer secreto"})
    assert allowed.status_code == 200


async def test_a_taken_port_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = await run_to_its_end("dev.registry_simulator", "--port", port)

    assert process == (1, f"El puerto {port} de 127.0.0.1 ya está en uso. Elija otro con --port.\n")


async def test_a_state_file_of_something_else_is_told_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_text('{"people": "nadie"}')

    status, line = await run_to_its_end(*PROGRAM, "--state", str(file))

    assert status == 1
    assert line.startswith("No se pudo leer el estado del simulador")
    assert line.count("\n") == 1


def test_a_failed_write_leaves_file_and_memory_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "state.json"
    store = Store(file)
    store.add([NEW_PERSON])
    before = file.read_bytes()

    def fail(_descriptor: int) -> None:
        raise OSError

    monkeypatch.setattr("dev.registry_simulator.store.os.fsync", fail)
    with pytest.raises(OSError):  # noqa: PT011 - raised by the fake above, without a message.
        store.set_mode(Registry.SSO, Behaviour(mode=Mode.DOWN))

    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]
    assert store.modes[Registry.SSO].mode is Mode.UP


def test_a_state_that_cannot_be_read_raises(tmp_path: Path) -> None:
    with pytest.raises(StateUnreadableError):
        Store(tmp_path)
