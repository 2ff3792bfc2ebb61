"""Files that operators change while processes run."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from mipres.domain.errors import MipresError

_Value = TypeVar("_Value")
_Stamp = tuple[int, int, int]
_log = logging.getLogger(__name__)


class WatchedFile(Generic[_Value]):
    """What a file says now: it is read at the first call, and again after each change.

    Args:
        read: Raises MipresError, OSError or ValueError for a file that cannot be used.
    """

    def __init__(self, path: Path, read: Callable[[Path], _Value]) -> None:
        self._path, self._read = path, read
        self._stamp: _Stamp | None = None
        self._values: list[_Value] = []

    def __call__(self) -> _Value:
        """The value; the last good one while the file cannot be used."""
        stamp = _stamp_of(self._path)
        if not self._values:
            self._values = [self._read(self._path)]
            self._stamp = stamp
        elif stamp != self._stamp:
            self._stamp = stamp
            try:
                self._values = [self._read(self._path)]
            except (MipresError, OSError, ValueError) as error:
                # Never the text of the error: it may quote the file.
                _log.error("a changed file cannot be used, so the older one counts: %s", type(error).__name__)
        return self._values[0]


def _stamp_of(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
