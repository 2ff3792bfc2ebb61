"""What each stage of a registration means on its status page.

A table, without any HTML.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from api.pages.timeline import StatusPage, StepState, status_page
from api.registrations.ask import RegistrationView
from mipres.domain.applications import Application
from mipres.domain.outcomes import Outcome, OutcomeStatus
from mipres.domain.stages import Stage, WaitingOn
from mipres.domain.submissions import UserType

DONE, CURRENT, PENDING = StepState.DONE, StepState.CURRENT, StepState.PENDING
FAILED, NEVER = StepState.FAILED, StepState.NEVER
REGISTERED = Outcome(status=OutcomeStatus.REGISTERED, email_hint="a•••@e•••.test")
SUBMITTED = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
VIEW = RegistrationView(
    radicado="RM-0123456789AB",
    user_type=UserType.PROFESSIONAL,
    stage=Stage.CHECKING,
    waiting_on=(),
    submitted_at=SUBMITTED,
    updated_at=SUBMITTED + timedelta(minutes=30),
    outcome=None,
)


def states(view: RegistrationView) -> list[StepState]:
    """How far checking, the password and the completion are.

    A registration is always received.
    """
    received, *others = status_page(view).steps
    assert received.state is DONE
    return [step.state for step in others]


@pytest.mark.parametrize(
    ("stage", "outcome", "expected"),
    [
        (Stage.CHECKING, None, [CURRENT, PENDING, PENDING]),
        (Stage.WAITING_REGISTRY, None, [CURRENT, PENDING, PENDING]),
        (Stage.AWAITING_PASSWORD, REGISTERED, [DONE, CURRENT, PENDING]),
        (Stage.COMPLETED, REGISTERED, [DONE, DONE, DONE]),
        (Stage.REFUSED, None, [FAILED, NEVER, NEVER]),
        (Stage.EXPIRED, None, [FAILED, NEVER, NEVER]),
        (Stage.EXPIRED, REGISTERED, [DONE, FAILED, NEVER]),
        (Stage.CANCELLED, None, [NEVER, NEVER, NEVER]),
        (Stage.CANCELLED, REGISTERED, [DONE, NEVER, NEVER]),
    ],
)
def test_how_far_a_registration_is(stage: Stage, outcome: Outcome | None, expected: list[StepState]) -> None:
    view = replace(VIEW, stage=stage, outcome=outcome)
    assert states(view) == expected
    # Nothing that has ended is shown as under way, and the page looks for no changes.
    assert ({CURRENT, PENDING} <= set(expected)) is not stage.has_ended
    assert (PENDING in expected) is not stage.has_ended
    assert (status_page(view).refresh_seconds is None) is stage.has_ended


@pytest.mark.parametrize("stage", Stage)
def test_the_way_on_from_each_stage(stage: Stage) -> None:
    page = status_page(replace(VIEW, stage=stage))
    assert page.can_resend is (stage is Stage.AWAITING_PASSWORD)
    assert page.login == (Application.MIPRES if stage is Stage.COMPLETED else None)
    assert page.can_register_again is stage.has_ended
    assert page.register_again == "/registro/profesional"
    assert page.procedure_step == (4 if stage.has_ended or stage is Stage.AWAITING_PASSWORD else 3)


def test_a_registration_of_an_unknown_type_leads_to_the_start() -> None:
    page = status_page(replace(VIEW, stage=Stage.COMPLETED, user_type=None))
    assert (page.login, page.register_again) == (Application.MIPRES, "/")


def notice_of(page: StatusPage) -> str | None:
    return page.notice.text if page.notice else None


def test_only_a_cancel_by_support_is_told_as_one() -> None:
    cancelled = replace(VIEW, stage=Stage.CANCELLED)
    assert notice_of(status_page(cancelled)) == "Soporte canceló este registro. Puede registrarse de nuevo."
    cut_off = status_page(replace(cancelled, was_cut_off=True))
    assert "Soporte" not in str(notice_of(cut_off))
    assert "no va a continuar" in str(notice_of(cut_off))


def test_a_link_that_outlives_its_run_is_told_with_its_time() -> None:
    view = replace(
        VIEW,
        stage=Stage.AWAITING_PASSWORD,
        was_cut_off=True,
        link_expires_at=SUBMITTED + timedelta(hours=24),
        is_outcome_known=False,
    )
    page = status_page(view)
    assert "sirve hasta el 25 de noviembre de 2026 a las 10:00 a. m." in str(page.steps[2].detail)
    assert "todavía sirve" in str(notice_of(page))
    # No run is there that could send another one.
    assert (page.can_resend, page.can_register_again) == (False, True)


def test_a_password_outlives_its_run_too() -> None:
    view = replace(VIEW, stage=Stage.COMPLETED, was_cut_off=True, is_outcome_known=False)
    page = status_page(view)
    assert states(view) == [DONE, DONE, DONE]
    assert (page.login, page.notice, page.steps[3].time) == (Application.MIPRES, None, None)


def test_an_expiry_whose_reason_is_unknown_claims_none() -> None:
    view = replace(VIEW, stage=Stage.EXPIRED, is_outcome_known=False)
    assert states(view) == [NEVER, NEVER, NEVER]
    assert "Venció sin terminar" in str(notice_of(status_page(view)))


@pytest.mark.parametrize("what", WaitingOn)
def test_everything_waited_for_has_its_sentence_and_its_time(what: WaitingOn) -> None:
    for stage, place in ((Stage.WAITING_REGISTRY, 1), (Stage.AWAITING_PASSWORD, 2)):
        step = status_page(replace(VIEW, stage=stage, waiting_on=(what,))).steps[place]
        assert step.detail
        assert step.time == "Desde el 24 de noviembre de 2026 a las 10:30 a. m. (hora de Colombia)"
