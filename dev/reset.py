"""`make reset`: delete what the development stack keeps.

Standard library only, it needs no environment.
"""

import os
import sys
from pathlib import Path

from dev.data_directory import DataDirectory, DataDirectoryBusyError, DataDirectoryUnusableError
from mipres.arguments import take_none


def main() -> int:
    """Delete the data directory unless a stack is running on it."""
    take_none("python -m dev.reset", __doc__)
    data = DataDirectory(path=Path(os.environ.get("MIPRES_DATA_DIR") or ".data").absolute())
    try:
        print(_deleted(data))
    except DataDirectoryBusyError:
        print(f"El producto está en marcha sobre {data.path}: deténgalo primero.", file=sys.stderr)
        return 1
    except DataDirectoryUnusableError as error:
        print(f"No se pudo borrar todo en {data.path} ({error}).", file=sys.stderr)
        return 1
    return 0


def _deleted(data: DataDirectory) -> str:
    """Delete what there is; the line to show."""
    with data.usable():
        if not data.exists():
            return f"No hay datos en {data.path}."
        with data.held():
            data.delete()
    return f"Se borraron los datos de {data.path}."


if __name__ == "__main__":
    sys.exit(main())
