"""The JSON API in one file, `docs/openapi.json`.

`python -m dev.openapi` writes it; a test compares it with the API.
"""

import json

from api.main import create_app
from dev.process import ROOT
from mipres.arguments import take_none
from mipres.settings.model import Settings

FILE = ROOT / "docs" / "openapi.json"


def document() -> str:
    """The document that `/api/openapi.json` answers, with lines to compare."""
    # Any settings do: no route depends on them.
    settings = Settings(
        secret_key="openapi",  # noqa: S106 - signs nothing.
        payload_keys={"openapi": bytes(32)},
        audit_keys={},
        database_url="postgresql+asyncpg://127.0.0.1/none",
    )
    return json.dumps(create_app(settings).openapi(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the file."""
    take_none("python -m dev.openapi", __doc__)
    FILE.write_text(document(), encoding="utf-8")
    print(FILE.relative_to(ROOT))


if __name__ == "__main__":
    main()
