"""`make reset`: delete what the development stack keeps.

Standard library only, it needs no environment.
"""

import os
import sys
from pathlib import Path

from dev.data_directory import DataDirectory, DataDirectoryBusyError
from mipres.arguments import take_none


def main() -> int:
    """Delete the data directory unless a stack is running on it."""
    take_none("python -m dev.reset", __doc__)
    data = DataDirectory(path=Path(os.environ.get("MIPRES_DATA_DIR") or ".data").absolute())
    if not data.exists():
        print(f"No hay datos en {data.path}.")
        return 0
    try:
        with data.held():
            data.delete()
    except DataDirectoryBusyError:
        print(f"El producto está en marcha sobre {data.path}: deténgalo primero.", file=sys.stderr)
        return 1
    print(f"Se borraron los datos de {data.path}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
