"""Checks against the government registries.

A result says yes or no; only technical failures raise.

Sanctions, placements out of force and the like are judged here, so that a history holds verdicts
and not what the registries said of a person beyond what the account needs.
"""

from dataclasses import dataclass
from datetime import date

from temporalio import activity

from activities.errors import translated
from mipres.domain.eligibility import EligibilityRules, today_in_bogota
from mipres.domain.outcomes import Refusal
from mipres.domain.people import EntityRecord, Person, Placement, Profession
from mipres.domain.submissions import Submission
from mipres.ports import Clock, HealthTalentRegistry, SocialSecurityRegistry, SocialServiceRegistry


@dataclass(frozen=True, kw_only=True)
class IdentityResult:
    """miseguridadsocial's verdict; `person` stands when there is no refusal."""

    refusal: Refusal | None = None
    person: Person | None = None
    entity: EntityRecord | None = None


@dataclass(frozen=True, kw_only=True)
class ProfessionResult:
    """ReTHUS's verdict; `profession` stands for professionals who may register.

    `may_appear`: ReTHUS does not know the person at all, and may do so later. `barred_from`: the first day of
    a sanction that was announced.
    """

    refusal: Refusal | None = None
    profession: Profession | None = None
    may_appear: bool = False
    barred_from: date | None = None


@dataclass(frozen=True, kw_only=True)
class PlacementResult:
    """SSO's verdict; `placement` stands when there is no refusal.

    `may_appear`: another placement may be assigned later. `appears_on`: the first day of one that is.
    """

    refusal: Refusal | None = None
    placement: Placement | None = None
    may_appear: bool = False
    appears_on: date | None = None


class SocialSecurityChecks:
    """Checks served by the queue `registry-miseguridadsocial`."""

    def __init__(self, *, registry: SocialSecurityRegistry) -> None:
        self._registry = registry

    @activity.defn
    async def check_person(self, submission: Submission) -> IdentityResult:
        """Is the person registered in miseguridadsocial?"""
        with translated():
            person = await self._find_person(submission)
        return _identity(person, missing=Refusal.NOT_IN_MISEGURIDADSOCIAL)

    @activity.defn
    async def check_delegation(self, submission: Submission) -> IdentityResult:
        """Has the entity named the person as its delegate?"""
        entity = submission.entity
        if entity is None:
            raise ValueError("a delegate's submission names an entity")
        with translated():
            found = await self._registry.find_delegation(submission.document, entity)
        if found is None:
            return IdentityResult(refusal=Refusal.ENTITY_NOT_IN_MISEGURIDADSOCIAL)
        return _identity(found.person, missing=Refusal.ENTITY_NOT_IN_MISEGURIDADSOCIAL, entity=found.entity)

    async def _find_person(self, submission: Submission) -> Person | None:
        if submission.entity is not None and submission.entity.is_natural_person:
            return await self._registry.find_provider(submission.document, submission.entity)
        return await self._registry.find_person(submission.document)


def _identity(
    person: Person | None, *, missing: Refusal, entity: EntityRecord | None = None
) -> IdentityResult:
    """The verdict about a person.

    One without a usable address could never create a password.
    """
    if person is None:
        return IdentityResult(refusal=missing)
    if not person.has_usable_address:
        return IdentityResult(refusal=Refusal.NO_VALID_EMAIL)
    return IdentityResult(person=person, entity=entity)


class HealthTalentChecks:
    """Checks served by the queue `registry-rethus`."""

    def __init__(
        self, *, registry: HealthTalentRegistry, clock: Clock, rules: EligibilityRules | None = None
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._rules = rules or EligibilityRules()

    @activity.defn
    async def check_profession(self, submission: Submission) -> ProfessionResult:
        """May this professional prescribe, without a sanction in force today?"""
        registration = submission.professional_registration
        if registration is None:
            raise ValueError("a professional's submission names a registration")
        with translated():
            professional = await self._registry.find_professional(submission.document)
            today = today_in_bogota(self._clock.now())
            refusal = self._rules.professional_refusal(professional, registration=registration, today=today)
        if refusal or professional is None:
            return ProfessionResult(refusal=refusal, may_appear=professional is None)
        return ProfessionResult(
            profession=self._rules.find_profession(professional, registration),
            barred_from=self._rules.next_barred_day(professional, today=today),
        )

    @activity.defn
    async def check_other_user(self, submission: Submission) -> ProfessionResult:
        """Is the person none of those who prescribe?"""
        with translated():
            professional = await self._registry.find_professional(submission.document)
            refusal = self._rules.other_user_refusal(professional)
        return ProfessionResult(refusal=refusal)


class SocialServiceChecks:
    """Checks served by the queue `registry-sso`."""

    def __init__(
        self, *, registry: SocialServiceRegistry, clock: Clock, rules: EligibilityRules | None = None
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._rules = rules or EligibilityRules()

    @activity.defn
    async def check_placement(self, submission: Submission) -> PlacementResult:
        """Does the person hold a placement that is in force today?"""
        with translated():
            placement = await self._registry.find_placement(submission.document)
            today = today_in_bogota(self._clock.now())
            refusal = self._rules.social_service_refusal(placement, today=today)
        return PlacementResult(
            refusal=refusal,
            placement=None if refusal else placement,
            may_appear=refusal is Refusal.NOT_IN_SSO,
            appears_on=placement.begins_on(today) if placement else None,
        )
