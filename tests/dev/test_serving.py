import socket

import pytest

from dev.serving import PortUnavailableError, open_listener, port_of


def test_a_listener_names_its_protocol_so_that_answers_are_not_held_back() -> None:
    with open_listener("127.0.0.1", 0, option="--port") as listener:
        assert listener.proto == socket.IPPROTO_TCP
        assert port_of(listener) > 0


def test_an_address_of_another_machine_is_told() -> None:
    with pytest.raises(PortUnavailableError, match=r"No se pudo abrir el puerto 0 de 192\.0\.2\.1 .*--port"):
        open_listener("192.0.2.1", 0, option="--port")
