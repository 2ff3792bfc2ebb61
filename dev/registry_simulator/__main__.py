"""Command line: `python -m dev.registry_simulator --port N [--host H] [--state FILE] [--list]`."""

import argparse
import asyncio
import functools
import os
import socket
import sys
from pathlib import Path

from dev.registry_simulator.app import DroppableProtocol, Simulator, create_app
from dev.registry_simulator.people_page import table
from dev.registry_simulator.store import StateUnreadableError, Store
from dev.serving import PortUnavailableError, open_listener, port_of, run, serve
from mipres.arguments import Arguments

DEFAULT_PORT = 8100


def main() -> None:
    options = _options()
    if options.list:
        print(table())
        return
    try:
        store = Store(options.state)
        listener = open_listener(options.host, options.port, option="--port")
    except (StateUnreadableError, PortUnavailableError) as error:
        sys.exit(str(error))
    print(f"Simulador de registros en http://{options.host}:{port_of(listener)}", flush=True)
    run(functools.partial(_program, store, listener))


def _options() -> argparse.Namespace:
    parser = Arguments(prog="python -m dev.registry_simulator", description="Simulador de registros")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="puerto; 0 toma uno libre")
    parser.add_argument("--host", default="127.0.0.1", help="dirección en la que escucha")
    parser.add_argument("--state", type=Path, help="archivo donde se conservan personas y modos")
    parser.add_argument("--list", action="store_true", help="muestra las personas para probar y termina")
    return parser.parse_args()


async def _program(store: Store, listener: socket.socket, stopping: asyncio.Event) -> None:
    token = os.environ.get("MIPRES_SIMULATOR_TOKEN")
    app = create_app(Simulator(store=store, stopping=stopping, token=token))
    await serve(app, listener, stopping=stopping, protocol=DroppableProtocol)


if __name__ == "__main__":
    main()
