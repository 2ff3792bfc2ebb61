"""The radicado: the public reference of one registration.

It is the same for the same person, type of user, entity and professional registration.
"""

import hashlib
import hmac
import re

from mipres.domain.documents import Document
from mipres.domain.identifiers import folded_registration
from mipres.domain.submissions import Submission, UserType

KNOWN_BY_DOCUMENT = (UserType.SOCIAL_SERVICE, UserType.OTHER)
"""Types of user whose radicado follows from the document alone.

The others have an entity or a number in it.
"""
KNOWN_BY_MORE = tuple(user_type for user_type in UserType if user_type not in KNOWN_BY_DOCUMENT)

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOK_ALIKES = str.maketrans("OIL", "011")
_SYMBOLS = 12
_WRITTEN = re.compile(rf"\bRM-[0-9A-Z]{{{_SYMBOLS}}}\b", re.ASCII)
_PATTERN = re.compile(rf"RM-[{_CROCKFORD}]{{{_SYMBOLS}}}", re.ASCII)


def radicado_of(submission: Submission, *, key: bytes) -> str:
    """Radicado of a submission: `RM-` and 60 bits of a keyed hash in Crockford base32.

    The hash is keyed, so no one can try document numbers against a radicado that is seen in a log.
    """
    parts: tuple[str, ...] = (submission.user_type, str(submission.document), submission.entity_key)
    if submission.professional_registration is not None:
        # Folded as in the comparison with ReTHUS: what is the same number there is the same registration here.
        parts += (folded_registration(submission.professional_registration),)
    return _reference("RM", parts, key)


def recovery_reference(document: Document, *, key: bytes) -> str:
    """Reference of a password recovery, made like a radicado: `RC-` and 12 symbols."""
    return _reference("RC", ("recovery", str(document)), key)


def is_radicado(text: str) -> bool:
    return _PATTERN.fullmatch(text) is not None


def is_reference(text: str) -> bool:
    """Whether it is a radicado or the reference of a recovery."""
    return is_radicado(text.replace("RC-", "RM-", 1))


def read_radicado(text: str) -> str | None:
    """The radicado that a person copied, with its label or in an address, or None.

    Crockford's look-alikes count as what they look like.
    """
    pasted = _WRITTEN.search(text.upper())
    symbols = _symbols_of(pasted[0] if pasted else text)
    # The symbols themselves may begin like the prefix that was left out.
    if len(symbols) > _SYMBOLS:
        symbols = symbols.removeprefix("RM")
    radicado = f"RM-{symbols.translate(_LOOK_ALIKES)}"
    return radicado if is_radicado(radicado) else None


def read_reference(text: str) -> str | None:
    """The radicado or recovery's reference that a person dictated, or None.

    Its prefix is needed: twelve symbols alone may be a login.
    """
    symbols = _symbols_of(text)
    reference = f"{symbols[:2]}-{symbols[2:].translate(_LOOK_ALIKES)}"
    return reference if is_reference(reference) else None


def _symbols_of(text: str) -> str:
    return "".join(char for char in text.upper() if char.isalnum())


def _reference(prefix: str, parts: tuple[str, ...], key: bytes) -> str:
    digest = hmac.new(key, "|".join(parts).encode(), hashlib.sha256).digest()
    bits = int.from_bytes(digest[:8], "big") >> 4
    return f"{prefix}-" + "".join(
        _CROCKFORD[(bits >> shift) & 31] for shift in range(5 * (_SYMBOLS - 1), -1, -5)
    )
