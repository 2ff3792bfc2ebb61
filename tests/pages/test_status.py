"""What the status page tells at each stage, and since when."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from starlette.requests import Request

from api.answers import StatusAnswer, StatusResult
from api.pages.timeline import status_page
from api.registrations.ask import RegistrationView
from mipres.domain import sentences
from mipres.domain.outcomes import Outcome, OutcomeStatus, Refusal
from mipres.domain.remedies import explain
from mipres.domain.stages import Stage, WaitingOn
from mipres.domain.submissions import UserType
from tests.templating import make_pages

SINCE = "Desde el 24 de noviembre de 2026 a las 10:30 a. m."
REGISTERED = Outcome(status=OutcomeStatus.REGISTERED, email_hint="a•••@e•••.test")
VIEW = RegistrationView(
    radicado="RM-0123456789AB",
    user_type=UserType.PROFESSIONAL,
    stage=Stage.CHECKING,
    waiting_on=(),
    submitted_at=datetime(2026, 11, 24, 15, 0, tzinfo=UTC),
    updated_at=datetime(2026, 11, 24, 15, 30, tzinfo=UTC),
    outcome=None,
)


def shown(view: RegistrationView, *, sent_here: bool = False, answer: StatusAnswer | None = None) -> str:
    request = Request({"type": "http", "headers": [], "method": "GET", "path": "/"})
    page = make_pages().render(request, "status", page=status_page(view, sent_here=sent_here), answer=answer)
    return bytes(page.body).decode()


@pytest.mark.parametrize(
    ("stage", "waiting_on", "told"),
    [
        (Stage.WAITING_REGISTRY, "rethus", "Esperamos a que responda ReTHUS"),
        (Stage.CHECKING, "database", "Esperamos a que responda el sistema de cuentas"),
        (Stage.AWAITING_PASSWORD, "mail", "No hemos podido entregar el correo todavía"),
        (Stage.AWAITING_PASSWORD, "mail_address", "El servidor de correo rechaza la dirección"),
    ],
)
def test_what_is_waited_for_is_told_with_its_time(stage: Stage, waiting_on: str, told: str) -> None:
    page = shown(replace(VIEW, stage=stage, waiting_on=(WaitingOn(waiting_on),)))
    assert told in page
    assert SINCE in page
    assert 'http-equiv="refresh"' not in page
    assert '<a href="/registro/estado/RM-0123456789AB">Actualizar</a>' in page


@pytest.mark.parametrize("waiting_on", [(), (WaitingOn.MAIL,), (WaitingOn.MAIL_ADDRESS,)])
def test_another_link_is_said_to_be_sent_only_where_mail_goes_out(waiting_on: tuple[WaitingOn, ...]) -> None:
    answer = StatusAnswer(page="/registro/estado/RM-0123456789AB", result=StatusResult.RESENT)
    page = shown(replace(VIEW, stage=Stage.AWAITING_PASSWORD, waiting_on=waiting_on), answer=answer)
    assert ("Revise su correo en unos minutos" in page) is (not waiting_on)
    assert ("Sale cuando el correo se pueda entregar" in page) is bool(waiting_on)


def test_the_remedy_for_a_rejected_address_is_a_button_of_the_page() -> None:
    page = shown(replace(VIEW, stage=Stage.AWAITING_PASSWORD, waiting_on=(WaitingOn.MAIL_ADDRESS,)))
    assert f"después oprima «{sentences.RESEND_LINK}»" in page
    assert f"{sentences.RESEND_LINK}</button>" in page


@pytest.mark.parametrize("stage", [Stage.CHECKING, Stage.AWAITING_PASSWORD])
def test_what_goes_its_way_has_no_since(stage: Stage) -> None:
    assert "Desde el" not in shown(replace(VIEW, stage=stage))


def test_a_registration_that_was_given_up_says_why_and_is_no_refusal() -> None:
    page = shown(replace(VIEW, stage=Stage.EXPIRED, waiting_on=(WaitingOn.RETHUS,)))
    assert "no respondió en siete días" in page
    assert "No es un rechazo y no se creó ninguna cuenta" in page
    assert "no fue favorable" not in page
    assert "Actualizar" not in page
    assert "Pendiente" not in page


def test_the_time_of_the_link_is_shown_unless_its_mail_is_not_out() -> None:
    until = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)
    view = replace(VIEW, stage=Stage.AWAITING_PASSWORD, outcome=REGISTERED, link_expires_at=until)
    assert "sirve hasta el 25 de noviembre de 2026 a las 10:00 a. m." in shown(view)
    assert "sirve hasta el" not in shown(replace(view, waiting_on=(WaitingOn.MAIL,)))


def test_a_link_that_expired_is_another_story() -> None:
    page = shown(replace(VIEW, stage=Stage.EXPIRED, outcome=REGISTERED))
    assert "El enlace venció sin usarse" in page
    assert "siete días" not in page


def test_a_refusal_is_not_told_to_whoever_knows_the_number() -> None:
    page = shown(replace(VIEW, stage=Stage.REFUSED))
    assert "no fue favorable" in page
    assert "siete días" not in page


@pytest.mark.parametrize("refusal", Refusal)
def test_the_browser_that_sent_the_form_learns_why_it_was_refused(refusal: Refusal) -> None:
    outcome = Outcome(status=OutcomeStatus.REFUSED, refusal=refusal)
    view = replace(VIEW, stage=Stage.REFUSED, outcome=outcome)
    message = explain(refusal, UserType.PROFESSIONAL)
    here, elsewhere = shown(view, sent_here=True), shown(view)
    assert (message.title in here, message.remedy in here) == (True, True)
    assert "para ver el motivo" not in here
    assert message.title not in elsewhere
    assert "Repita el registro para ver el motivo" in elsewhere
