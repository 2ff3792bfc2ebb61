"""Encryption of everything that Temporal stores: AES-256-GCM, with the id of the key beside the data."""

import os
from collections.abc import Mapping, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from mipres.domain.errors import MipresError

ENCODING = b"binary/encrypted"
_KEY_ID = "encryption-key-id"
_NONCE_BYTES = 12


class UnknownPayloadKeyError(MipresError):
    """A payload was encrypted with a key that this process has not been given."""


class EncryptionCodec(PayloadCodec):
    """Encrypts each payload as a whole, its metadata included.

    Args:
        keys: 32-byte keys by id. All of them decrypt.
        active: Id of the key that encrypts.
    """

    def __init__(self, keys: Mapping[str, bytes], *, active: str) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._active = active
        if active not in self._ciphers:
            raise UnknownPayloadKeyError(active)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._encrypt(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._decrypt(payload) for payload in payloads]

    def _encrypt(self, payload: Payload) -> Payload:
        nonce = os.urandom(_NONCE_BYTES)
        key_id = self._active.encode()
        # The key id is authenticated too, so a payload cannot be relabelled to another key.
        data = nonce + self._ciphers[self._active].encrypt(nonce, payload.SerializeToString(), key_id)
        return Payload(metadata={"encoding": ENCODING, _KEY_ID: key_id}, data=data)

    def _decrypt(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        key_id = payload.metadata[_KEY_ID]
        name = key_id.decode(errors="replace")
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise UnknownPayloadKeyError(f"MIPRES_PAYLOAD_KEYS has no key {name!r}")
        nonce, sealed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
        try:
            return Payload.FromString(cipher.decrypt(nonce, sealed, key_id))
        except (InvalidTag, ValueError) as error:
            raise UnknownPayloadKeyError(f"key {name!r} does not open this payload") from error
