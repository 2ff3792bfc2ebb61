"""The registries that decide about each type of user, most decisive first."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

from activities.registries import IdentityResult, PlacementResult, ProfessionResult
from mipres.domain.accounts import FirstLink, NewRegistration, ProfileFacts
from mipres.domain.outcomes import Refusal
from mipres.domain.people import Person
from mipres.domain.submissions import Submission, UserType
from mipres.domain.terms import Consent
from workflows import steps
from workflows.steps import Step


class Runner(Protocol):
    """Does a step, once or for as long as it takes."""

    async def do(self, step: Step, request: object) -> Any:
        """The step's result."""


class Asked(Protocol):
    """What a registration was asked with."""

    @property
    def radicado(self) -> str: ...
    @property
    def submission(self) -> Submission: ...
    @property
    def consent(self) -> Consent: ...


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the registries decided.

    Attributes:
        refusal: Why the person may not register.
        facts: What belongs to the profile of a person who may.
        may_appear: Whether the registry may still learn of the person, so that waiting can help.
        appears_on: The day from which it will know them, if that is known.
    """

    refusal: Refusal | None = None
    facts: ProfileFacts = field(default_factory=ProfileFacts)
    may_appear: bool = False
    appears_on: date | None = None


async def identify(runner: Runner, submission: Submission) -> tuple[Person | None, Refusal | None]:
    """Find the person in miseguridadsocial."""
    identity: IdentityResult = await runner.do(steps.CHECK_PERSON, submission)
    return identity.person, identity.refusal


async def check_by_type(runner: Runner, submission: Submission) -> Verdict:
    """Ask what the type of user needs beyond the identity."""
    match submission.user_type:
        case UserType.DELEGATE:
            return await _check_delegation(runner, submission)
        case UserType.PROFESSIONAL:
            return await _check_profession(runner, submission)
        case UserType.SOCIAL_SERVICE:
            return await _check_placement(runner, submission)
        case UserType.OTHER:
            other: ProfessionResult = await runner.do(steps.CHECK_OTHER_USER, submission)
            return Verdict(refusal=other.refusal)


def new_registration(
    asked: Asked, *, person: Person, facts: ProfileFacts, first_link: FirstLink | None
) -> NewRegistration:
    """What the account is made of, once every registry agreed."""
    return NewRegistration(
        radicado=asked.radicado,
        submission=asked.submission,
        person=person,
        facts=facts,
        consent=asked.consent,
        first_link=first_link,
    )


async def _check_delegation(runner: Runner, submission: Submission) -> Verdict:
    entity = submission.entity
    if entity is None or entity.is_natural_person:
        return Verdict()
    named: IdentityResult = await runner.do(steps.CHECK_DELEGATION, submission)
    return Verdict(
        refusal=named.refusal,
        facts=ProfileFacts(entity_name=named.entity.name if named.entity else None),
    )


async def _check_profession(runner: Runner, submission: Submission) -> Verdict:
    checked: ProfessionResult = await runner.do(steps.CHECK_PROFESSION, submission)
    if checked.profession is None:
        return Verdict(refusal=checked.refusal, may_appear=checked.may_appear)
    facts = ProfileFacts(
        profession_code=checked.profession.code,
        profession_name=checked.profession.name,
        professional_registration=checked.profession.registration,
        review_on=checked.barred_from,
    )
    return Verdict(facts=facts)


async def _check_placement(runner: Runner, submission: Submission) -> Verdict:
    checked: PlacementResult = await runner.do(steps.CHECK_PLACEMENT, submission)
    if checked.placement is None:
        return Verdict(refusal=checked.refusal, may_appear=checked.may_appear, appears_on=checked.appears_on)
    return Verdict(
        facts=ProfileFacts(profession_name=checked.placement.profession, placement=checked.placement)
    )
