"""Command line: `python -m dev.mail_catcher --smtp-port N --ui-port M [--host H] [--dir FOLDER]`."""

import argparse
import asyncio
import functools
import sys
import tempfile
from pathlib import Path

from dev.mail_catcher.app import create_app
from dev.mail_catcher.inbox import Inbox
from dev.mail_catcher.smtp import SmtpDesk
from dev.serving import PortUnavailableError, open_listener, port_of, run, serve
from mipres.arguments import Arguments

DEFAULT_SMTP_PORT = 1025
DEFAULT_UI_PORT = 8025


def main() -> None:
    options = _options()
    try:
        if options.dir:
            run(functools.partial(_program, options, options.dir))
            return
        with tempfile.TemporaryDirectory(prefix="mail-catcher-") as folder:
            run(functools.partial(_program, options, Path(folder, "mail")))
    except PortUnavailableError as error:
        sys.exit(str(error))


def _options() -> argparse.Namespace:
    parser = Arguments(prog="python -m dev.mail_catcher", description="Buzón de desarrollo")
    parser.add_argument(
        "--smtp-port", type=int, default=DEFAULT_SMTP_PORT, help="puerto SMTP; 0 toma uno libre"
    )
    parser.add_argument("--ui-port", type=int, default=DEFAULT_UI_PORT, help="puerto web; 0 toma uno libre")
    parser.add_argument("--host", default="127.0.0.1", help="dirección en la que escucha")
    parser.add_argument("--dir", type=Path, help="carpeta Maildir donde se conservan los mensajes")
    return parser.parse_args()


async def _program(options: argparse.Namespace, folder: Path, stopping: asyncio.Event) -> None:
    inbox = Inbox(folder)
    desk = SmtpDesk(inbox, host=options.host, port=options.smtp_port)
    listener = open_listener(options.host, options.ui_port, option="--ui-port")
    await desk.open()
    try:
        print(
            f"Buzón de desarrollo en http://{options.host}:{port_of(listener)}, SMTP en {options.host}:{desk.port}",
            flush=True,
        )
        await serve(create_app(inbox, desk), listener, stopping=stopping)
    finally:
        desk.close()


if __name__ == "__main__":
    main()
