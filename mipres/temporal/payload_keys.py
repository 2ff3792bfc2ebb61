"""Rotating the keys that encrypt what Temporal stores.

A new one is first given to every reader, then made active.
"""

import base64
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

KEY_BYTES = 32
_NUMBERED = re.compile(r"k(\d+)")


def with_another_key(keys: Mapping[str, bytes]) -> tuple[str, dict[str, bytes]]:
    """A new key, and all keys with it second.

    It decrypts everywhere before it encrypts anywhere.
    """
    numbers = [int(found[1]) for key_id in keys if (found := _NUMBERED.fullmatch(key_id))]
    new_id = f"k{max(numbers, default=0) + 1}"
    active, *others = keys
    order = [active, new_id, *others]
    return new_id, {key_id: keys.get(key_id) or secrets.token_bytes(KEY_BYTES) for key_id in order}


def with_second_active(keys: Mapping[str, bytes]) -> tuple[str, dict[str, bytes]] | None:
    """The second key put first; None where there is no second."""
    if len(keys) < len(("active", "second")):
        return None
    active, second, *others = keys
    return second, {key_id: keys[key_id] for key_id in (second, active, *others)}


def written(keys: Mapping[str, bytes]) -> str:
    """The value of MIPRES_PAYLOAD_KEYS."""
    return ",".join(f"{key_id}:{base64.b64encode(key).decode()}" for key_id, key in keys.items())


def replace_in(path: Path, name: str, *, old: str, new: str) -> bool:
    """Change one value of a dotenv file, never half.

    False where the file does not hold the old one.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    if f"{name}={old}" not in lines:
        return False
    changed = [f"{name}={new}" if line == f"{name}={old}" else line for line in lines]
    fresh = path.with_name(f"{path.name}.rotated")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in changed)
    fresh.replace(path)
    return True
