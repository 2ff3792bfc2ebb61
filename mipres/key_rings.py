"""Rings of keys by id, of which the first is active.

A new key first reaches every reader; then it becomes active; at last the older ones go.
"""

import base64
import os
import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

KEY_BYTES = 32
Key = TypeVar("Key")
_NUMBERED = re.compile(r"(\D*)(\d+)")


def with_another_key(keys: Mapping[str, Key], fresh: Callable[[], Key]) -> tuple[str, dict[str, Key]]:
    """A new key, and all keys with it second.

    It reads everywhere before it writes anywhere.
    """
    found = [match for key_id in keys if (match := _NUMBERED.fullmatch(key_id))]
    prefix = found[0][1] if found else "k"
    new_id = f"{prefix}{max((int(match[2]) for match in found), default=0) + 1}"
    active, *others = keys
    return new_id, {active: keys[active], new_id: fresh(), **{key_id: keys[key_id] for key_id in others}}


def with_second_active(keys: Mapping[str, Key]) -> tuple[str, dict[str, Key]] | None:
    """The second key put first; None where there is no second."""
    if len(keys) < len(("active", "second")):
        return None
    active, second, *others = keys
    return second, {key_id: keys[key_id] for key_id in (second, active, *others)}


def only_active(keys: Mapping[str, Key]) -> tuple[str, dict[str, Key]] | None:
    """The first key alone; None where it is alone already."""
    active, *others = keys
    return (active, {active: keys[active]}) if others else None


def fresh_key() -> str:
    """A new key of 32 bytes in base64."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def fresh_secret() -> str:
    """A new secret that needs no quotes in a file or an address."""
    return secrets.token_urlsafe(48)


def in_base64(keys: Mapping[str, bytes]) -> dict[str, str]:
    """Keys as a setting writes them, by id."""
    return {key_id: base64.b64encode(key).decode() for key_id, key in keys.items()}


def written(keys: Mapping[str, str]) -> str:
    """The value of MIPRES_PAYLOAD_KEYS or MIPRES_AUDIT_KEYS."""
    return ",".join(f"{key_id}:{key}" for key_id, key in keys.items())


def replace_in(path: Path, *, old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    """Change variables of a dotenv file, never half.

    False where the file does not hold the old values; an empty value counts as none.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    stored = {name: value for name, _, value in (line.partition("=") for line in lines)}
    if any(stored.get(name, "") != value for name, value in old.items()):
        return False
    changed = [f"{name}={new[name]}" if (name := line.partition("=")[0]) in new else line for line in lines]
    changed += [f"{name}={value}" for name, value in new.items() if name not in stored]
    fresh = path.with_name(f"{path.name}.rotated")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in changed)
    fresh.replace(path)
    return True
