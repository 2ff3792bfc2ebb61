"""What the Dockerfile would put into the image, without an engine to build it."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.deployment.composed import ROOT


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, in order: the word and what follows it."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    without_comments = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", without_comments)
    pairs = (line.partition(" ") for line in joined.splitlines() if line.strip())
    return [(word, rest.strip()) for word, _, rest in pairs]


def argument_of(instruction: str) -> str:
    """What follows the last instruction of that name."""
    return [rest for word, rest in instructions() if word == instruction][-1]


def default_command() -> list[str]:
    command: list[str] = json.loads(argument_of("CMD"))
    return command


def copies() -> list[tuple[list[str], str]]:
    """Sources and destination of each COPY from the context."""
    found = []
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from"):
            *sources, destination = rest.split()
            found.append((sources, destination))
    return found


def build_tree(directory: Path) -> Path:
    """Lay out the working directory of the last stage."""
    for sources, destination in copies():
        for source in sources:
            for file in _files(source):
                _lay(file, source, destination, directory)
    return directory


def run_in(
    tree: Path, *arguments: str, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Python in the tree as the image would.

    No bytecode, and no settings but the given ones.
    """
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env=environment(settings or {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MIPRES_")}
    image = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    return {**inherited, **image, **settings}


def is_ignored(path: str) -> bool:
    """Whether .dockerignore keeps a file out.

    The last pattern that matches it or a directory above wins.
    """
    ignored = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = _as_regex(line.removeprefix("!"))
        if any(pattern.fullmatch(ancestor) for ancestor in _with_ancestors(path)):
            ignored = not line.startswith("!")
    return ignored


def _as_regex(pattern: str) -> re.Pattern[str]:
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return re.compile("".join(words.get(part, re.escape(part)) for part in parts))


def _with_ancestors(path: str) -> Iterator[str]:
    yield path
    yield from (str(parent) for parent in Path(path).parents if parent != Path())


def _files(source: str) -> list[Path]:
    found = ROOT / source
    files = [found] if found.is_file() else [path for path in found.rglob("*") if path.is_file()]
    return [file for file in files if not is_ignored(str(file.relative_to(ROOT)))]


def _lay(file: Path, source: str, destination: str, directory: Path) -> None:
    # A directory is copied by its content, a file by its name.
    base = ROOT / source if (ROOT / source).is_dir() else file.parent
    target = directory / destination / file.relative_to(base)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)
