"""Copy the embedded Temporal's database while it runs: `python -m dev.temporal_backup TARGET`."""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from mipres.settings import variable


def copy_database(source: Path, target: Path) -> None:
    """A consistent copy, taken through SQLite: the file alone lacks what is still in its log."""
    address = f"file:{source}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as original, closing(sqlite3.connect(target)) as copy:
        original.backup(copy)


if __name__ == "__main__":
    directory = Path(os.environ.get(variable("data_dir")) or ".data")
    copy_database(directory / "temporal.db", Path(sys.argv[1]))
