"""Which release this code is, and which build of it."""

from pathlib import Path
from typing import Final

VERSION: Final = "0.1.0"
"""The same as in pyproject.toml, which no image holds."""
NO_BUILD: Final = "none"
"""The build of a process whose settings name none."""
_BUILD_FILE = Path(__file__).with_name("build.txt")
BUILD: Final = _BUILD_FILE.read_text(encoding="utf-8").strip() if _BUILD_FILE.exists() else NO_BUILD
"""The revision that the image was built from, which the Dockerfile writes down."""
VERSION_LINE: Final = f"Registro MIPRES {VERSION} ({BUILD})"
"""What `--version` prints."""
