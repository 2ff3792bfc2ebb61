"""A mail, ready to be sent."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A rendered message."""

    to_name: str
    to_address: str
    subject: str
    text: str
    html: str
    message_key: str
