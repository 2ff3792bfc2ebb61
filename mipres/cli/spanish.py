"""What Typer says of itself, in Spanish.

Typer gives words of help out by its constants and its classes of commands, and has no catalogue for those of mistakes.
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import typer
from typer import rich_utils
from typer.core import TyperCommand, TyperGroup

rich_utils.ARGUMENTS_PANEL_TITLE = "Argumentos"
rich_utils.OPTIONS_PANEL_TITLE = "Opciones"
rich_utils.COMMANDS_PANEL_TITLE = "Comandos"
rich_utils.DEFAULT_STRING = "[por omisión: {}]"
rich_utils.REQUIRED_LONG_STRING = "[obligatorio]"

Command = TypeVar("Command", bound=Callable[..., Any])
_USAGE = (
    (r"usage: ", "Uso: "),
    (r"\[options\]", "[OPCIONES]"),
    (r"command \[args\]\.\.\.", "COMANDO [ARGUMENTOS]..."),
)
_MISTAKES = (
    (r"missing argument '(.+)'\.", r"falta el argumento '\1'"),
    (r"missing option '(.+)'\.", r"falta la opción '\1'"),
    (r"missing command\.", "falta el comando"),
    (r"no such command '(.+)'\. did you mean (.+)\?", r"el comando '\1' no existe; ¿es \2?"),
    (r"no such command '(.+)'\.", r"el comando '\1' no existe"),
    (r"no such option: (\S+) \(possible options: (.+)\)", r"la opción '\1' no existe; ¿es \2?"),
    (r"no such option: (\S+)", r"la opción '\1' no existe"),
    (r"option '(.+)' requires an argument\.", r"la opción '\1' necesita un valor"),
    (r"option '(.+)' does not take a value\.", r"la opción '\1' no lleva valor"),
    (r"got unexpected extra argument\(s\) \((.+)\)", r"sobra: \1"),
    (r"invalid value for '(.+)': input should be a valid integer.*", r"'\1' es un número entero"),
    (r"invalid value for '(.+)': input should be greater than or equal to (\d+)", r"'\1' es mínimo \2"),
    (r"invalid value for '(.+)': input should be less than or equal to (\d+)", r"'\1' es máximo \2"),
)
"""Whole messages, in any case; those with a suggestion before those without."""


def in_spanish(mistake: str) -> str:
    """Return a message about a misused command as people read it."""
    for pattern, words in _MISTAKES:
        if found := re.fullmatch(pattern, mistake, re.IGNORECASE):
            return found.expand(words)
    return mistake


class _Command(TyperCommand):
    def get_usage(self, ctx: Any) -> str:
        return _usage_in_spanish(super().get_usage(ctx))

    def get_help_option(self, ctx: Any) -> Any:
        return _help_in_spanish(super().get_help_option(ctx))


class _Group(TyperGroup):
    def get_usage(self, ctx: Any) -> str:
        return _usage_in_spanish(super().get_usage(ctx))

    def get_help_option(self, ctx: Any) -> Any:
        return _help_in_spanish(super().get_help_option(ctx))


def _usage_in_spanish(usage: str) -> str:
    for pattern, words in _USAGE:
        usage = re.sub(pattern, words, usage, count=1, flags=re.IGNORECASE)
    return usage


def _help_in_spanish(option: Any) -> Any:
    if option is not None:
        option.help = "Muestra esta ayuda."
    return option


class Commands(typer.Typer):
    """Commands of one kind; without a word, their help."""

    def __init__(self, **options: Any) -> None:
        super().__init__(cls=_Group, no_args_is_help=True, **options)

    def command(self, name: str | None = None, **options: Any) -> Callable[[Command], Command]:
        return super().command(name, cls=_Command, **options)
