"""What the database knows of a registration, whatever became of its run."""

from dataclasses import dataclass
from datetime import datetime

from mipres.domain.stages import Stage


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The account of a registration: what its person can do with it now.

    Attributes:
        has_password: Whether the person can log in.
        link_expires_at: Until when the registration's password link works; None without such a link.
    """

    has_password: bool = False
    link_expires_at: datetime | None = None

    @property
    def stage(self) -> Stage:
        """The stage that is true of a registration whose run was cut off."""
        if self.has_password:
            return Stage.COMPLETED
        return Stage.AWAITING_PASSWORD if self.link_expires_at else Stage.CANCELLED
