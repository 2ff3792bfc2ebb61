"""What a program takes on its command line; a mistake there is one line."""

import argparse
from typing import NoReturn


class Arguments(argparse.ArgumentParser):
    """A parser that answers a mistake in one line, with exit status 2.

    Its own class prints the usage above it.
    """

    def error(self, message: str) -> NoReturn:
        """End the program."""
        self.exit(2, f"{self.prog}: {message} (--help)\n")


def take_none(program: str, description: str | None) -> None:
    """End a program that was given words, or asked for help; else it goes on."""
    Arguments(prog=program, description=description).parse_args()
