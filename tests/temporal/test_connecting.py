"""A worker waits for a Temporal that is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from temporalio.client import Client
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

import worker
from dev.probes import LOOPBACK
from mipres.temporal import connection
from mipres.temporal.answers import TemporalUnavailableError, translated
from mipres.temporal.connection import TemporalConnection, until_it_answers
from tests.patience import PATIENCE_SECONDS


def of_namespace(namespace: str, env: WorkflowEnvironment) -> TemporalConnection:
    return TemporalConnection(
        address=env.client.service_client.config.target_host,
        namespace=namespace,
        payload_keys={"uno": bytes(32)},
        active_payload_key="uno",
    )


async def test_it_connects_once_the_server_answers_and_says_once_that_it_waits(
    temporal_env: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_AGAIN_SECONDS", 0.0)
    said: list[TemporalUnavailableError] = []
    attempts = iter([RuntimeError("Failed client connect: transport error")] * 3)

    async def connecting() -> Client:
        for error in attempts:
            raise error
        return temporal_env.client

    assert await until_it_answers(connecting, on_away=said.append) is temporal_env.client
    assert len(said) == 1


async def test_a_server_that_stands_still_is_named_while_the_attempt_lasts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 0.0)
    said: asyncio.Queue[TemporalUnavailableError] = asyncio.Queue()
    answer = asyncio.Event()

    async def connecting() -> bool:
        return await answer.wait()

    waiting = asyncio.create_task(until_it_answers(connecting, on_away=said.put_nowait))
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert type(await said.get()) is TemporalUnavailableError
    answer.set()
    assert await waiting
    assert said.empty()


@pytest.fixture
async def silent_server() -> AsyncIterator[str]:
    """The address of something that takes connections and never says a word."""
    over = asyncio.Event()

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    async with await asyncio.start_server(hold, LOOPBACK, 0) as server:
        yield f"{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
        over.set()


async def test_no_call_waits_for_the_first_connection_to_a_server_that_stands_still(
    silent_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.05)
    place = TemporalConnection(
        address=silent_server,
        namespace="default",
        payload_keys={"uno": bytes(32)},
        active_payload_key="uno",
    )
    client = await connection.connect(place, identity="test", lazy=True)
    for _call in range(2):
        with pytest.raises(TemporalUnavailableError, match="no answer in time"), translated():
            await client.service_client.check_health()


async def test_a_connection_that_took_long_serves_the_calls_after_it(
    temporal_env: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.0)
    client = await connection.connect(of_namespace("default", temporal_env), identity="test", lazy=True)
    with pytest.raises(TimeoutError):
        await client.service_client.check_health()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with suppress(TimeoutError):
                assert await client.service_client.check_health()
                return
            await asyncio.sleep(0.01)


async def test_a_namespace_that_is_still_to_be_made_is_waited_for(
    temporal_env: WorkflowEnvironment,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(connection, "_AGAIN_SECONDS", 0.0)
    nowhere = of_namespace("por-crear", temporal_env)
    said: list[TemporalUnavailableError] = []

    async def connecting() -> Client:
        if said:
            return temporal_env.client
        return await worker.connect_completely(nowhere, interceptors=[], runtime=Runtime.default())

    assert await until_it_answers(connecting, on_away=said.append) is temporal_env.client
    worker.say_that_it_waits(nowhere, said[0])
    # Where an earlier test has set up the logs of the process, they are not on the screen.
    line = capsys.readouterr().out + caplog.text
    assert "el worker espera a Temporal y se conecta solo. Temporal no tiene el namespace por-crear" in line


async def test_schedules_are_set_up_once_a_server_that_left_is_back(
    temporal_env: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_AGAIN_SECONDS", 0.0)
    done: list[bool] = []
    attempts = iter([RPCError("connection refused", RPCStatusCode.UNAVAILABLE, b"")] * 2)

    async def ensure(_client: Client, *, reviews: bool) -> None:
        for error in attempts:
            raise error
        done.append(reviews)

    monkeypatch.setattr(worker, "ensure_schedules", ensure)
    await worker.scheduled(temporal_env.client, of_namespace("default", temporal_env), reviews=True)
    assert done == [True]


async def test_an_error_of_the_code_is_not_waited_for() -> None:
    async def connecting() -> Client:
        raise KeyError

    with pytest.raises(KeyError):
        await until_it_answers(connecting, on_away=lambda _: None)


async def test_a_worker_that_waits_can_be_stopped() -> None:
    stop = asyncio.Event()

    async def never() -> Client:
        stop.set()
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(SystemExit) as ended:
        await worker.unless_stopped(never(), stop)
    assert ended.value.code == 0
