"""DATA_DIR: what the development stack keeps between two starts.

Standard library only.
"""

import base64
import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

LOCK_FILE = "stack.lock"
CLUSTER = "postgres"


class DataDirectoryUnusableError(Exception):
    """Nothing can be written there; the text is the reason."""


class DataDirectoryBusyError(Exception):
    """Another launcher holds the directory."""


@dataclass(frozen=True, kw_only=True)
class DataDirectory:
    """The files of one stack."""

    path: Path

    @property
    def secrets_file(self) -> Path:
        """Secrets generated at the first start."""
        return self.path / "secrets.env"

    @property
    def stack_file(self) -> Path:
        """Where the running servers are."""
        return self.path / "stack.env"

    @property
    def cluster(self) -> Path:
        """PostgreSQL's data, or a link to it when it had to live elsewhere."""
        return self.path / CLUSTER

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the directory: one launcher at a time, even after a crash."""
        with self._lock_file() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DataDirectoryBusyError(str(self.path)) from error
            yield

    def _lock_file(self) -> TextIO:
        with self.usable():
            self.path.mkdir(parents=True, exist_ok=True, mode=0o711)
            return (self.path / LOCK_FILE).open("w", encoding="utf-8")

    def secrets(self) -> dict[str, str]:
        """The generated secrets; one that is missing is generated now."""
        lines = (
            self.secrets_file.read_text(encoding="utf-8").splitlines() if self.secrets_file.exists() else []
        )
        known = {name: value for name, _, value in (line.partition("=") for line in lines if "=" in line)}
        # A directory of an earlier release lacks what came later.
        complete = _generated_secrets() | known
        if complete != known:
            write_private(self.secrets_file, complete)
        return complete

    def with_secrets(self, environment: Mapping[str, str]) -> dict[str, str]:
        """An environment completed by the generated secrets; its own, and its `…_FILE`s, go before them.

        A plain variable is read first, so a generated one would hide the file.
        """
        generated = self.secrets()
        files = {f"{name}_FILE": name for name in generated}
        own = {name: value for name, value in environment.items() if name not in files}
        named = {
            name: Path(environment[file]).read_text(encoding="utf-8").strip()
            for file, name in files.items()
            if environment.get(file)
        }
        return {**generated, **named, **own}

    @contextmanager
    def usable(self) -> Iterator[None]:
        """Have a file that cannot be read or written there say so.

        Raises:
            DataDirectoryUnusableError: instead of the system's own error.
        """
        try:
            yield
        except OSError as error:
            raise DataDirectoryUnusableError(error.strerror) from error

    def exists(self) -> bool:
        """Whether a launcher ever used the directory: nothing else may be deleted."""
        return (self.path / LOCK_FILE).exists()

    def delete(self) -> None:
        """Delete everything, PostgreSQL's data included where they were moved out."""
        if self.cluster.is_symlink():
            shutil.rmtree(self.cluster.resolve().parent, ignore_errors=True)
        shutil.rmtree(self.path)


def write_private(path: Path, values: Mapping[str, str]) -> None:
    """A dotenv file that only its owner reads, never half written."""
    fresh = path.with_suffix(".new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())
    fresh.replace(path)


def _generated_secrets() -> dict[str, str]:
    payload_key, audit_key = (base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2))
    return {
        "MIPRES_SECRET_KEY": secrets.token_urlsafe(48),
        "MIPRES_PAYLOAD_KEYS": f"k1:{payload_key}",
        "MIPRES_AUDIT_KEYS": f"a1:{audit_key}",
        "MIPRES_POSTGRES_PASSWORD": secrets.token_urlsafe(24),
    }
