"""The applications of a process, and the file in which operators change them."""

import fcntl
import json
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import KeySet

from mipres.domain.clients import Client, UnusableClientError, clients_in, is_a_secret_of
from mipres.domain.errors import MipresError
from mipres.watched_files import WatchedFile

Entries = list[dict[str, Any]]


class UnwritableClientsError(MipresError):
    """The file, or its directory, cannot be read or written; the text says why."""


def entries_in(text: str) -> Entries:
    """The list of a setting or a file.

    Raises:
        UnusableClientError: it is none.
    """
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UnusableClientError("debe ser una lista JSON de aplicaciones; vea `docs/applications.md`.")
    return entries


def usable(entries: Entries) -> dict[str, Client]:
    """The clients of a list, by id, once each of their keys can be used.

    Raises:
        UnusableClientError: an entry is wrong; the text names its field and the remedy.
    """
    clients = clients_in(entries)
    for client in clients.values():
        for name, jwks in (("jwks", client.jwks), ("previous_jwks", client.previous_jwks)):
            if jwks and not _are_usable(jwks):
                raise UnusableClientError(
                    f"{name}: una clave de {client.client_id} no se puede leer; "
                    "use EC P-256 o RSA de al menos 2048 bits, cada una con su `kid`."
                )
    return clients


def keys_of(jwks: Mapping[str, Any]) -> KeySet:
    """The public keys of an application that `usable` has passed."""
    return KeySet.import_key_set({"keys": jwks["keys"]})


def _are_usable(jwks: Mapping[str, Any]) -> bool:
    try:
        with warnings.catch_warnings():
            # Joserfc only warns of a key that is too short.
            warnings.simplefilter("error", SecurityWarning)
            # The numbers of a key are read only when it is used.
            points = [key.public_key for key in keys_of(jwks).keys]
    except (JoseError, ValueError, TypeError, SecurityWarning):
        return False
    names = {key.get("kid") for key in jwks["keys"]} - {None}
    return len(points) == 1 or len(names) == len(points)


class LiveClients(Mapping[str, Client]):
    """The applications of a file, as they are at each look.

    Args:
        beside: Applications that no file has; with them the file may be missing, too.
        refused_secret: A file in which an application has it cannot be used.
    """

    def __init__(
        self, path: Path, *, beside: Mapping[str, Client] | None = None, refused_secret: str | None = None
    ) -> None:
        self._now = WatchedFile(path, partial(_read, beside=beside, refused_secret=refused_secret))

    def __getitem__(self, client_id: str) -> Client:
        return self._now()[client_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())


class OpenClients(Mapping[str, Client]):
    """Those of the applications that are not disabled."""

    def __init__(self, clients: Mapping[str, Client]) -> None:
        self._all = clients

    def __getitem__(self, client_id: str) -> Client:
        client = self._all[client_id]
        if client.disabled:
            raise KeyError(client_id)
        return client

    def __iter__(self) -> Iterator[str]:
        return iter([client_id for client_id, client in self._all.items() if not client.disabled])

    def __len__(self) -> int:
        return sum(not client.disabled for client in self._all.values())


class ClientsFile:
    """The file of applications; the first command makes it."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()

    @contextmanager
    def changed(self) -> Iterator[Entries]:
        """The entries; what the block makes of them is written when it ends well.

        One command at a time: the next one waits.

        Raises:
            UnusableClientError: the entries are none that a process could use.
            UnwritableClientsError: the file system refuses.
        """
        with _explained(self._path):
            lock = self._path.with_suffix(".lock").open("w")
        with lock:
            with _explained(self._path):
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not self._path.exists():
                    self._path.touch(mode=0o600)
                    self._path.write_text("[]", encoding="utf-8")
                entries = entries_in(self._path.read_text(encoding="utf-8"))
            yield entries
            usable(entries)
            with _explained(self._path):
                self._write(entries)

    def _write(self, entries: Entries) -> None:
        new = self._path.with_suffix(".new")
        with new.open("w", encoding="utf-8") as file:
            # The accounts that could read the older file, and no others, can read this one.
            older = self._path.stat()
            os.fchown(file.fileno(), older.st_uid, older.st_gid)
            os.fchmod(file.fileno(), older.st_mode & 0o777)
            json.dump(entries, file, ensure_ascii=False, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnwritableClientsError(f"no se pudo cambiar {path} ({type(error).__name__}).") from error


def _read(
    path: Path, *, beside: Mapping[str, Client] | None, refused_secret: str | None
) -> dict[str, Client]:
    if beside is not None and not path.exists():
        return dict(beside)
    clients = usable(entries_in(path.read_text(encoding="utf-8")))
    if refused_secret and is_a_secret_of(clients.values(), refused_secret):
        raise UnusableClientError("client_secret_hash: es el secreto de desarrollo; genere otro.")
    return {**(beside or {}), **clients}
