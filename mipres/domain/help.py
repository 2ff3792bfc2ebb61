"""Where a person who needs another person is sent to."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class HelpContact:
    """The operator's help desk and policy; all of it can be absent.

    Attributes:
        url: A page of the operator with more help.
        privacy_url: The policy of the body that is responsible for the data.
    """

    email: str | None = None
    phone: str | None = None
    url: str | None = None
    privacy_url: str | None = None

    @property
    def is_given(self) -> bool:
        """Whether there is any way to a person."""
        return bool(self.email or self.phone or self.url)

    @property
    def phone_digits(self) -> str:
        """The number as a telephone dials it."""
        return "".join(char for char in self.phone or "" if char.isdigit() or char == "+")
