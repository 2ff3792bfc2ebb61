"""What a machine lacks or forbids is one line; what is half made is replaced."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from dev.probes import not_allowed, taken
from tests.dev.programs import ROOT


def make(directory: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "PYTHONUTF8"}}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=directory,
        env={**own, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A directory with the Makefile and no environment."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    return tmp_path


def environment_in(directory: Path, python: str) -> Path:
    """An environment whose Python is this one, or a program of the test's."""
    program = directory / ".venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    (directory / ".venv" / ".stack").touch()
    program.write_text(f"#!/bin/sh\n{python}\n", encoding="utf-8")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("python", ["exit 1", "echo no pip >&2; exit 1"])
def test_an_environment_without_pip_is_replaced(checkout: Path, python: str) -> None:
    program = environment_in(checkout, python)
    done = make(checkout, "help")
    assert "está a medias o es de otro Python" in done.stdout
    assert not program.exists()


def test_an_environment_of_a_python_that_has_gone_is_replaced(checkout: Path) -> None:
    program = environment_in(checkout, "")
    program.unlink()
    program.symlink_to("/nowhere/python3.10")
    assert "se crea de nuevo" in make(checkout, "help").stdout
    assert not program.parent.exists()


OWN = sys.version_info[:2]
WORKS = f'exec {sys.executable} "$@"'
TOO_OLD = f'shift; exec {sys.executable} -c "import sys; sys.version_info = (3, 10, 14); exec(sys.argv.pop(1))" "$@"'


def with_python3(directory: Path, does: str) -> str:
    """A PATH on which python3 is a program of the test's."""
    programs = directory / "programs"
    programs.mkdir()
    program = programs / "python3"
    program.write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
    program.chmod(0o755)
    return f"{programs}:{os.environ['PATH']}"


@pytest.mark.parametrize(
    ("python", "usual", "is_kept"),
    [
        (WORKS, OWN, True),
        (WORKS, (OWN[0], OWN[1] + 1), False),
        # Made by hand with another Python, because python3 cannot: this one is all there is.
        (WORKS, (3, 9), True),
        (WORKS, None, True),
        (TOO_OLD, OWN, False),
        (TOO_OLD, (3, 10), False),
    ],
)
def test_an_environment_is_kept_only_if_it_works_and_is_python3_s(
    checkout: Path, tmp_path: Path, python: str, usual: tuple[int, int] | None, *, is_kept: bool
) -> None:
    program = environment_in(checkout, python)
    answer = f"echo {usual[0]} {usual[1]}" if usual else "exit 127"
    done = make(checkout, "help", PATH=with_python3(tmp_path, answer))
    assert ("se crea de nuevo" in done.stdout, program.exists()) == (not is_kept, is_kept)


def test_a_link_to_an_environment_that_has_gone_is_replaced(checkout: Path) -> None:
    (checkout / ".venv").symlink_to("/nowhere/.venv")
    assert "se crea de nuevo" in make(checkout, "help").stdout
    assert not (checkout / ".venv").is_symlink()


@pytest.mark.parametrize(
    ("is_there", "words"), [(True, "no puede reemplazarlo"), (False, "No se puede escribir en")]
)
def test_a_checkout_of_another_account_is_named_as_the_reason(
    open_directory: Path, words: str, *, is_there: bool
) -> None:
    checkout = open_directory / f"checkout-{is_there}"
    checkout.mkdir()
    shutil.copy(ROOT / "Makefile", checkout)
    if is_there:
        environment_in(checkout, "exit 1")
    subprocess.run(["chmod", "-R", "a+rX,a-w", checkout], check=True)
    # Root may write everywhere.
    other = 65534 if os.geteuid() == 0 else None
    done = subprocess.run(
        ["make", ".venv/bin/python"],
        cwd=checkout,
        user=other,
        group=other,
        extra_groups=None if other is None else [],
        capture_output=True,
        text=True,
        check=False,
    )
    subprocess.run(["chmod", "-R", "u+w", checkout], check=True)
    assert (done.returncode, words in done.stderr) == (2, True), done
    assert "rm: " not in done.stderr
    assert "python3-venv" not in done.stderr


def test_ci_finds_each_other_python_of_the_machine(tmp_path: Path) -> None:
    def python(place: str, answer: str) -> Path:
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{answer}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    python("bin/python3", "echo 3.11")
    python("bin/python3.11", "exit 0")
    # One of pyenv's that was not chosen: the command is there, and only says so.
    python("bin/python3.12", "echo pyenv: command not found >&2; exit 127")
    chosen = python("pyenv/versions/3.12.9/bin/python", "exit 0")
    # Debian's without python3-venv.
    python("bin/python3.13", "exit 1")
    usual_place = python("bin/python3.14", "exit 0")
    python("pyenv/versions/3.14.1/bin/python", "exit 0")
    done = subprocess.run(
        [ROOT / ".ci" / "pythons"],
        env={"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "PYENV_ROOT": str(tmp_path / "pyenv")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [str(chosen), str(usual_place)]


def test_python_without_venv_leaves_nothing_half_made(checkout: Path, tmp_path: Path) -> None:
    path = with_python3(
        tmp_path, '[ "$1" = -m ] || exit 0\nmkdir -p .venv/bin; echo > .venv/bin/python; exit 1'
    )
    done = make(checkout, ".venv/bin/python", PATH=path)
    assert done.returncode != 0
    assert "python3-venv" in done.stderr
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "POSIX", "es_CO.ISO-8859-1", "xx_YY.UTF-8"])
def test_programs_speak_spanish_in_any_locale(checkout: Path, tmp_path: Path, locale: str) -> None:
    environment_in(checkout, WORKS)
    rule = "said: ; @$(PYTHON) -c 'import sys; print(\"contraseña │\", sys.flags.utf8_mode)'"
    done = make(checkout, "--eval", rule, "said", LC_ALL=locale, LANG="", PATH=with_python3(tmp_path, WORKS))
    # Not all of these locales exist here, so the mode that ignores them all is looked at too.
    assert done.stdout == "contraseña │ 1\n", done.stderr


def launched(
    *arguments: str, module: str = "dev.stack", within: tuple[str, ...] = (), **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a program, below another one that takes something from it."""
    return subprocess.run(
        [*within, sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_a_data_directory_that_cannot_be_written_is_named_in_one_line() -> None:
    done = launched(MIPRES_DATA_DIR="/dev/null/registro")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "/dev/null/registro" in line
    assert "MIPRES_DATA_DIR" in line


@pytest.mark.parametrize("module", ["dev.stack", "dev.reset"])
def test_a_data_directory_of_another_account_is_named_in_one_line(module: str, tmp_path: Path) -> None:
    """As after `sudo make run`: the lock is there, and nothing can be written."""
    (tmp_path / "stack.lock").mkdir()
    done = launched(module=module, MIPRES_DATA_DIR=str(tmp_path))
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert str(tmp_path) in line


def test_a_data_directory_without_room_is_named_in_one_line(tmp_path: Path) -> None:
    done = launched(within=("prlimit", "--fsize=0"), MIPRES_DATA_DIR=str(tmp_path))
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert str(tmp_path) in line


@pytest.mark.parametrize(
    ("module", "words"), [("mipres.cli", ("stuck", "--help")), ("dev.chaos", ("--help",))]
)
def test_a_terminal_that_lacks_signs_gets_question_marks(module: str, words: tuple[str, ...]) -> None:
    done = launched(*words, module=module, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, "")
    assert "?" in done.stdout


def test_help_is_shown_and_nothing_started() -> None:
    done = launched("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "make run" in done.stdout


def test_a_port_of_administrators_is_told_apart_from_one_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_address: object) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "create_server", forbidden)
    assert not_allowed({"MIPRES_API_PORT": 80}) == ["MIPRES_API_PORT"]
    assert taken({"MIPRES_API_PORT": 80}) == []
