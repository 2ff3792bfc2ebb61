"""Rules ask no server: what a test of them connects to is refused."""

import asyncio
import socket

import pytest
from pytest_socket import SocketConnectBlockedError


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_a_test_of_the_domain_connects_to_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(SocketConnectBlockedError):
        socket.create_connection(server.getsockname())


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
async def test_nor_from_an_event_loop() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(SocketConnectBlockedError):
        await asyncio.open_connection(*server.getsockname())
