"""What goes into a review of access, from run to run, and comes out of it."""

import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime

from activities.reviews import HeldFinding
from mipres.domain.review import ReviewOutcome, ReviewStage
from mipres.domain.stages import WaitingOn
from workflows import policies


@dataclass(kw_only=True)
class Tally:
    """How many profiles of one registry were looked at, and what came of them."""

    looked: int = 0
    closing: int = 0
    changed: int = 0
    unclear: int = 0

    def add(self, outcome: ReviewOutcome) -> None:
        match outcome:
            case ReviewOutcome.SKIPPED:
                return
            case ReviewOutcome.UNCLEAR | ReviewOutcome.UNDECIDED:
                self.unclear += 1
                return
            case ReviewOutcome.CLOSES:
                self.closing += 1
            case ReviewOutcome.CHANGED:
                self.changed += 1
        self.looked += 1


@dataclass(kw_only=True)
class ReviewState:
    """Everything that a review remembers, from one run to the next.

    Attributes:
        since: When it began, by the database's clock.
        after: The last profile that it has looked at.
        tallies: What came of the profiles, by registry.
        portion: The same of the present portion alone: a registry that loses its data in the middle of a
            long review shows there first.
        held: What waits for the guard.
        unclear_in_a_row: How many times in a row a registry gave no answer that can be used.
        left_out: The registries that did so too often.
        is_guard_open: Whether support has looked at what was found, and wants the review to go on.
        let_go: The registries of which support did, so that the guard stops the review for others only.
    """

    stage: ReviewStage = ReviewStage.REVIEWING
    since: datetime | None = None
    after: uuid.UUID | None = None
    tallies: dict[str, Tally] = field(default_factory=dict)
    portion: dict[str, Tally] = field(default_factory=dict)
    held: list[HeldFinding] = field(default_factory=list)
    unclear_in_a_row: dict[str, int] = field(default_factory=dict)
    left_out: list[WaitingOn] = field(default_factory=list)
    is_guard_open: bool = False
    let_go: list[WaitingOn] = field(default_factory=list)
    is_abandon_asked: bool = False

    @property
    def looked(self) -> int:
        return sum(tally.looked for tally in self.tallies.values())

    def tally(self, registry: WaitingOn) -> Tally:
        return self.tallies.setdefault(registry.value, Tally())

    def portion_tally(self, registry: WaitingOn) -> Tally:
        return self.portion.setdefault(registry.value, Tally())

    def next_run(self, after: uuid.UUID) -> "ReviewState":
        return replace(self, after=after, portion={}, held=[])

    def without_findings(self) -> "ReviewState":
        return replace(self, held=[])


@dataclass(frozen=True, kw_only=True)
class AccessReviewRequest:
    """Input of the workflow AccessReview; without one, the workers' settings decide.

    The schedule gives none: it cannot know the id that its workflow gets, to which an input is bound.

    Attributes:
        days: How long an answer of a registry counts.
        guard_percent: The share of what was looked at that may lose its access before support looks.
        portion: How many profiles one run takes.
        state: What an earlier run of the same review hands on.
    """

    days: int | None = None
    guard_percent: float | None = None
    portion: int = policies.REVIEW_PORTION
    state: ReviewState | None = None
