"""Copy the embedded Temporal's database while it runs.

`python -m dev.temporal_backup TARGET`.
"""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from mipres.arguments import Arguments
from mipres.settings.names import variable


def copy_database(source: Path, target: Path) -> None:
    """Make a consistent copy, taken through SQLite.

    The file alone lacks what is still in its log.

    Args:
        source: The database that Temporal works on.
        target: The copy, which gets this name only when it is whole.

    Raises:
        sqlite3.Error: the source is no database or is not there.
    """
    partial = target.with_name(f"{target.name}.partial")
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as original:
        # A read proves that there is a database before a file of the copy exists.
        original.execute("SELECT count(*) FROM sqlite_schema")
        with closing(sqlite3.connect(partial)) as copy:
            original.backup(copy)
    partial.replace(target)


def main() -> int:
    """Copy the database of DATA_DIR; the process's exit status."""
    parser = Arguments(prog="python -m dev.temporal_backup", description=__doc__)
    parser.add_argument("target", type=Path, help="file to write")
    source = Path(os.environ.get(variable("data_dir")) or ".data") / "temporal.db"
    try:
        copy_database(source, parser.parse_args().target)
    except sqlite3.Error as error:
        print(f"No se pudo copiar {source}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
