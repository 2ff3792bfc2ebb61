"""The keys that sign what applications get: a JSON Web Key Set in a file.

The first key signs; all are published, so that a key can be changed while tokens of the older one live.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, RSAKey

from mipres.domain.errors import MipresError

ALGORITHMS = {"EC": "ES256", "RSA": "RS256"}
UNREADABLE = (JoseError, ValueError, TypeError, RecursionError)
"""What joserfc and Authlib raise for a signature, header or payload that is not as it should be."""
_OWNER_ONLY = 0o600
_CURVE = "P-256"
_RSA_BITS = 2048


class UnusableKeysError(MipresError):
    """The file of the signing keys cannot be used; the text says why."""


PUBLISHED_SECONDS = 300
"""How long applications may keep what was published."""


class SigningKeys:
    """The keys of one process.

    Args:
        keys: The first one signs.
    """

    def __init__(self, keys: KeySet) -> None:
        self.all = keys
        self.active = keys.keys[0]
        self.algorithm = ALGORITHMS[self.active.key_type]

    def published(self) -> dict[str, list[dict[str, str]]]:
        """What everybody may know of them (RFC 7517)."""
        return {
            "keys": [
                {
                    **{name: str(value) for name, value in key.as_dict(private=False).items()},
                    "kid": str(key.kid),
                    "use": "sig",
                    "alg": ALGORITHMS[key.key_type],
                }
                for key in self.all.keys
            ]
        }


def signed(keys: SigningKeys, claims: Mapping[str, Any], *, typ: str = "JWT") -> str:
    """A token with the active key's name, so that applications find it among several."""
    header = {"alg": keys.algorithm, "kid": str(keys.active.kid), "typ": typ}
    return jwt.encode(header, dict(claims), keys.active, algorithms=[keys.algorithm])


def fresh_key() -> RSAKey:
    """A key for RS256: the algorithm that an application expects which asks for none (Core, section 3.1.3.7)."""
    return RSAKey.generate_key(_RSA_BITS, auto_kid=True)


def read_keys(path: Path) -> SigningKeys:
    """Read the file.

    Raises:
        UnusableKeysError: it is missing, or no key set with private EC P-256 or RSA keys and ids.
    """
    try:
        keys = KeySet.import_key_set(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, KeyError, *UNREADABLE) as error:
        raise UnusableKeysError(f"no se pudo leer ({type(error).__name__}).") from error
    usable = [key for key in keys.keys if _can_sign(key) and key.kid]
    if not usable or len(usable) < len(keys.keys) or len({key.kid for key in usable}) < len(usable):
        raise UnusableKeysError(
            f"necesita claves privadas EC {_CURVE} o RSA de al menos {_RSA_BITS} bits, cada una con su `kid`."
        )
    return SigningKeys(keys)


def _can_sign(key: Key) -> bool:
    """Whether its algorithm takes it (RFC 7518, sections 3.3 and 3.4)."""
    if not key.is_private:
        return False
    if isinstance(key, ECKey):
        return bool(key.curve_name == _CURVE)
    return isinstance(key, RSAKey) and key.raw_value.key_size >= _RSA_BITS


def write_keys(path: Path, keys: KeySet) -> None:
    """Replace the file at once; only its owner may read it."""
    new = path.with_suffix(".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        if path.exists():
            # Root may run the command; the account of the processes still has to read the file.
            os.fchown(descriptor, path.stat().st_uid, path.stat().st_gid)
        json.dump(keys.as_dict(private=True), file)
    new.replace(path)


def with_another(keys: KeySet) -> KeySet:
    """With a new key that signs nothing yet: applications get to know it first."""
    return KeySet([*keys.keys, fresh_key()])


def with_newest_active(keys: KeySet) -> KeySet:
    """With the newest key as the one that signs; the others still prove what they signed."""
    return KeySet([keys.keys[-1], *keys.keys[:-1]])


def only_active(keys: KeySet) -> KeySet:
    return KeySet(keys.keys[:1])


def keys_of_development(path: Path) -> SigningKeys:
    """The keys below the data directory; the first process that needs them makes them."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        own = path.with_name(f"{path.name}.{os.getpid()}")
        write_keys(own, KeySet([fresh_key()]))
        # Of two processes the first one wins, and the other reads what it wrote.
        with suppress(FileExistsError):
            os.link(own, path)
        own.unlink()
    return read_keys(path)
