"""What a registry's answer means for a profile that is in use."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from mipres.domain.access import AccessCause, ProfileAccess
from mipres.domain.eligibility import EligibilityRules
from mipres.domain.people import HealthProfessional, Placement, Profession, Sanction
from mipres.domain.review import Finding, Guard, ReviewRules, registry_of
from mipres.domain.submissions import UserType

RULES = ReviewRules(rules=EligibilityRules())
TODAY = date(2026, 11, 26)
DAY = timedelta(days=1)
DOCTOR = Profession(code="P07", name="Medicina", registration="76-1234")
NURSE = Profession(code="P05", name="Enfermería", registration="76-1234")
IN_PLACE = ProfileAccess(user_type=UserType.SOCIAL_SERVICE, last_day=TODAY + 30 * DAY)


def sanctioned(*spans: tuple[int, int | None], kind: str = "Suspensión") -> HealthProfessional:
    sanctions = tuple(
        Sanction(
            authority="Tribunal",
            kind=kind,
            start=TODAY + start * DAY,
            end=None if end is None else TODAY + end * DAY,
        )
        for start, end in spans
    )
    return HealthProfessional(professions=(DOCTOR,), sanctions=sanctions)


def professional(answer: HealthProfessional | None) -> Finding | None:
    return RULES.professional(answer, registration="76-1234", today=TODAY)


def placement(start: int, end: int, profession: str = "Medicina") -> Placement:
    return Placement(
        profession=profession,
        site_code="1",
        site_name="Hospital",
        municipality="11001",
        start=TODAY + start * DAY,
        end=TODAY + end * DAY,
    )


def test_a_sanction_that_cannot_be_read_neither_suspends_nor_frees() -> None:
    hidden = "sanctions[1].end: not a day"
    assert professional(replace(sanctioned(), unreadable_sanction=hidden)) is None
    assert professional(replace(sanctioned((-1, 2)), unreadable_sanction=hidden)) == professional(
        sanctioned((-1, 2))
    )
    assert RULES.other_user(HealthProfessional(professions=(NURSE,), unreadable_sanction=hidden)) == Finding()


def test_what_lost_its_letters_takes_no_access_away() -> None:
    garbled = replace(DOCTOR, name="M?DICO", code="")
    assert professional(sanctioned((-1, None), kind="AMONESTACI?N")) is None
    assert professional(HealthProfessional(professions=(garbled,))) is None
    assert RULES.other_user(HealthProfessional(professions=(garbled,))) is None
    assert RULES.social_service(placement(0, 9, "M?DICO"), access=IN_PLACE, today=TODAY) is None


@pytest.mark.parametrize(
    ("answer", "finding"),
    [
        (None, Finding(cause=AccessCause.NOT_IN_RETHUS)),
        (HealthProfessional(professions=(DOCTOR,)), Finding()),
        (
            HealthProfessional(professions=(replace(DOCTOR, registration="9"),)),
            Finding(cause=AccessCause.NOT_IN_RETHUS),
        ),
        # The registration may stand in the part that could not be read.
        (
            HealthProfessional(
                professions=(replace(DOCTOR, registration="9"),), unreadable="professions[1]: missing"
            ),
            None,
        ),
        (
            HealthProfessional(
                professions=(replace(DOCTOR, registration=""),),
                unreadable_registration="professions[0].registration: not a text",
            ),
            None,
        ),
        # A name that nobody knows says nothing about a person who could prescribe yesterday.
        (HealthProfessional(professions=(replace(DOCTOR, code="", name="Xyzzy"),)), None),
        (HealthProfessional(professions=(replace(DOCTOR, code="", name="Médico Xyzzy"),)), None),
        (sanctioned((-5, -1)), Finding()),
        (sanctioned((3, 9)), Finding(review_on=TODAY + 3 * DAY)),
        (
            sanctioned((-1, 5)),
            Finding(cause=AccessCause.SANCTIONED, until=TODAY + 5 * DAY, review_on=TODAY + 6 * DAY),
        ),
        # One sanction follows on the other, and one lies inside another.
        (
            sanctioned((-1, 5), (6, 9), (2, 3), (20, 30)),
            Finding(cause=AccessCause.SANCTIONED, until=TODAY + 9 * DAY, review_on=TODAY + 10 * DAY),
        ),
        (sanctioned((-1, 5), (2, None)), Finding(cause=AccessCause.SANCTIONED)),
        (sanctioned((-1, None)), Finding(cause=AccessCause.SANCTIONED)),
    ],
)
def test_a_professional(answer: HealthProfessional | None, finding: Finding | None) -> None:
    assert professional(answer) == finding


def test_a_profession_that_is_known_not_to_prescribe_ends_the_profile() -> None:
    known = next(name for name, prescribes in RULES.rules.professions.by_spelling.items() if not prescribes)
    changed = HealthProfessional(professions=(replace(DOCTOR, code="", name=known),))
    assert professional(changed) == Finding(cause=AccessCause.PROFESSION_NOT_AUTHORIZED)


@pytest.mark.parametrize(
    ("answer", "access", "finding"),
    [
        (placement(-9, 9), IN_PLACE, Finding(placement=placement(-9, 9))),
        (None, IN_PLACE, Finding(cause=AccessCause.PLACEMENT_OVER)),
        (placement(-9, -1), IN_PLACE, Finding(cause=AccessCause.PLACEMENT_OVER)),
        (placement(-9, 9, "Xyzzy"), IN_PLACE, None),
        # The next placement stands before the present one.
        (placement(31, 90), IN_PLACE, Finding(review_on=TODAY + 31 * DAY)),
        (placement(5_000, 9_000), IN_PLACE, Finding()),
        # SSO has said that the present one is over: none stands behind the next.
        (
            placement(31, 90),
            replace(IN_PLACE, ended_cause=AccessCause.PLACEMENT_OVER),
            Finding(cause=AccessCause.PLACEMENT_OVER, review_on=TODAY + 31 * DAY),
        ),
        (
            placement(5, 90),
            replace(IN_PLACE, last_day=TODAY - DAY),
            Finding(cause=AccessCause.PLACEMENT_OVER, review_on=TODAY + 5 * DAY),
        ),
    ],
)
def test_a_social_service(answer: Placement | None, access: ProfileAccess, finding: Finding | None) -> None:
    assert RULES.social_service(answer, access=access, today=TODAY) == finding


@pytest.mark.parametrize(
    ("answer", "finding"),
    [
        (None, Finding()),
        (HealthProfessional(professions=(NURSE,)), Finding()),
        (
            HealthProfessional(professions=(NURSE, DOCTOR)),
            Finding(cause=AccessCause.PROFESSION_NOT_AUTHORIZED),
        ),
        (HealthProfessional(professions=(NURSE,), unreadable="professions[1]: missing"), None),
    ],
)
def test_an_other_user(answer: HealthProfessional | None, finding: Finding | None) -> None:
    assert RULES.other_user(answer) == finding


def test_a_delegate() -> None:
    assert RULES.delegate(is_found=True) == Finding()
    assert RULES.delegate(is_found=False) == Finding(cause=AccessCause.DELEGATION_WITHDRAWN)


@pytest.mark.parametrize(("days", "is_outdated"), [(None, False), (1, False), (0, True), (-1, True)])
def test_a_finding_holds_until_the_registry_has_to_be_asked_again(
    days: int | None, *, is_outdated: bool
) -> None:
    finding = Finding(cause=AccessCause.SANCTIONED, review_on=None if days is None else TODAY + days * DAY)
    assert finding.is_outdated(today=TODAY) is is_outdated


ENDS = Finding(cause=AccessCause.NOT_IN_RETHUS)
SUSPENDS = Finding(cause=AccessCause.SANCTIONED)
OPEN = ProfileAccess(user_type=UserType.PROFESSIONAL)


@pytest.mark.parametrize(
    ("finding", "access", "closes"),
    [
        (Finding(), OPEN, False),
        (ENDS, OPEN, True),
        (SUSPENDS, OPEN, True),
        (SUSPENDS, replace(OPEN, is_sanctioned=True), False),
        (ENDS, replace(OPEN, is_sanctioned=True), True),
        (SUSPENDS, replace(OPEN, is_sanctioned=True, sanctioned_until=TODAY - DAY), True),
        (ENDS, replace(OPEN, ended_cause=AccessCause.NOT_IN_RETHUS), False),
        (Finding(cause=AccessCause.PLACEMENT_OVER), replace(OPEN, last_day=TODAY - DAY), False),
        (Finding(placement=placement(-9, 0)), IN_PLACE, True),
        (Finding(placement=placement(-9, 30)), IN_PLACE, False),
        (Finding(placement=placement(-9, 90)), IN_PLACE, False),
        # The placement was over, so that its next one opens it again.
        (Finding(placement=placement(-1, 9)), replace(IN_PLACE, last_day=TODAY - DAY), False),
        (
            Finding(placement=placement(-1, 9)),
            replace(IN_PLACE, ended_cause=AccessCause.PLACEMENT_OVER),
            False,
        ),
        # Support may lift its suspension at any time, so a registry still takes something away.
        (ENDS, replace(OPEN, is_suspended_by_support=True), True),
    ],
)
def test_what_takes_something_away(finding: Finding, access: ProfileAccess, *, closes: bool) -> None:
    assert finding.closes(access, today=TODAY) is closes


@pytest.mark.parametrize(
    ("looked", "closing", "stops"),
    [(10, 10, False), (20, 20, False), (21, 21, True), (1000, 20, False), (1001, 21, True), (2000, 41, True)],
)
def test_the_guard_allows_a_share_and_at_least_twenty(looked: int, closing: int, *, stops: bool) -> None:
    assert Guard(percent=2).stops(looked=looked, closing=closing) is stops


def test_every_type_of_user_has_its_registry() -> None:
    assert {user_type: registry_of(user_type).value for user_type in UserType} == {
        UserType.DELEGATE: "miseguridadsocial",
        UserType.PROFESSIONAL: "rethus",
        UserType.SOCIAL_SERVICE: "sso",
        UserType.OTHER: "rethus",
    }
