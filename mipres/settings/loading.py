"""Settings for a program that starts, or one line that says which is wrong."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches

from pydantic import ValidationError

from mipres.settings.model import Settings, UnusableSettingError
from mipres.settings.names import OTHER_PROGRAMS, PREFIX, variable

_REMEDY_BY_ERROR_TYPE = {
    "missing": "falta; defínala (en desarrollo la genera `make run` en su primer inicio).",
    "int_parsing": "debe ser un número entero.",
    "float_parsing": "debe ser un número.",
    "too_short": "use al menos {min_length} caracteres aleatorios.",
    "literal_error": "debe ser {expected}.",
    "enum": "debe ser {expected}.",
    "bool_parsing": "debe ser `true` o `false`.",
    "ip_any_address": "debe ser una dirección IP, como `127.0.0.1` o `::`.",
    "greater_than": "debe ser mayor que {gt}.",
    "greater_than_equal": "debe ser como mínimo {ge}.",
    "less_than_equal": "debe ser como máximo {le}.",
    "value_error": "{error}",
}
_UNKNOWN_REMEDY = "su valor no es válido; consulte la tabla de variables de docs/deployment.md."


def _write_error(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def load_settings(*, say: Callable[[str], object] = _write_error) -> Settings:
    """Settings for a composition root.

    A wrong one ends the process with one line, not a traceback.

    Args:
        say: Where lines go; by default to the person who started the program.
    """
    for name, known in _mistyped(os.environ):
        hint = f"; ¿quiso decir {known}?" if known else "."
        say(f"{name}: ninguna variable del producto se llama así{hint}")
    for name in map(variable, Settings.model_fields):
        if os.environ.get(name) and os.environ.get(f"{name}_FILE"):
            say(f"{name}_FILE: no se lee, porque {name} también está definida; deje una de las dos.")
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        details = {name: str(value).replace(" or ", " o ") for name, value in first.get("ctx", {}).items()}
        remedy = _REMEDY_BY_ERROR_TYPE.get(first["type"], _UNKNOWN_REMEDY).format(**details)
        line = f"{variable(str(first['loc'][0]))}: {remedy}" if first["loc"] else remedy
    except UnusableSettingError as error:
        line = str(error)
    except (OSError, UnicodeDecodeError):
        line = f"{variable('data_dir')}: no se pudo leer lo que `make run` dejó allí; revise ruta y permisos."
    say(line)
    raise SystemExit(2)


def _mistyped(given: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """Names with the product's prefix that no program reads, each with the nearest that is read."""
    fields = [variable(field) for field in Settings.model_fields]
    known = {*(f"{name}_FILE" for name in fields), *OTHER_PROGRAMS}
    for name in sorted(name for name in given if name.upper().startswith(PREFIX) and name not in known):
        # Capitals and small letters are the same to what reads them, but for the names of files.
        if name.upper() not in fields:
            yield name, _nearest(name.upper(), fields)


def _nearest(name: str, fields: Sequence[str]) -> str | None:
    """What was meant, without the prefix: it would make any two names alike."""
    bare = name.removeprefix(PREFIX)
    stem = bare.removesuffix("_FILE")
    ends = bare.removeprefix(stem)
    names = [field.removeprefix(PREFIX) for field in fields]
    nearest = get_close_matches(stem, names, n=1) or [long for long in names if long.startswith(stem)]
    return f"{PREFIX}{nearest[0]}{ends}" if nearest else None
