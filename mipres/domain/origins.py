"""Origins of web addresses, as browsers write them."""

from typing import Final
from urllib.parse import urlsplit

_USUAL_PORTS: Final = {"http": 80, "https": 443}


def origin_of(address: str) -> str:
    """Return the origin of an address, as a browser sends it.

    A setting may have large letters, or the usual port; no browser sends either (RFC 6454, section 6.2).
    """
    parts = urlsplit(address)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    is_usual = parts.port in {None, _USUAL_PORTS.get(parts.scheme)}
    return f"{parts.scheme}://{host}" if is_usual else f"{parts.scheme}://{host}:{parts.port}"
