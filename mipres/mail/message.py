"""A mail as the bytes that go over the wire.

A mail of the product has fixed headers and two parts, so writing them takes a fraction of the time that the
`email` package needs to fold whatever a message may hold.
"""

import secrets
from base64 import encodebytes
from email.charset import BASE64, Charset
from email.header import Header
from email.utils import formatdate, quote
from typing import Final

from mipres.domain.mail import Mail

# Base64 at once: to find out whether another encoding is a little shorter takes longer than to write it.
_UTF8: Final = Charset("utf-8")
_UTF8.header_encoding = BASE64
# RFC 5322 §2.1.1: no line is longer than 998; a short one is never folded.
_SHORT: Final = 60


def as_bytes(mail: Mail, *, sender: str, sender_name: str, recipient: str) -> bytes:
    """Write a mail with its two parts, ready for the dialogue with the server.

    Args:
        mail: What to say.
        sender: Address in From; its domain is the one of the Message-ID.
        sender_name: Name beside it.
        recipient: Address in To, without anything that ends a line or an address.

    Raises:
        ValueError: The subject or a name holds a line's end.
    """
    boundary = secrets.token_hex(16)
    headers = {
        "From": f"{_phrase('From', sender_name)} <{sender}>",
        "To": f"{_phrase('To', mail.to_name)} <{recipient}>".lstrip(),
        "Subject": _words("Subject", mail.subject),
        "Date": formatdate(localtime=False),
        # The same step of the same registration keeps its id, so a second copy after a crash is
        # recognised as one message by programs that look.
        "Message-ID": f"<{mail.message_key}@{sender.rpartition('@')[2]}>",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
        "Content-Type": f'multipart/alternative; boundary="{boundary}"',
    }
    lines = [f"{name}: {value}" for name, value in headers.items()]
    for kind, text in (("plain", mail.text), ("html", mail.html)):
        lines += ["", f"--{boundary}", f'Content-Type: text/{kind}; charset="utf-8"']
        lines += ["Content-Transfer-Encoding: base64", "", _base64(text)]
    return "\r\n".join([*lines, f"--{boundary}--", ""]).encode()


def _phrase(header: str, name: str) -> str:
    """A name before an address, which no character of the name can end."""
    return f'"{quote(name)}"' if name and _goes_as_it_is(name) else _words(header, name)


def _words(header: str, text: str) -> str:
    """Text as it is where it is short ASCII, else as encoded words (RFC 2047)."""
    if _goes_as_it_is(text):
        return text
    return Header(text, _UTF8, header_name=header).encode(linesep="\r\n")


def _goes_as_it_is(text: str) -> bool:
    if any(mark in text for mark in "\r\n"):
        raise ValueError("a header holds no linefeed")
    return text.isascii() and len(text) <= _SHORT and "=?" not in text


def _base64(text: str) -> str:
    ends = "\r\n".join(text.splitlines()) + "\r\n"
    return encodebytes(ends.encode()).decode().rstrip("\n").replace("\n", "\r\n")
