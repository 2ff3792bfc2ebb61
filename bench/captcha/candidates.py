"""Choose a code from where a program believes that it found symbols."""

from collections.abc import Iterable
from dataclasses import dataclass

from mipres.captcha.codes import CODE_LENGTH

_OVERLAP = 0.4


@dataclass(frozen=True, order=True)
class Candidate:
    """A symbol that may be there.

    Attributes:
        likeness: How well it fits; 1 is the very same.
        begin: Where it begins, from the left or in time.
    """

    likeness: float
    begin: int
    length: int
    symbol: str

    def is_beside(self, other: "Candidate") -> bool:
        """Whether both can be there, one after the other."""
        first, second = sorted((self, other), key=lambda candidate: candidate.begin)
        return first.begin + first.length * (1 - _OVERLAP) <= second.begin


def likeliest_code(candidates: Iterable[Candidate]) -> str:
    """Take the best candidates that leave room for each other, in their order."""
    chosen: list[Candidate] = []
    for candidate in sorted(candidates, reverse=True):
        if all(candidate.is_beside(other) for other in chosen):
            chosen.append(candidate)
        if len(chosen) == CODE_LENGTH:
            break
    return "".join(candidate.symbol for candidate in sorted(chosen, key=lambda one: one.begin))
