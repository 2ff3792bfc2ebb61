"""What a registry's answer means for a profile that is in use.

Only a clear answer means anything. `today` is the calendar date in Bogotá.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from mipres.domain.access import AccessCause, AccessState, ProfileAccess
from mipres.domain.eligibility import EligibilityRules, has_ended
from mipres.domain.people import HealthProfessional, Placement, Profession, Sanction
from mipres.domain.professions import Prescribing
from mipres.domain.stages import WaitingOn
from mipres.domain.submissions import Submission, UserType

_DAY = timedelta(days=1)
_SEVERITY = (AccessState.IN_FORCE, AccessState.SUSPENDED, AccessState.ENDED)
AT_LEAST_CLOSED = 20
"""So many may lose their access in any review: a share of a few says nothing."""


class ReviewStage(StrEnum):
    """Where a review stands. Values are those of ReviewStage in Temporal."""

    REVIEWING = "reviewing"
    STOPPED = "stopped"
    REVIEWED = "reviewed"
    ABANDONED = "abandoned"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    ReviewStage.REVIEWING: "revisando",
    ReviewStage.STOPPED: "detenida por su freno",
    ReviewStage.REVIEWED: "terminada",
    ReviewStage.ABANDONED: "abandonada por soporte",
}


class ReviewOutcome(StrEnum):
    """What came of one profile.

    UNDECIDED is an answer that says nothing clear about this person; UNCLEAR is none that can be used, and many
    in a row are the registry's.
    """

    KEPT = "kept"
    CHANGED = "changed"
    CLOSES = "closes"
    UNDECIDED = "undecided"
    UNCLEAR = "unclear"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A clear answer about one profile.

    Attributes:
        cause: Why the profile opens nothing; None while it is in force.
        until: The last day of a sanction; None until further notice.
        placement: The placement in force, of a social service.
        review_on: The day on which the registry has to be asked again, where it is known.
    """

    cause: AccessCause | None = None
    until: date | None = None
    placement: Placement | None = None
    review_on: date | None = None

    def is_outdated(self, *, today: date) -> bool:
        """Whether the day has come on which only another answer says what holds."""
        return self.review_on is not None and self.review_on <= today

    def closes(self, access: ProfileAccess, *, today: date) -> bool:
        """Whether the finding takes something away that the profile still has.

        What ends by its own last day is not taken away, and what support suspends is support's. An earlier last
        day is: a registry that gives everybody the same one would else end all of them on it.
        """
        before = replace(access, is_suspended_by_support=False).state(today)
        if self.cause is None:
            return before is AccessState.IN_FORCE and self._shortens(access.last_day)
        after = AccessState.SUSPENDED if self.cause is AccessCause.SANCTIONED else AccessState.ENDED
        return _SEVERITY.index(after) > _SEVERITY.index(before)

    def _shortens(self, last_day: date | None) -> bool:
        return self.placement is not None and last_day is not None and self.placement.end < last_day


@dataclass(frozen=True, kw_only=True)
class DueProfile:
    """A profile whose registry is to be asked. Nothing personal."""

    profile_id: uuid.UUID
    registry: WaitingOn


@dataclass(frozen=True, kw_only=True)
class ProfileUnderReview:
    """What the question and the judgement need."""

    profile_id: uuid.UUID
    submission: Submission
    access: ProfileAccess


@dataclass(frozen=True, kw_only=True)
class ReviewPolicy:
    """How the operator wants reviews.

    Attributes:
        days: How long an answer of a registry counts; 0 asks never again.
        guard_percent: The share that may lose its access before support looks.
    """

    days: int = 7
    guard_percent: float = 2.0


@dataclass(frozen=True, kw_only=True)
class Guard:
    """How many may lose their access before somebody has looked at it.

    Attributes:
        percent: Of what the review has looked at.
    """

    percent: float

    def stops(self, *, looked: int, closing: int) -> bool:
        return closing > max(AT_LEAST_CLOSED, looked * self.percent / 100)


def registry_of(user_type: UserType) -> WaitingOn:
    """The registry that gives a type of user its right."""
    match user_type:
        case UserType.DELEGATE:
            return WaitingOn.MISEGURIDADSOCIAL
        case UserType.SOCIAL_SERVICE:
            return WaitingOn.SSO
        case UserType.PROFESSIONAL | UserType.OTHER:
            return WaitingOn.RETHUS


@dataclass(frozen=True, kw_only=True)
class ReviewRules:
    """Judges answers by the tables that registrations are judged by.

    Each judgement is None where the answer is not clear: it has a value that nobody knows, or a part that
    could not be read.
    """

    rules: EligibilityRules

    def delegate(self, *, is_found: bool) -> Finding:
        return Finding() if is_found else Finding(cause=AccessCause.DELEGATION_WITHDRAWN)

    def professional(
        self, professional: HealthProfessional | None, *, registration: str, today: date
    ) -> Finding | None:
        if professional is None:
            return Finding(cause=AccessCause.NOT_IN_RETHUS)
        profession = self.rules.find_profession(professional, registration)
        if profession is None:
            return None if professional.hidden_registration else Finding(cause=AccessCause.NOT_IN_RETHUS)
        bars = self.rules.bars_in_force(professional, today=today)
        if True in bars:
            barring = [item for item in professional.sanctions if self.rules.sanctions.bars(item.kind)]
            until = _last_barred_day(barring, today)
            return Finding(cause=AccessCause.SANCTIONED, until=until, review_on=until and until + _DAY)
        if None in bars:
            return None
        kept = Finding(review_on=self.rules.next_barred_day(professional, today=today))
        return self._by_profession(profession.name, code=profession.code, kept=kept)

    def other_user(self, professional: HealthProfessional | None) -> Finding | None:
        if professional is None:
            return Finding()
        judged = {self._prescribing(item) for item in professional.professions}
        if Prescribing.YES in judged:
            return Finding(cause=AccessCause.PROFESSION_NOT_AUTHORIZED)
        if professional.unreadable or judged & {Prescribing.UNCERTAIN, Prescribing.UNTOLD}:
            return None
        return Finding()

    def social_service(
        self, placement: Placement | None, *, access: ProfileAccess, today: date
    ) -> Finding | None:
        if placement is not None and placement.in_force(today):
            return self._by_profession(placement.profession, kept=Finding(placement=placement))
        coming = placement.begins_on(today) if placement else None
        may_go_on = access.ended_cause is None and not has_ended(access.last_day, today=today)
        if placement and placement.start > today and may_go_on:
            # SSO shows one placement; the present one may stand behind the next.
            return Finding(review_on=coming)
        return Finding(cause=AccessCause.PLACEMENT_OVER, review_on=coming)

    def _by_profession(self, name: str, *, kept: Finding, code: str = "") -> Finding | None:
        if self.rules.professions.prescribing(name, code=code) is Prescribing.YES:
            return kept
        if self.rules.professions.knows(name, code=code):
            return Finding(cause=AccessCause.PROFESSION_NOT_AUTHORIZED)
        return None

    def _prescribing(self, profession: Profession) -> Prescribing:
        return self.rules.professions.prescribing(profession.name, code=profession.code)


def _last_barred_day(sanctions: Iterable[Sanction], today: date) -> date | None:
    """The last day without a gap on which a sanction is in force; None for no end."""
    known, day = list(sanctions), today
    while in_force := [item for item in known if item.in_force(day)]:
        ends = [item.end for item in in_force]
        if None in ends:
            return None
        day = max(end for end in ends if end) + _DAY
    return day - _DAY
