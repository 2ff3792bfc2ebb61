"""Command line: `python -m dev.demo_application --client-id ID …`."""

import argparse
import asyncio
import functools
import sys

from dev.demo_application.app import Registered, create_app
from dev.serving import PortUnavailableError, open_listener, port_of, run, serve
from mipres.arguments import Arguments
from mipres.settings.names import DEVELOPMENT_CLIENT_SECRET


def main() -> None:
    try:
        run(functools.partial(_program, _options()))
    except PortUnavailableError as error:
        sys.exit(str(error))


def _options() -> argparse.Namespace:
    parser = Arguments(prog="python -m dev.demo_application", description="Aplicación de demostración")
    parser.add_argument("--client-id", required=True, help="nombre con el que la aplicación está inscrita")
    parser.add_argument("--name", required=True, help="título de la página")
    parser.add_argument("--issuer", required=True, help="dirección pública del registro")
    parser.add_argument("--secret", default=DEVELOPMENT_CLIENT_SECRET, help="secreto de la aplicación")
    parser.add_argument("--port", type=int, default=0, help="puerto web; 0 toma uno libre")
    parser.add_argument("--host", default="127.0.0.1", help="dirección en la que escucha")
    return parser.parse_args()


async def _program(options: argparse.Namespace, stopping: asyncio.Event) -> None:
    listener = open_listener(options.host, options.port, option="--port")
    address = f"http://localhost:{port_of(listener)}"
    print(f"{options.name} en {address}", flush=True)
    application = Registered(
        client_id=options.client_id,
        client_secret=options.secret,
        issuer=options.issuer.rstrip("/"),
        name=options.name,
        address=address,
    )
    await serve(create_app(application), listener, stopping=stopping)


if __name__ == "__main__":
    main()
