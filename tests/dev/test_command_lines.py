"""Every program explains itself, and answers a mistake in one line."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from typer.main import get_command

from mipres.cli.app import app, run
from tests.dev.programs import ROOT

ROOMS = ("bench", "deploy", "dev", "mipres")
ASK_EACH = """
import contextlib, io, json, os, runpy, sys

os._exit = sys.exit
for name in sys.argv[1:]:
    for word in ("--help", "--no-such-option"):
        said, complained, sys.argv = io.StringIO(), io.StringIO(), [name, word]
        start = runpy.run_path if name.endswith(".py") else runpy.run_module
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
            try:
                start(name, run_name="__main__")
                raise AssertionError(f"{name} {word} did its work")
            except SystemExit as end:
                print(json.dumps([name, word, end.code, said.getvalue(), complained.getvalue()]), file=sys.__stdout__)
"""


def programs() -> list[str]:
    """Each module that can be run, as `python -m` takes it, and each script."""
    found = ["worker.py", *(str(path.relative_to(ROOT)) for path in (ROOT / "scripts").glob("*.py"))]
    found += [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if "\nif __name__ == " in path.read_text(encoding="utf-8")
    ]
    return sorted(found)


def test_every_option_of_a_program_is_explained() -> None:
    silent = [
        f"{path.relative_to(ROOT)}: {option}"
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for option in re.findall(r"add_argument\((.*?)\)\n", path.read_text(encoding="utf-8"), re.DOTALL)
        if "help=" not in option and 'action="version"' not in option
    ]
    assert silent == []


def test_every_program_has_help_and_refuses_what_it_does_not_know() -> None:
    """One process asks them all: most of their time is imports that they share."""
    names = programs()
    assert {"worker.py", "mipres.cli", "bench", "bench.growth", "dev.reset", "deploy.worker_health"} <= {
        *names
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASK_EACH, *names],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("MIPRES_")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == 2 * len(names)
    for name, word, status, said, complained in answers:
        if word == "--help":
            assert (status or 0, complained) == (0, ""), name
            assert re.search("usage: |Uso: ", said), name
        else:
            assert (status, said) == (2, ""), name
            assert len(complained.splitlines()) == 1, complained


ENGLISH = re.compile(
    r"Usage|OPTIONS|Options|Arguments|ARGS|COMMAND\b|Commands|Show this|Missing|No such|Got |Invalid|Try |required|default|Error|Did you"
)
"""Typer's own words."""


def paths_of(command: Any, *before: str) -> Iterator[tuple[str, ...]]:
    yield before
    for name, part in getattr(command, "commands", {}).items():
        yield from paths_of(part, *before, name)


def test_every_command_has_help_and_refuses_what_it_does_not_know(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def leave(code: int) -> NoReturn:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", leave)
    paths = list(paths_of(get_command(app)))
    assert ("staff", "add") in paths
    for path in paths:
        for word, expected in (("--help", 0), ("--no-such-option", 2)):
            monkeypatch.setattr(sys, "argv", ["mipres", *path, word])
            with pytest.raises(SystemExit) as ended:
                run()
            said, complained = capsys.readouterr()
            assert ended.value.code == expected, (path, word, complained)
            if expected:
                [line] = complained.splitlines()
                assert word in line
                assert said == ""
            else:
                assert "Uso: " in said
                assert complained == ""
            assert ENGLISH.findall(said + complained) == [], path


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["show"], "falta el argumento 'radicado'"),
        (["retry", "RM-0123456789AB"], "falta la opción '--reason'"),
        (["stuk"], "el comando 'stuk' no existe; ¿es 'stuck'?"),
        (["xyz"], "el comando 'xyz' no existe"),
        (["account", "suspnd"], "el comando 'suspnd' no existe; ¿es 'suspend'?"),
        (["stuck", "--jso"], "la opción '--jso' no existe; ¿es --json?"),
        (["stuck", "--xyz"], "la opción '--xyz' no existe"),
        (["audit", "--verify", "--head"], "la opción '--head' necesita un valor"),
        (["audit", "--verify=3"], "la opción '--verify' no lleva valor"),
        (["stuck", "a", "b"], "sobra: a b"),
        (["audit", "--last", "x"], "'--last' es un número entero"),
        (["audit", "--last", "0"], "'--last' es mínimo 1"),
        (["audit", "--last", "99999"], "'--last' es máximo 10000"),
    ],
)
def test_a_misused_command_is_answered_in_one_line_of_spanish(
    words: list[str], line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "_exit", sys.exit)
    monkeypatch.setattr(sys, "argv", ["mipres", *words])
    with pytest.raises(SystemExit) as ended:
        run()
    assert capsys.readouterr().err == f"python -m mipres.cli: {line} (--help)\n"
    assert ended.value.code == 2
