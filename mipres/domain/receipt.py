"""What a receipt says: what is stored, never what is typed later."""

from dataclasses import dataclass
from datetime import datetime

from mipres.domain.submissions import Submission


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What was registered.

    Attributes:
        submission: With the professional registration as ReTHUS writes it.
        registered_at: When the person accepted the declaration of this registration.
    """

    submission: Submission
    registered_at: datetime
    terms_version: str
