"""Encryption of all that Temporal stores, bound to its workflow: AES-256-GCM.

Temporal is no trusted writer. A payload in clear, changed, or moved from another workflow or activity is
*refused*: the codec turns it into a mark instead of raising, because an error while decoding one forged
signal would freeze or end the registration that it was sent to. `mipres.temporal.trust` decides what a
mark means for each kind of message.
"""

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

from mipres.domain.errors import MipresError

ENCODING = b"binary/encrypted"
REFUSED_ENCODING = b"binary/refused"
OPERATOR_ENCODING = b"binary/operator"
KEY_ID = "encryption-key-id"
SCOPE = "encryption-scope"
OPERATOR_SCOPE = "operator"
_NONCE_BYTES = 12
_ROUND = re.compile(r"-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
"""What Temporal adds to the id of a workflow that a schedule starts."""


class Fault(StrEnum):
    """Why a payload is refused."""

    PLAINTEXT = "plaintext"
    MOVED = "moved"
    TAMPERED = "tampered"
    UNKNOWN_KEY = "unknown_key"


class UntrustedPayloadError(MipresError):
    """A payload is not what a process of this product wrote for this place.

    Attributes:
        fault: Why.
    """

    def __init__(self, fault: Fault, message: str = "") -> None:
        self.fault = fault
        super().__init__(message or f"Temporal holds a payload that is refused: {fault}")


class UnknownPayloadKeyError(UntrustedPayloadError):
    """A payload was encrypted with a key that this process has not been given."""

    def __init__(self, key_id: str) -> None:
        super().__init__(Fault.UNKNOWN_KEY, f"MIPRES_PAYLOAD_KEYS has no key {key_id!r}")


class EncryptionCodec(PayloadCodec, WithSerializationContext):
    """Encrypts each payload as a whole, its metadata included.

    The SDK says with each payload which workflow, and which type of activity, it belongs to. The codec
    authenticates that scope together with the data. A codec without a scope, as the codec server's, believes
    the scope that a payload names and checks the seal over it.

    Args:
        keys: 32-byte keys by id. All of them decrypt.
        active: Id of the key that encrypts.
        on_refused: Called with the fault and the scope of each refused payload. It must not raise.
        scope: The place that payloads are for; None where nobody says.
    """

    def __init__(
        self,
        keys: Mapping[str, bytes],
        *,
        active: str,
        on_refused: Callable[[Fault, str], None] | None = None,
        scope: str | None = None,
    ) -> None:
        if active not in keys:
            raise UnknownPayloadKeyError(active)
        self._keys = keys
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._active = active
        self._on_refused = on_refused
        self._scope = scope

    def with_context(self, context: SerializationContext) -> Self:
        scope = _scope_of(context)
        if scope == self._scope:
            return self
        return type(self)(self._keys, active=self._active, on_refused=self._on_refused, scope=scope)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._sealed(payload, self._scope or "") for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._opened_or_marked(payload) for payload in payloads]

    def open(self, payload: Payload) -> Payload:
        """Decrypt one payload.

        Raises:
            UnknownPayloadKeyError: no key of this process has the payload's key id.
            UntrustedPayloadError: it is in clear, was changed, or belongs to another place.
        """
        if payload.metadata.get("encoding") != ENCODING:
            raise UntrustedPayloadError(Fault.PLAINTEXT)
        scope = payload.metadata.get(SCOPE, b"").decode(errors="replace")
        is_operators = scope.startswith(f"{OPERATOR_SCOPE}/")
        if self._scope is not None and scope != self._scope and not is_operators:
            raise UntrustedPayloadError(Fault.MOVED)
        key_id = payload.metadata.get(KEY_ID, b"").decode(errors="replace")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise UnknownPayloadKeyError(key_id)
        nonce, sealed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
        try:
            opened = Payload.FromString(cipher.decrypt(nonce, sealed, _authenticated(key_id, scope)))
        except (InvalidTag, ValueError) as error:
            raise UntrustedPayloadError(Fault.TAMPERED) from error
        if is_operators and self._scope is not None:
            # Kept apart: it may only be the reason of an update, and only for a while.
            return Payload(metadata={"encoding": OPERATOR_ENCODING, SCOPE: scope.encode()}, data=opened.data)
        return opened

    def seal_for_operator(self, reason: Payload, *, actor: str, lifetime_seconds: float) -> Payload:
        """Encrypt the reason of an update from Temporal's interface.

        The interface does not say for which workflow. The result is accepted as the argument of an update
        alone, for as long as it lives.

        Raises:
            ValueError: it is no text.
        """
        if not reason.data.startswith(b'"'):
            raise ValueError("the argument of an update is a text in JSON")
        expires_at = int(time.time() + lifetime_seconds)
        return self._sealed(reason, f"{OPERATOR_SCOPE}/{expires_at}/{actor}")

    def _sealed(self, payload: Payload, scope: str) -> Payload:
        nonce, key_id = os.urandom(_NONCE_BYTES), self._active
        data = self._ciphers[key_id].encrypt(
            nonce, payload.SerializeToString(), _authenticated(key_id, scope)
        )
        metadata = {"encoding": ENCODING, KEY_ID: key_id.encode(), SCOPE: scope.encode()}
        return Payload(metadata=metadata, data=nonce + data)

    def _opened_or_marked(self, payload: Payload) -> Payload:
        try:
            return self.open(payload)
        except UntrustedPayloadError as error:
            if self._on_refused is not None and not self._is_of_another_round(payload):
                self._on_refused(error.fault, self._scope or "")
            return Payload(metadata={"encoding": REFUSED_ENCODING}, data=error.fault.encode())

    def _is_of_another_round(self, payload: Payload) -> bool:
        """Whether a schedule handed on what an earlier round returned.

        Temporal does so by itself. Nothing reads it and it stays refused, yet it is no sign of an attack.
        """
        scope = payload.metadata.get(SCOPE, b"").decode(errors="replace")
        schedule, of_a_schedule = _ROUND.subn("", scope)
        if not of_a_schedule or schedule != _ROUND.sub("", self._scope or ""):
            return False
        try:
            type(self)(self._keys, active=self._active).open(payload)
        except UntrustedPayloadError:
            return False
        return True


def _authenticated(key_id: str, scope: str) -> bytes:
    """What the seal covers beside the data: neither key nor scope can be relabelled."""
    return f"{key_id}\0{scope}".encode()


def _scope_of(context: SerializationContext) -> str | None:
    match context:
        case WorkflowSerializationContext():
            return _of_workflow(context.namespace, context.workflow_id)
        case ActivitySerializationContext():
            return f"{_of_workflow(context.namespace, context.workflow_id or '')}#{context.activity_type}"
    return None


def _of_workflow(namespace: str, workflow_id: str) -> str:
    # A stranger chooses ids: one with this sign must not read as the activity of another workflow.
    return f"{namespace}/{workflow_id.replace('#', '##')}"
