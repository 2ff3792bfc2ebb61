"""Password links: what they are for and what they are worth."""

from enum import StrEnum


class LinkPurpose(StrEnum):
    """A link serves one purpose only."""

    CREATE = "create"
    RECOVER = "recover"


class LinkState(StrEnum):
    """What a password link is worth now."""

    OPEN = "open"
    EXPIRED = "expired"
    USED = "used"
    SUPERSEDED = "superseded"
    UNKNOWN = "unknown"
