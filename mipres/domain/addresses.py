"""The one judgement of mail addresses.

What a registry holds, and what a mail can be sent to.
"""

import re
from typing import Final

from mipres.domain.identifiers import has_control_character, visible

# Narrower than RFC 5322: nothing that begins another address, a name or a command may stand in one.
_ATOM: Final = r"[^\s@.,:;<>()\[\]\"\\]+"
_ADDRESS: Final = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@({_ATOM}(?:\.{_ATOM})+)")
# RFC 5321 §4.1.2; no name ends in a number.
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_HOST_NAME: Final = re.compile(rf"(?:{_LABEL}\.)+(?!\d+$){_LABEL}", re.ASCII | re.IGNORECASE)
# The codec of the standard library writes another person's domain for these: straße.de becomes strasse.de.
_OF_OTHER_DOMAINS: Final = frozenset("ßẞς")
_BETWEEN_ADDRESSES: Final = re.compile(r"[\s,;/|]+")
_LOCAL_LENGTH: Final = 64
_LENGTH: Final = 254


def usable_address(text: str) -> str | None:
    """The one address in a registry's field that a mail can be sent to.

    None if there is none, or more than one.

    Of two addresses the usable one counts if the other is none; a part without `@` could belong to
    either, so nothing is usable then.
    """
    whole = visible(text)
    if is_usable(whole):
        return whole
    parts = [part for part in _BETWEEN_ADDRESSES.split(whole) if part]
    if not all("@" in part for part in parts):
        return None
    usable = {part.casefold(): part for part in reversed(parts) if is_usable(part)}
    return next(iter(usable.values())) if len(usable) == 1 else None


def is_usable(address: str) -> bool:
    """Whether a mail can be sent to exactly this address."""
    found = _ADDRESS.fullmatch(address)
    if found is None or has_control_character(address):
        return False
    local, domain = found.groups()
    return (
        len(local.encode()) <= _LOCAL_LENGTH
        and len(address.encode()) <= _LENGTH
        and bool(ascii_domain(domain))
    )


def ascii_domain(domain: str) -> str | None:
    """A domain as it goes over the wire, in punycode where it needs it.

    None if it is no domain.
    """
    if not _OF_OTHER_DOMAINS.isdisjoint(domain):
        return None
    try:
        written = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    # What the codec makes of other scripts' signs may be an @ or the end of an address.
    return written if _HOST_NAME.fullmatch(written) else None
