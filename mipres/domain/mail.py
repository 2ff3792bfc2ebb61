"""A mail, ready to be sent, and the claims that keep it from going out twice."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

CLAIM_LIFETIME = timedelta(seconds=30)
"""An attempt to send renews its claim more often.

An older one is left from a crash, and another may take it.
"""

HANDED_OVER_LIFETIME = timedelta(hours=3)
"""A mail that the server may have is claimed for as long.

By then its first copy has arrived, or never will.
"""

MOST_UNKNOWN_ENDS = 3
"""After so many attempts without a word, the mail counts as delivered."""


class MailClaim(StrEnum):
    """What an attempt to send a mail learns of the mail's key."""

    TAKEN = "taken"
    """The mail is this attempt's to send."""
    SENT = "sent"
    """The mail has gone out."""
    BUSY = "busy"
    """Another attempt is sending it now."""
    HANDED_OVER = "handed_over"
    """The server may have it: its attempt ended without a word, or has not ended."""


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A rendered message."""

    to_name: str
    to_address: str
    subject: str
    text: str
    html: str
    message_key: str
