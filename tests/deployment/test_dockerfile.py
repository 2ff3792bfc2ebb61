import re
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dev.probes import LOOPBACK, free_port, http_ok
from dev.process import SILENT, Part, supervisor_of
from mipres.version import VERSION
from tests.deployment.composed import ROOT
from tests.deployment.image import (
    argument_of,
    build_tree,
    copies,
    default_command,
    environment,
    instructions,
    is_ignored,
    run_in,
)

RUNTIME_DIRECTORIES = (
    "mipres",
    "activities",
    "workflows",
    "api",
    "templates",
    "static",
    "dev/registry_simulator",
)
PROGRAMS = (
    *("worker", "api.main", "mipres.cli", "dev.registry_simulator.__main__"),
    *("deploy.temporal_setup", "deploy.current_build", "deploy.worker_health"),
)

# Imports the modules after `--`, as if only the distributions before it were installed.
HIDE_ALL_BUT = """
import importlib, importlib.metadata, re, sys
split = sys.argv.index("--")
names = set(sys.argv[1:split])
owners = importlib.metadata.packages_distributions()
locked = {top for top, found in owners.items() if {re.sub("[-_.]+", "-", name).lower() for name in found} & names}
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name in owners and name not in locked:
            raise ModuleNotFoundError(f"No module named {name!r}")
sys.meta_path.insert(0, Hide())
for name in sys.argv[split + 1:]:
    importlib.import_module(name)
"""


def files_below(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def locked_names() -> set[str]:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))


def test_every_copied_path_exists_and_is_sent_to_the_builder() -> None:
    for sources, _destination in copies():
        for source in sources:
            assert (ROOT / source).exists(), source
            assert not is_ignored(source.rstrip("/")), source


def test_the_image_holds_every_file_of_the_product(image_tree: Path) -> None:
    wanted = {
        str(path.relative_to(ROOT))
        for directory in RUNTIME_DIRECTORIES
        for path in (ROOT / directory).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"mipres/domain/divipola.csv", "mipres/captcha/voices/2-f1.wav"} <= wanted
    assert wanted <= files_below(image_tree)


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".env.production",
        "api/.env",
        ".data/secrets.env",
        ".git/config",
        ".venv/bin/python",
        "tests/conftest.py",
        "deploy/make-env.sh",
        "dev/stack.py",
        "mipres/__pycache__/settings.cpython-311.pyc",
        "static/css/__pycache__/x",
    ],
)
def test_what_the_image_does_not_need_is_kept_out_of_the_build(path: str) -> None:
    assert is_ignored(path)


def test_the_lock_pins_with_hashes_and_names_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    entries = re.split(r"^(?=[a-z0-9-]+==)", lock, flags=re.MULTILINE)[1:]
    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)


def test_dependencies_are_installed_from_the_lock_alone() -> None:
    install = next(rest for word, rest in instructions() if word == "RUN" and "pip install" in rest)
    assert "--require-hashes" in install
    assert "--requirement requirements.lock" in install
    assert "://" not in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_stages_share_one_pinned_slim_base() -> None:
    bases = {rest.split()[0] for word, rest in instructions() if word == "FROM"}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.1[12]-slim-[a-z]+", bases.pop())


def test_the_image_runs_as_a_numbered_account_that_is_not_root() -> None:
    user, group = argument_of("USER").split(":")
    assert user.isdigit()
    assert int(user) >= 10_000
    creation = next(rest for word, rest in instructions() if word == "RUN" and "useradd" in rest)
    assert f"--uid {user} " in creation
    assert f"groupadd --gid {group} " in creation
    order = instructions()
    readable = order.index(("RUN", "chmod -R a+rX /app"))
    assert all(word != "COPY" for word, _rest in order[readable:])
    assert readable < order.index(("USER", f"{user}:{group}"))


def test_no_instruction_holds_a_setting_or_a_secret() -> None:
    assert [rest for word, rest in instructions() if word == "ARG"] == ["BUILD=none"]
    assert all("MIPRES_" not in rest for _word, rest in instructions())


def test_programs_need_nothing_beyond_the_lock(image_tree: Path) -> None:
    done = run_in(image_tree, "-c", HIDE_ALL_BUT, *sorted(locked_names()), "--", *PROGRAMS)
    assert done.returncode == 0, done.stderr


def test_a_program_of_development_shows_that_the_others_are_hidden(image_tree: Path) -> None:
    done = run_in(image_tree, "-c", HIDE_ALL_BUT, *sorted(locked_names()), "--", "pytest")
    assert "No module named 'pytest'" in done.stderr


@pytest.mark.parametrize(
    "program",
    [("-m", "mipres.cli"), ("worker.py",), ("-m", "deploy.current_build")],
    ids=["cli", "worker", "step"],
)
def test_programs_name_the_release_and_the_build(open_directory: Path, program: tuple[str, ...]) -> None:
    tree = build_tree(open_directory / f"built-{program[-1]}")
    assert ("RUN", 'echo "$BUILD" > mipres/build.txt') in instructions()
    (tree / "mipres" / "build.txt").write_text("3f2a1c9\n", encoding="utf-8")
    done = run_in(tree, *program, "--version")
    assert (done.returncode, done.stdout) == (0, f"Registro MIPRES {VERSION} (3f2a1c9)\n")


def test_running_writes_nothing_into_the_image(open_directory: Path, composed: dict[str, Any]) -> None:
    tree = build_tree(open_directory / "unwritten")
    before = files_below(tree)
    for arguments in (
        ("-c", "import worker; from api.main import app"),
        ("-m", "mipres.cli", "migrate", "--help"),
    ):
        done = run_in(tree, *arguments, settings=composed["api"]["environment"])
        assert done.returncode == 0, done.stderr
    assert files_below(tree) == before


async def test_the_default_command_serves_pages_from_the_image(
    image_tree: Path, composed: dict[str, Any]
) -> None:
    port = free_port()
    command = tuple(str(port) if word == "8000" else word for word in default_command())
    api = Part(
        name="api",
        command=(sys.executable, "-m", *command),
        environment=environment(composed["api"]["environment"]),
        directory=image_tree,
        is_ready=http_ok(port, "/health/live"),
    )
    async with supervisor_of(SILENT) as supervisor:
        await supervisor.start(api)
        async with httpx2.AsyncClient(base_url=f"http://{LOOPBACK}:{port}", timeout=5) as client:
            assert "MIPRES" in (await client.get("/")).text
            assert (await client.get("/static/css/app.css")).status_code == 200
