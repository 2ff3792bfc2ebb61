"""Keys derived from MIPRES_SECRET_KEY, and the tokens of password links."""

import base64
import binascii
import hashlib
import hmac
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mipres.domain.errors import MipresError

_ID_BYTES = 16
_NONCE_BYTES = 12
_TOKEN_BYTES = _ID_BYTES + hashlib.sha256().digest_size
# Programs that turn addresses into links take the sentence's own signs along.
_ADDED_BEHIND_LINKS = " \t\r\n\u00a0.,;:!?*)]}>\"'»”’\u200b\u200c\u200d\u200e\u200f\u202c\u2060\u2069\ufeff"


def derive_key(secret: str, purpose: str) -> bytes:
    """A key of its own for each purpose, so that no two uses can be confused."""
    return _derived(secret.encode(), purpose)


def _derived(key: bytes, purpose: str) -> bytes:
    return hmac.new(key, purpose.encode(), hashlib.sha256).digest()


@dataclass(frozen=True, kw_only=True)
class AuditKey:
    """What seals rows of the audit trail, and what hides the logins in them.

    Attributes:
        id: Its name in MIPRES_AUDIT_KEYS; None for rows of before the trail had keys of its own.
    """

    id: str | None
    seal: bytes = field(repr=False)
    person: bytes = field(repr=False)


def audit_keys(keys: Mapping[str, bytes], *, secrets: Sequence[str]) -> tuple[AuditKey, ...]:
    """The trail's keys, the active one first.

    The last ones, derived from MIPRES_SECRET_KEY, only read where there are others.
    """
    own = [
        AuditKey(id=key_id, seal=_derived(key, "audit-seal"), person=_derived(key, "audit-person"))
        for key_id, key in keys.items()
    ]
    derived = (derive_key(secret, "audit") for secret in secrets)
    return (*own, *(AuditKey(id=None, seal=key, person=key) for key in derived))


class LinkTokens:
    """Tokens of password links.

    The link's id and a keyed hash of it, 64 characters of base64url.

    Nothing of a token is stored: the database knows the id, the key stays in the environment, and
    one without the other makes no link. The same id always gives the same token, so a mail that
    is sent twice after a crash carries the same link twice. A token ends in a letter or a digit,
    because mail programs leave a final hyphen out of the link.

    Args:
        key: Makes tokens.
        older_keys: Made tokens before a rotation; mails with them are still under way.
    """

    def __init__(self, key: bytes, *, older_keys: Sequence[bytes] = ()) -> None:
        self._keys = (key, *older_keys)

    def token_of(self, link_id: uuid.UUID) -> str:
        return base64.urlsafe_b64encode(link_id.bytes + _link_seal(self._keys[0], link_id.bytes)).decode()

    def link_id_of(self, token: str) -> uuid.UUID | None:
        """The id inside a genuine token, or None.

        What a mail program adds at the end does not count.
        """
        token = token.rstrip(_ADDED_BEHIND_LINKS)
        try:
            raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError, ValueError):
            return None
        # The decoder also takes `+` for `-` and `/` for `_`; a token has one spelling.
        if len(raw) != _TOKEN_BYTES or base64.urlsafe_b64encode(raw).decode() != token:
            return None
        link_id, seal = raw[:_ID_BYTES], raw[_ID_BYTES:]
        matches = [hmac.compare_digest(seal, _link_seal(key, link_id)) for key in self._keys]
        return uuid.UUID(bytes=link_id) if any(matches) else None


def _link_seal(key: bytes, link_id: bytes) -> bytes:
    """The first of the id's keyed hashes whose last character is a letter or a digit."""
    seals = (hmac.new(key, link_id + bytes(turns), hashlib.sha256).digest() for turns in count())
    return next(seal for seal in seals if base64.urlsafe_b64encode(seal[-3:])[-1:].isalnum())


class SecretBox:
    """Encrypts what the database keeps and must be able to read again: AES-256-GCM.

    Each box belongs to one row, so that what is moved to another row does not open.

    Args:
        keys: 32-byte keys by id. All of them open.
        active: Id of the key that closes.
        purpose: Keeps what these keys do here apart from their other uses.
    """

    def __init__(self, keys: Mapping[str, bytes], *, active: str, purpose: str) -> None:
        self._keys = {key_id: AESGCM(_derived(key, purpose)) for key_id, key in keys.items()}
        self._active = active

    def close(self, secret: bytes, *, row: uuid.UUID) -> bytes:
        nonce, label = os.urandom(_NONCE_BYTES), self._active.encode()
        return (
            bytes([len(label)]) + label + nonce + self._keys[self._active].encrypt(nonce, secret, row.bytes)
        )

    def open(self, box: bytes, *, row: uuid.UUID) -> bytes:
        """What was closed.

        Raises:
            UnknownBoxKeyError: it was closed with a key that this process has not been given.
            cryptography.exceptions.InvalidTag: it is not what was closed for this row.
        """
        key_id, nonce, closed = _parts_of(box)
        if key_id not in self._keys:
            raise UnknownBoxKeyError(key_id)
        return self._keys[key_id].decrypt(nonce, closed, row.bytes)

    def is_current(self, box: bytes) -> bool:
        """Whether it was closed with the active key."""
        return _parts_of(box)[0] == self._active


class UnknownBoxKeyError(MipresError):
    """A secret was encrypted with a key that this process has not been given."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"MIPRES_PAYLOAD_KEYS has no key {key_id!r}")
        self.key_id = key_id


def _parts_of(box: bytes) -> tuple[str, bytes, bytes]:
    """The key's id, the nonce and what is encrypted."""
    end = 1 + box[0]
    return box[1:end].decode(), box[end : end + _NONCE_BYTES], box[end + _NONCE_BYTES :]
