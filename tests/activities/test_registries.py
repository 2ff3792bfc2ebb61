from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.registries import (
    HealthTalentChecks,
    IdentityResult,
    PlacementResult,
    ProfessionResult,
    SocialSecurityChecks,
    SocialServiceChecks,
)
from mipres.domain.documents import parse_document
from mipres.domain.outcomes import Refusal
from mipres.domain.people import (
    Delegation,
    EntityRecord,
    HealthProfessional,
    Person,
    Placement,
    Profession,
    Sanction,
)
from mipres.domain.stages import WAITING_FOR_STAFF, WaitingOn
from mipres.domain.submissions import Entity, EntityKind, Submission, UserType
from tests.fakes import (
    FakeClock,
    FakeHealthTalentRegistry,
    FakeRegistry,
    FakeSocialSecurityRegistry,
    FakeSocialServiceRegistry,
)

Result = TypeVar("Result")
DOCUMENT = parse_document("CC", "1020304050")
ANA = Person(given_names="Ana María", surnames="Ruiz Gómez", email="ana.ruiz@ejemplo.test")
DOCTOR = Profession(code="P07", name="Medicina", registration="76-1234")
NURSE = Profession(code="P05", name="Enfermería", registration="05-9999")
PLACEMENT = Placement(
    profession="Medicina",
    site_code="1",
    site_name="Hospital",
    municipality="11001",
    start=date(2026, 11, 23),
    end=date(2026, 11, 23),
)
OTHER = Submission(user_type=UserType.OTHER, document=DOCUMENT)
PROFESSIONAL = replace(OTHER, user_type=UserType.PROFESSIONAL, professional_registration="76 1234")
IPS = replace(OTHER, user_type=UserType.DELEGATE, entity=Entity(kind=EntityKind.IPS, nit="900123456"))
NATURAL_PERSON = replace(IPS, entity=Entity(kind=EntityKind.PROVIDER, department="11", municipality="11001"))
# In Bogotá the 23rd of November begins and ends at these moments.
FIRST_MOMENT = datetime(2026, 11, 23, 5, tzinfo=UTC)
LAST_MOMENT = datetime(2026, 11, 24, 4, 59, 59, tzinfo=UTC)
SECOND = timedelta(seconds=1)


async def run(check: Callable[[Submission], Awaitable[Result]], submission: Submission = OTHER) -> Result:
    return await ActivityEnvironment().run(check, submission)


def rethus(*professions: Profession, sanctions: tuple[Sanction, ...] = ()) -> FakeHealthTalentRegistry:
    entry = HealthProfessional(professions=professions, sanctions=sanctions)
    return FakeHealthTalentRegistry(people={DOCUMENT: entry})


def profession_checks(registry: FakeHealthTalentRegistry, now: datetime = FIRST_MOMENT) -> HealthTalentChecks:
    return HealthTalentChecks(registry=registry, clock=FakeClock(time=now))


async def test_a_person_who_is_registered_passes() -> None:
    registry = FakeSocialSecurityRegistry(people={DOCUMENT: ANA})
    assert await run(SocialSecurityChecks(registry=registry).check_person) == IdentityResult(person=ANA)
    assert registry.calls == [DOCUMENT]


@pytest.mark.parametrize("submission", [OTHER, PROFESSIONAL, IPS, NATURAL_PERSON])
async def test_a_person_who_is_not_registered_is_refused(submission: Submission) -> None:
    checks = SocialSecurityChecks(registry=FakeSocialSecurityRegistry())
    assert await run(checks.check_person, submission) == IdentityResult(
        refusal=Refusal.NOT_IN_MISEGURIDADSOCIAL
    )


async def test_a_provider_who_is_a_natural_person_is_looked_for_by_place() -> None:
    assert NATURAL_PERSON.entity is not None
    registry = FakeSocialSecurityRegistry(
        people={DOCUMENT: replace(ANA, surnames="Otra")},
        providers={(DOCUMENT, NATURAL_PERSON.entity.key): ANA},
    )
    checks = SocialSecurityChecks(registry=registry)
    assert await run(checks.check_person, NATURAL_PERSON) == IdentityResult(person=ANA)


async def test_a_delegate_passes_with_the_entity_that_named_them() -> None:
    assert IPS.entity is not None
    record = EntityRecord(nit="900123456", name="Clínica", kind="IPS")
    registry = FakeSocialSecurityRegistry(
        delegations={(DOCUMENT, IPS.entity.key): Delegation(person=ANA, entity=record)}
    )
    found = await run(SocialSecurityChecks(registry=registry).check_delegation, IPS)
    assert found == IdentityResult(person=ANA, entity=record)


async def test_a_delegate_whom_the_entity_has_not_named_is_refused() -> None:
    checks = SocialSecurityChecks(registry=FakeSocialSecurityRegistry(people={DOCUMENT: ANA}))
    assert await run(checks.check_delegation, IPS) == IdentityResult(
        refusal=Refusal.ENTITY_NOT_IN_MISEGURIDADSOCIAL
    )


async def test_a_professional_passes_with_the_profession_of_the_registration() -> None:
    found = await run(profession_checks(rethus(NURSE, DOCTOR)).check_profession, PROFESSIONAL)
    assert found == ProfessionResult(profession=DOCTOR)


@pytest.mark.parametrize(
    ("registry", "refusal"),
    [
        (FakeHealthTalentRegistry(), Refusal.NOT_IN_RETHUS),
        (rethus(NURSE), Refusal.NOT_IN_RETHUS),
        (rethus(replace(NURSE, registration="76-1234")), Refusal.PROFESSION_NOT_AUTHORIZED),
    ],
)
async def test_a_professional_is_refused_with_no_profession_told(
    registry: FakeHealthTalentRegistry, refusal: Refusal
) -> None:
    found = await run(profession_checks(registry).check_profession, PROFESSIONAL)
    is_unknown = registry.people == {}
    assert found == ProfessionResult(refusal=refusal, may_appear=is_unknown)


@pytest.mark.parametrize(
    ("now", "refusal"),
    [
        (FIRST_MOMENT - SECOND, None),
        (FIRST_MOMENT, Refusal.SANCTIONED),
        (LAST_MOMENT, Refusal.SANCTIONED),
        (LAST_MOMENT + SECOND, None),
    ],
)
async def test_a_sanction_counts_by_the_days_of_colombia(now: datetime, refusal: Refusal | None) -> None:
    day = date(2026, 11, 23)
    sanction = Sanction(authority="Tribunal", kind="Suspensión", start=day, end=day)
    checks = profession_checks(rethus(DOCTOR, sanctions=(sanction,)), now)
    assert (await run(checks.check_profession, PROFESSIONAL)).refusal is refusal


@pytest.mark.parametrize(
    ("registry", "refusal"),
    [
        (FakeHealthTalentRegistry(), None),
        (rethus(NURSE), None),
        (rethus(NURSE, DOCTOR), Refusal.PROFESSION_NOT_AUTHORIZED),
    ],
)
async def test_another_user_is_refused_only_if_they_prescribe(
    registry: FakeHealthTalentRegistry, refusal: Refusal | None
) -> None:
    assert await run(profession_checks(registry).check_other_user) == ProfessionResult(refusal=refusal)


@pytest.mark.parametrize(
    ("now", "result"),
    [
        (
            FIRST_MOMENT - SECOND,
            PlacementResult(refusal=Refusal.NOT_IN_SSO, may_appear=True, appears_on=PLACEMENT.start),
        ),
        (FIRST_MOMENT, PlacementResult(placement=PLACEMENT)),
        (LAST_MOMENT, PlacementResult(placement=PLACEMENT)),
        (LAST_MOMENT + SECOND, PlacementResult(refusal=Refusal.NOT_IN_SSO, may_appear=True)),
    ],
)
async def test_a_placement_counts_by_the_days_of_colombia(now: datetime, result: PlacementResult) -> None:
    registry = FakeSocialServiceRegistry(people={DOCUMENT: PLACEMENT})
    checks = SocialServiceChecks(registry=registry, clock=FakeClock(time=now))
    assert await run(checks.check_placement) == result


async def test_a_placement_without_a_known_first_day_is_waited_for_without_one() -> None:
    unknown = replace(PLACEMENT, start=date.max, end=date.max)
    registry = FakeSocialServiceRegistry(people={DOCUMENT: unknown})
    checks = SocialServiceChecks(registry=registry, clock=FakeClock(time=FIRST_MOMENT))
    assert await run(checks.check_placement) == PlacementResult(refusal=Refusal.NOT_IN_SSO, may_appear=True)


async def test_a_placement_whose_profession_lost_its_letters_refuses_nobody() -> None:
    registry = FakeSocialServiceRegistry(people={DOCUMENT: replace(PLACEMENT, profession="M?DICO")})
    checks = SocialServiceChecks(registry=registry, clock=FakeClock(time=FIRST_MOMENT))
    with pytest.raises(ApplicationError, match="sin nombre legible") as caught:
        await run(checks.check_placement)
    assert (caught.value.type, caught.value.non_retryable) == ("RegistryUnavailable", False)


async def test_who_has_no_placement_is_refused() -> None:
    checks = SocialServiceChecks(registry=FakeSocialServiceRegistry(), clock=FakeClock())
    expected = PlacementResult(refusal=Refusal.NOT_IN_SSO, may_appear=True)
    assert await run(checks.check_placement) == expected


def every_check(
    registries: tuple[FakeSocialSecurityRegistry, FakeHealthTalentRegistry, FakeSocialServiceRegistry],
) -> list[tuple[FakeRegistry, Awaitable[object]]]:
    security, talent, service = registries
    identity, talents = SocialSecurityChecks(registry=security), profession_checks(talent)
    placements = SocialServiceChecks(registry=service, clock=FakeClock())
    return [
        (security, run(identity.check_person)),
        (security, run(identity.check_person, NATURAL_PERSON)),
        (security, run(identity.check_delegation, IPS)),
        (talent, run(talents.check_profession, PROFESSIONAL)),
        (talent, run(talents.check_other_user)),
        (service, run(placements.check_placement)),
    ]


async def test_a_registry_that_is_down_is_never_a_refusal() -> None:
    registries = (
        FakeSocialSecurityRegistry(down=True),
        FakeHealthTalentRegistry(down=True),
        FakeSocialServiceRegistry(down=True),
    )
    for registry, check in every_check(registries):
        with pytest.raises(ApplicationError, match=WAITING_FOR_STAFF[WaitingOn(registry.name)]) as caught:
            await check
        assert (caught.value.type, caught.value.non_retryable) == ("RegistryUnavailable", False)


@pytest.mark.parametrize(
    "check",
    [
        SocialSecurityChecks(registry=FakeSocialSecurityRegistry()).check_delegation,
        profession_checks(FakeHealthTalentRegistry()).check_profession,
    ],
)
async def test_a_check_that_does_not_fit_the_submission_is_a_mistake_of_ours(
    check: Callable[[Submission], Awaitable[object]],
) -> None:
    with pytest.raises(ValueError, match="names"):
        await run(check, OTHER)


@pytest.mark.parametrize("submission", [OTHER, NATURAL_PERSON])
async def test_a_person_without_a_usable_address_is_refused(submission: Submission) -> None:
    without_address = replace(ANA, email="")
    assert NATURAL_PERSON.entity is not None
    registry = FakeSocialSecurityRegistry(
        people={DOCUMENT: without_address}, providers={(DOCUMENT, NATURAL_PERSON.entity.key): without_address}
    )
    checks = SocialSecurityChecks(registry=registry)
    assert await run(checks.check_person, submission) == IdentityResult(refusal=Refusal.NO_VALID_EMAIL)


async def test_a_registration_that_cannot_be_read_matters_to_who_prescribes_only() -> None:
    unreadable = "professions[0].registration: not a text"
    found = HealthProfessional(
        professions=(replace(NURSE, registration=""),), unreadable_registration=unreadable
    )
    checks = profession_checks(FakeHealthTalentRegistry(people={DOCUMENT: found}))
    assert await run(checks.check_other_user) == ProfessionResult()
    with pytest.raises(ApplicationError, match=r"professions\[0\]\.registration: no es un texto"):
        await run(checks.check_profession, PROFESSIONAL)


async def test_a_profession_that_cannot_be_read_is_a_technical_failure_with_its_field() -> None:
    registry = FakeHealthTalentRegistry(
        people={
            DOCUMENT: HealthProfessional(professions=(NURSE,), unreadable="professions[1].name: not a text")
        }
    )
    checks = profession_checks(registry)
    for check, submission in ((checks.check_other_user, OTHER), (checks.check_profession, PROFESSIONAL)):
        with pytest.raises(ApplicationError, match=r"professions\[1\]\.name: no es un texto") as caught:
            await run(check, submission)
        assert (caught.value.type, caught.value.non_retryable) == ("RegistryUnavailable", False)


async def test_the_first_day_of_an_announced_sanction_goes_with_the_profession() -> None:
    def on(day: int, kind: str = "Suspensión") -> Sanction:
        return Sanction(authority="Tribunal", kind=kind, start=date(2026, 12, day), end=date(2026, 12, day))

    talent = FakeHealthTalentRegistry()
    talent.people[DOCUMENT] = HealthProfessional(
        professions=(DOCTOR,), sanctions=(on(24), on(9), on(2, "Amonestación"))
    )
    check = HealthTalentChecks(registry=talent, clock=FakeClock()).check_profession
    result = await run(check, PROFESSIONAL)
    assert result == ProfessionResult(profession=DOCTOR, barred_from=date(2026, 12, 9))
