"""Who comes on a mixed day, and what each does beside registering."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from dev.citizen import Citizen, Delegate, OtherUser, SocialServant, Unlisted, next_number

REFUSED, TWICE, ANOTHER_LINK, RECOVERING, LOGGING_IN = 0.05, 0.05, 0.05, 0.10, 0.50
"""Shares of the people of a day."""
_KINDS: Sequence[tuple[type[Citizen], float]] = (
    (Citizen, 0.55),
    (Delegate, 0.20),
    (SocialServant, 0.15),
    (OtherUser, 0.10),
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One person's day.

    Attributes:
        is_refused: No registry knows the person as what they say they are.
        submits_twice: Presses the button of the form once more.
        asks_for_another_link: Lets the first link lie, and asks for another one.
        recovers: Forgets the password, and creates another one.
        logs_in: Opens the application afterwards.
    """

    citizen: Citizen
    is_refused: bool
    submits_twice: bool
    asks_for_another_link: bool
    recovers: bool
    logs_in: bool


def make_plan(chance: random.Random) -> Plan:
    """Draw one person of the day."""
    is_refused = chance.random() < REFUSED
    [drawn] = chance.choices([kind for kind, _ in _KINDS], [share for _, share in _KINDS])
    kind = Unlisted if is_refused else drawn
    return Plan(
        citizen=kind(number=next_number()),
        is_refused=is_refused,
        submits_twice=chance.random() < TWICE,
        asks_for_another_link=chance.random() < ANOTHER_LINK,
        recovers=chance.random() < RECOVERING,
        logs_in=chance.random() < LOGGING_IN,
    )
