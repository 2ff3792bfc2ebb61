"""Static files, at addresses that name their content."""

import hashlib
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

PREFIX = "/static"
_FOR_EVER = "public, max-age=31536000, immutable"
_DIGEST_LENGTH = 12


@lru_cache(maxsize=256)
def static_digest(file: Path) -> str:
    """The beginning of the SHA-256; files stay the same while a process runs."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:_DIGEST_LENGTH]


def static_url(folder: Path, path: str) -> str:
    """Name the content in the address, so that browsers may keep the file for ever."""
    return f"{PREFIX}/{path}?v={static_digest(folder / path)}"


class ImmutableStaticFiles(StaticFiles):
    """Serves a folder; an answer is kept for ever where its address names its content.

    Args:
        directory: The folder static/.
    """

    def __init__(self, directory: Path) -> None:
        self._folder = directory
        super().__init__(directory=directory)

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("v")
        is_there = response.status_code in {HTTPStatus.OK, HTTPStatus.NOT_MODIFIED}
        if is_there and asked == [static_digest(self._folder / path)]:
            response.headers["Cache-Control"] = _FOR_EVER
        return response
