"""Reads a raw message into what the API and the pages show.

No message, however broken, may raise.
"""

import email
import email.parser
import email.policy
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address, AddressHeader
from email.message import EmailMessage
from typing import Literal

from pydantic import BaseModel


class Mailbox(BaseModel):
    """A name and an address, in the casing of Mailpit's API."""

    Name: str
    Address: str


class Summary(BaseModel):
    """A line of the list."""

    ID: str
    From: Mailbox
    To: list[Mailbox]
    Subject: str
    Created: datetime


class Message(Summary):
    """A whole message."""

    Text: str
    HTML: str
    Headers: dict[str, list[str]]


class Listing(BaseModel):
    """A page of the list; `total` counts all messages."""

    total: int
    messages: list[Summary]


@dataclass(frozen=True, kw_only=True)
class StoredMessage:
    """A message as it came, with the name it is stored by and when it came."""

    key: str
    created: datetime
    content: bytes


def summarise(stored: StoredMessage) -> Summary:
    headers = email.parser.BytesHeaderParser(policy=email.policy.default)
    return _summary(stored, headers.parsebytes(stored.content))


def read(stored: StoredMessage) -> Message:
    parsed = _parse(stored.content)
    headers: dict[str, list[str]] = {}
    for name, value in _headers(parsed):
        headers.setdefault(name, []).append(value)
    return Message(
        **_summary(stored, parsed).model_dump(),
        Text=_body(parsed, "plain"),
        HTML=_body(parsed, "html"),
        Headers=headers,
    )


def _parse(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=email.policy.default)


def _summary(stored: StoredMessage, parsed: EmailMessage) -> Summary:
    senders = _mailboxes(parsed, "from")
    return Summary(
        ID=stored.key,
        From=senders[0] if senders else Mailbox(Name="", Address=""),
        To=_mailboxes(parsed, "to"),
        Subject=next(
            (_header(parsed, name, raw) for name, raw in parsed.raw_items() if name.lower() == "subject"), ""
        ),
        Created=stored.created,
    )


def _mailboxes(parsed: EmailMessage, name: str) -> list[Mailbox]:
    found: list[Mailbox] = []
    for header, raw in parsed.raw_items():
        if header.lower() == name:
            found += _addresses(parsed, header, raw)
    return found


def _addresses(parsed: EmailMessage, name: str, raw: str) -> list[Mailbox]:
    try:
        header = parsed.policy.header_fetch_parse(name, raw)
        addresses = header.addresses if isinstance(header, AddressHeader) else ()
        return [_mailbox(address) for address in addresses]
    except Exception:  # noqa: BLE001 - the standard library's parser raises many things on broken headers.
        return [Mailbox(Name="", Address=_clean(raw))]


def _mailbox(address: Address) -> Mailbox:
    return Mailbox(Name=_clean(address.display_name), Address=_clean(address.addr_spec))


def _headers(parsed: EmailMessage) -> Iterator[tuple[str, str]]:
    for name, raw in parsed.raw_items():
        yield _clean(name), _header(parsed, name, raw)


def _header(parsed: EmailMessage, name: str, raw: str) -> str:
    try:
        value = str(parsed.policy.header_fetch_parse(name, raw))
    except Exception:  # noqa: BLE001 - as above.
        value = str(raw)
    return _clean(value)


def _body(parsed: EmailMessage, kind: Literal["plain", "html"]) -> str:
    try:
        part = parsed.get_body((kind,))
        return _clean(part.get_content()) if part else ""
    except Exception:  # noqa: BLE001 - an unknown charset or a broken MIME tree.
        return _clean(parsed.as_bytes().decode(errors="replace")) if kind == "plain" else ""


def _clean(text: str) -> str:
    """Turn raw bytes that the parser keeps as surrogates into text for JSON."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
