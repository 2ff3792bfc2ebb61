"""Holding profiles in use against the registries that give them their right."""

import asyncio
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio import activity

from activities.emails import EmailActivities
from activities.errors import translated
from mipres.domain.accounts import AccountContact
from mipres.domain.eligibility import EligibilityRules, today_in_bogota
from mipres.domain.errors import RegistryUnavailableError
from mipres.domain.review import (
    DueProfile,
    Finding,
    ProfileUnderReview,
    ReviewOutcome,
    ReviewPolicy,
    ReviewRules,
)
from mipres.domain.submissions import Submission, UserType
from mipres.ports import (
    Clock,
    HealthTalentRegistry,
    ReviewedProfiles,
    SocialSecurityRegistry,
    SocialServiceRegistry,
)

_PATIENCE_WITH_ONE_SECONDS = 1.5
"""The step that records a refusal is tried for three seconds at first."""
ATTEMPTS_OF_A_QUESTION = 3
"""Then the answer about this person is not clear, and the review goes on."""


@dataclass(frozen=True, kw_only=True)
class DueRequest:
    """Which profiles a review asks for next.

    Attributes:
        days: How long an answer counts; None for what the settings say.
        since: When the review began; None before its first question.
        after: The last profile that it has looked at.
    """

    limit: int
    days: int | None = None
    since: datetime | None = None
    after: uuid.UUID | None = None


@dataclass(frozen=True, kw_only=True)
class DuePage:
    """The next profiles, when the review began by the database's clock, and its guard."""

    since: datetime
    profiles: list[DueProfile]
    guard_percent: float = 2.0


@dataclass(frozen=True, kw_only=True)
class ReviewRequest:
    """Which profile to ask about, in the review that began then."""

    profile_id: uuid.UUID
    since: datetime


@dataclass(frozen=True, kw_only=True)
class ReviewAnswer:
    """What came of one profile, with a finding that would take something away."""

    outcome: ReviewOutcome
    finding: Finding | None = None


@dataclass(frozen=True, kw_only=True)
class HeldFinding:
    """A finding that takes something away, once the guard lets it.

    Attributes:
        since: When its review began; None in a history of before it came along.
    """

    profile_id: uuid.UUID
    finding: Finding
    since: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ReviewStoppedNotice:
    """What support learns of a review that its guard has stopped. Nothing personal."""

    review: str
    registry: str
    looked: int
    closing: int


class ProfileReviewer:
    """Asks the one registry that a profile depends on, and judges its answer."""

    def __init__(
        self,
        *,
        people: SocialSecurityRegistry,
        talent: HealthTalentRegistry,
        placements: SocialServiceRegistry,
        clock: Clock,
        rules: EligibilityRules,
    ) -> None:
        self._people = people
        self._talent = talent
        self._placements = placements
        self._clock = clock
        self._rules = ReviewRules(rules=rules)

    async def ask(self, profile: ProfileUnderReview) -> Finding | None:
        """The clear answer; None for one that is not.

        Raises:
            RegistryUnavailableError: there was no usable answer.
        """
        submission, today = profile.submission, today_in_bogota(self._clock.now())
        document = submission.document
        match submission.user_type:
            case UserType.DELEGATE:
                return self._rules.delegate(is_found=await self._is_delegate(profile))
            case UserType.SOCIAL_SERVICE:
                placement = await self._placements.find_placement(document)
                return self._rules.social_service(placement, access=profile.access, today=today)
            case UserType.OTHER:
                return self._rules.other_user(await self._talent.find_professional(document))
            case UserType.PROFESSIONAL:
                professional = await self._talent.find_professional(document)
                registration = submission.professional_registration or ""
                return self._rules.professional(professional, registration=registration, today=today)

    def takes_away(self, finding: Finding, profile: ProfileUnderReview) -> bool:
        return finding.closes(profile.access, today=today_in_bogota(self._clock.now()))

    async def _is_delegate(self, profile: ProfileUnderReview) -> bool:
        document, entity = profile.submission.document, profile.submission.entity
        if entity is None:
            raise ValueError("a delegate's profile has an entity")
        if entity.is_natural_person:
            return await self._people.find_provider(document, entity) is not None
        return await self._people.find_delegation(document, entity) is not None


class ReviewOfOne:
    """Reviews one profile outside a round, because its person was just refused."""

    def __init__(self, *, profiles: ReviewedProfiles, reviewer: ProfileReviewer) -> None:
        self._profiles = profiles
        self._reviewer = reviewer

    async def of_submission(self, submission: Submission) -> None:
        """Hold the profile of a submission against its registry, as a review does.

        A refusal may be miseguridadsocial's, so the registry is asked that gives the profile its right.
        Without a clear answer at once, the next review asks.
        """
        profile = await self._profiles.find_submitted(submission)
        if profile is None:
            return
        await self._profiles.make_due(profile.profile_id)
        try:
            async with asyncio.timeout(_PATIENCE_WITH_ONE_SECONDS):
                finding = await self._reviewer.ask(profile)
        except (RegistryUnavailableError, TimeoutError):
            return
        if finding is not None:
            await self._profiles.apply(profile.profile_id, finding)


class AccessReviews:
    """The questions are served by the registries' queues, the rest by `registrations`."""

    def __init__(
        self,
        *,
        profiles: ReviewedProfiles,
        reviewer: ProfileReviewer,
        mails: EmailActivities,
        clock: Clock,
        policy: ReviewPolicy,
        support_address: str | None = None,
    ) -> None:
        self._profiles = profiles
        self._policy = policy
        self._reviewer = reviewer
        self._mails = mails
        self._clock = clock
        self._support_address = support_address

    @activity.defn
    async def find_due_profiles(self, request: DueRequest) -> DuePage:
        """Find the next profiles whose registry has not been asked for so long."""
        since = request.since or self._clock.now()
        due = await self._profiles.due(
            every=timedelta(days=request.days or self._policy.days),
            since=since,
            after=request.after,
            limit=request.limit,
        )
        return DuePage(since=since, profiles=list(due), guard_percent=self._policy.guard_percent)

    @activity.defn
    async def review_delegation(self, request: ReviewRequest) -> ReviewAnswer:
        """Is the person still the entity's delegate?"""
        return await self._review(request)

    @activity.defn
    async def review_profession(self, request: ReviewRequest) -> ReviewAnswer:
        """Is the person still in ReTHUS, without a sanction in force today?"""
        return await self._review(request)

    @activity.defn
    async def review_placement(self, request: ReviewRequest) -> ReviewAnswer:
        """Which placement does the person hold today?"""
        return await self._review(request)

    @activity.defn
    async def close_profiles(self, held: list[HeldFinding]) -> int:
        """Take away what the findings say, and return how many profiles that changed.

        A finding may be days old: what a registry has said since then counts, and a day that has come.
        """
        today = today_in_bogota(self._clock.now())
        holding = [item for item in held if not item.finding.is_outdated(today=today)]
        return sum(
            [await self._profiles.apply(item.profile_id, item.finding, since=item.since) for item in holding]
        )

    @activity.defn
    async def notify_review_stopped(self, notice: ReviewStoppedNotice) -> None:
        """Notify support in the log, in the trail, and by mail where there is an address."""
        activity.logger.warning(
            "%s was stopped by its guard: %s would close %s of %s",
            notice.review,
            notice.registry,
            notice.closing,
            notice.looked,
        )
        await self._profiles.record_stopped(
            review=notice.review, registry=notice.registry, looked=notice.looked, closing=notice.closing
        )
        if self._support_address is None:
            return
        desk = AccountContact.of_support(self._support_address)
        key = f"{notice.review}.{notice.registry}.{notice.looked}"
        await self._mails.send_notice("support_review_stopped", desk, key, {"notice": notice})

    async def _review(self, request: ReviewRequest) -> ReviewAnswer:
        profile = await self._profiles.find(request.profile_id, since=request.since)
        if profile is None:
            return ReviewAnswer(outcome=ReviewOutcome.SKIPPED)
        try:
            finding = await self._reviewer.ask(profile)
        except RegistryUnavailableError:
            if activity.info().attempt >= ATTEMPTS_OF_A_QUESTION:
                return ReviewAnswer(outcome=ReviewOutcome.UNCLEAR)
            with translated():
                raise
        if finding is None:
            return ReviewAnswer(outcome=ReviewOutcome.UNDECIDED)
        if self._reviewer.takes_away(finding, profile):
            return ReviewAnswer(outcome=ReviewOutcome.CLOSES, finding=finding)
        changed = await self._profiles.apply(profile.profile_id, finding, since=request.since)
        return ReviewAnswer(outcome=ReviewOutcome.CHANGED if changed else ReviewOutcome.KEPT)
