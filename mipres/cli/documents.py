"""What the reading commands found as one JSON document, for a program that reads it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from typing import Annotated

import typer

JsonOption = Annotated[
    bool, typer.Option("--json", help="Un solo documento JSON en la salida, para otros programas.")
]


def print_document(found: object) -> None:
    print(json.dumps(_plain(found), ensure_ascii=False, indent=2))


def _plain(value: object) -> object:
    """The value in JSON's own types; what `repr` hides, as a hash, stays out."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value) if field.repr}
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | float) else str(value)
