"""The one judgement of a mail server's replies.

Whose fault is a refusal, and what follows from it.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# Some servers say it on a later line only, or behind words: `sorry, not in my list of allowed rcpthosts (#5.7.1)`.
_ENHANCED_CODE: Final = re.compile(r"(?:^|[#(\[])([245]\.\d{1,3}\.\d{1,3})(?!\.?\d)", re.ASCII | re.MULTILINE)
_ADDRESS_SUBJECT: Final = 1
# RFC 3463: x.1.7 and x.1.8 blame the sender, x.1.9 the relaying.
_NOT_ABOUT_THE_RECIPIENT: Final = frozenset({7, 8, 9})
# RFC 6531 §3.5: a server that writes such addresses itself says that the next one takes none.
_OF_OTHER_SCRIPTS: Final = frozenset({(6, 7), (6, 9)})
# Mailbox unavailable, not local, name not allowed: what servers say of an address, but not of it alone.
_DOUBTFUL_CODES: Final = frozenset({550, 551, 553})
_PERMANENT: Final = range(500, 600)
_REFUSING: Final = range(400, 600)


class Step(StrEnum):
    """A step of a delivery, by the name that support reads."""

    CONNECT = "connect"
    HELLO = "EHLO"
    TLS = "STARTTLS"
    LOGIN = "AUTH"
    SENDER = "MAIL"
    RECIPIENT = "RCPT"
    CONTENT = "DATA"
    FINAL_DOT = "final dot"


class Verdict(StrEnum):
    """What a refusal says.

    Attributes:
        ADDRESS_WRONG: This address is wrong; the person corrects it.
        ADDRESS_DOUBTFUL: It may be; one more try decides.
        SERVER_CANNOT: The server cannot now; it or its setting gets mended.
        NO_WORD: It has the message, and neither takes nor refuses it.
    """

    ADDRESS_WRONG = "address_wrong"
    ADDRESS_DOUBTFUL = "address_doubtful"
    SERVER_CANNOT = "server_cannot"
    NO_WORD = "no_word"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A server's refusal at one step."""

    step: Step
    code: int
    text: str

    @property
    def verdict(self) -> Verdict:
        """Whose fault it is: only a recipient's address can be wrong, and only for good."""
        if self.step is Step.FINAL_DOT and self.code not in _REFUSING:
            return Verdict.NO_WORD
        if self.code not in _PERMANENT or self.step not in {Step.RECIPIENT, Step.FINAL_DOT}:
            return Verdict.SERVER_CANNOT
        if self._enhanced is None:
            is_doubtful = self.step is Step.RECIPIENT and self.code in _DOUBTFUL_CODES
            return Verdict.ADDRESS_DOUBTFUL if is_doubtful else Verdict.SERVER_CANNOT
        group, subject, detail = map(int, self._enhanced.split("."))
        is_about_the_address = (subject, detail) in _OF_OTHER_SCRIPTS or (
            subject == _ADDRESS_SUBJECT and detail not in _NOT_ABOUT_THE_RECIPIENT
        )
        is_told_twice = group == self.code // 100
        return Verdict.ADDRESS_WRONG if is_about_the_address and is_told_twice else Verdict.SERVER_CANNOT

    def __str__(self) -> str:
        """Step and codes. The server's words are left out: they may repeat the address."""
        return f"{self.step}: {self.code}{f' {self._enhanced}' if self._enhanced else ''}"

    @property
    def _enhanced(self) -> str | None:
        found = _ENHANCED_CODE.search(self.text)
        return found[1] if found else None
