"""What a person may enter, by the states of the account and its profiles."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from mipres.domain.access import (
    CAUSES_FOR_STAFF,
    CLOSED_WORDS,
    Access,
    AccessCause,
    AccessChange,
    AccessState,
    AccountState,
    ProfileAccess,
    words_of_change,
)
from mipres.domain.applications import Application
from mipres.domain.submissions import UserType

TODAY = date(2026, 11, 26)
DAY = timedelta(days=1)
DOCTOR = ProfileAccess(user_type=UserType.PROFESSIONAL)
DELEGATE = ProfileAccess(user_type=UserType.DELEGATE)


@pytest.mark.parametrize(
    ("profile", "cause", "state"),
    [
        (DOCTOR, None, AccessState.IN_FORCE),
        (replace(DOCTOR, last_day=TODAY), None, AccessState.IN_FORCE),
        (replace(DOCTOR, last_day=TODAY - DAY), AccessCause.PLACEMENT_OVER, AccessState.ENDED),
        (replace(DOCTOR, is_sanctioned=True), AccessCause.SANCTIONED, AccessState.SUSPENDED),
        (
            replace(DOCTOR, is_sanctioned=True, sanctioned_until=TODAY),
            AccessCause.SANCTIONED,
            AccessState.SUSPENDED,
        ),
        (replace(DOCTOR, is_sanctioned=True, sanctioned_until=TODAY - DAY), None, AccessState.IN_FORCE),
        (replace(DOCTOR, is_suspended_by_support=True), AccessCause.SUPPORT, AccessState.SUSPENDED),
        (
            replace(DOCTOR, is_suspended_by_support=True, is_sanctioned=True, sanctioned_until=TODAY - DAY),
            AccessCause.SUPPORT,
            AccessState.SUSPENDED,
        ),
        (
            replace(DOCTOR, is_suspended_by_support=True, ended_cause=AccessCause.NOT_IN_RETHUS),
            AccessCause.NOT_IN_RETHUS,
            AccessState.ENDED,
        ),
    ],
)
def test_a_profile_is_in_force_suspended_or_ended(
    profile: ProfileAccess, cause: AccessCause | None, state: AccessState
) -> None:
    assert (profile.cause(TODAY), profile.state(TODAY)) == (cause, state)


def test_what_is_in_force_opens_its_application_and_nothing_else() -> None:
    access = Access(
        account=AccountState.OPEN,
        profiles=(replace(DOCTOR, is_sanctioned=True), DELEGATE),
    )
    assert access.applications(TODAY) == {Application.ADMINISTRATION}
    assert access.closed(TODAY) == (replace(DOCTOR, is_sanctioned=True),)


def test_a_suspended_account_opens_nothing() -> None:
    access = Access(account=AccountState.SUSPENDED, profiles=(DOCTOR, DELEGATE))
    assert access.applications(TODAY) == frozenset()


def test_every_cause_and_every_change_has_its_words() -> None:
    assert set(CLOSED_WORDS) == set(CAUSES_FOR_STAFF) == set(AccessCause)
    for change in AccessChange:
        assert words_of_change(change, AccessCause.SUPPORT).remedy


@pytest.mark.parametrize(
    ("account", "profile", "state"),
    [
        (AccountState.OPEN, DOCTOR, AccessState.IN_FORCE),
        (AccountState.SUSPENDED, DOCTOR, AccessState.SUSPENDED),
        (AccountState.SUSPENDED, replace(DOCTOR, last_day=TODAY - DAY), AccessState.ENDED),
        (AccountState.OPEN, replace(DOCTOR, is_sanctioned=True), AccessState.SUSPENDED),
    ],
)
def test_a_profile_stands_no_better_than_its_account(
    account: AccountState, profile: ProfileAccess, state: AccessState
) -> None:
    assert Access(account=account, profiles=(profile,)).state_of(profile, TODAY) is state
