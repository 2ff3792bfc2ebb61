"""What a program takes on its command line; a mistake there is one line."""

import argparse
import io
import sys
from typing import Any, NoReturn


def speak_in_any_locale() -> None:
    """Show a question mark for a sign that the terminal's encoding lacks.

    By itself Python ends the program there, in the middle of its output.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


class Arguments(argparse.ArgumentParser):
    """A parser that answers a mistake in one line, with exit status 2.

    Its own class prints the usage above it.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        speak_in_any_locale()

    def error(self, message: str) -> NoReturn:
        """End the program."""
        self.exit(2, f"{self.prog}: {message} (--help)\n")


def take_none(program: str, description: str | None) -> None:
    """End a program that was given words, or asked for help; else it goes on."""
    Arguments(prog=program, description=description).parse_args()
