"""What a program takes on its command line; a mistake there is one line."""

import argparse
import io
import sys
from typing import Any, NoReturn

from mipres.version import VERSION_LINE


def speak_in_any_locale() -> None:
    """Show a question mark for a sign that the terminal's encoding lacks.

    By itself Python ends the program there, in the middle of its output.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


class Arguments(argparse.ArgumentParser):
    """A parser that knows the release, and answers a mistake in one line.

    Its own class prints the usage above that line. The exit status is 2.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        speak_in_any_locale()
        self.add_argument("--version", action="version", version=VERSION_LINE)

    def error(self, message: str) -> NoReturn:
        """End the program."""
        self.exit(2, f"{self.prog}: {message} (--help)\n")


def take_none(program: str, description: str | None) -> None:
    """End a program that was given words, or asked for help; else it goes on."""
    Arguments(prog=program, description=description).parse_args()
