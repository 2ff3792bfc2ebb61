"""Answers to forms: kept for one browser, unreadable, and for half an hour."""

import base64
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from starlette.requests import Request
from starlette.responses import Response

from api.answers import (
    LIFETIME,
    Answer,
    FormAnswer,
    FormAnswers,
    HeldAnswer,
    PasswordAnswer,
    ReceivedAnswer,
    RecoveryAnswer,
    RegistrationAnswer,
    StatusAnswer,
    StatusResult,
)
from api.security import Cookies
from mipres.domain.applications import Application
from mipres.domain.documents import DocumentType, parse_document
from mipres.domain.outcomes import Outcome, OutcomeStatus, Refusal
from mipres.domain.submissions import Entity, EntityKind, Regime, Submission, UserType
from tests.fakes import FakeClock

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
COOKIES = Cookies(https=True)
NAME = COOKIES.name("respuesta_")
RADICADO = "RM-0123456789AB"
# As long as the rules allow.
LONGEST = RegistrationAnswer(
    radicado=RADICADO,
    submission=Submission(
        user_type=UserType.SOCIAL_SERVICE,
        document=parse_document(DocumentType.PA, "A" * 16),
        entity=Entity(
            kind=EntityKind.PROVIDER,
            regime=Regime.CONTRIBUTIVO,
            nit="900123456",
            department="05",
            municipality="05001",
        ),
        professional_registration="7" * 17,
    ),
    outcome=Outcome(
        status=OutcomeStatus.REFUSED,
        refusal=Refusal.ENTITY_NOT_IN_MISEGURIDADSOCIAL,
        email_hint="j•••@h•••.co",
        may_wait=True,
    ),
)
ANSWERS: dict[str, Answer] = {
    "registration": LONGEST,
    "received": ReceivedAnswer(),
    "recovery": RecoveryAnswer(),
    "password": PasswordAnswer(
        login="CC1020304050", is_password_changed=True, applications=tuple(Application)
    ),
    "status": StatusAnswer(page=f"/registro/estado/{RADICADO}", result=StatusResult.TOO_SOON, until=100.5),
}


def answers(
    *, key: bytes = b"k" * 32, older: tuple[bytes, ...] = (), later: timedelta = timedelta(0)
) -> FormAnswers:
    return FormAnswers(key, older_keys=older, cookies=COOKIES, clock=FakeClock(time=NOW + later))


def browser(cookie: str = "") -> Request:
    return Request({"type": "http", "headers": [(b"cookie", cookie.encode())], "path": "/"})


def cookie_of(response: Response, before: str = "") -> str:
    """What the browser sends after this answer."""
    jar = dict(pair.split("=", 1) for pair in before.split("; ") if "=" in pair)
    for line in response.headers.getlist("set-cookie"):
        name, _, value = line.partition(";")[0].partition("=")
        jar[name] = value
        if "Max-Age=0" in line:
            del jar[name]
    return "; ".join(f"{name}={value}" for name, value in jar.items())


def kept(answer: Answer, cookie: str = "") -> tuple[str, str]:
    """Keep an answer in a browser: the answer's id, and the browser's cookies."""
    response = answers().redirect(browser(cookie), answer)
    assert response.status_code == 303
    return response.headers["location"].rpartition("/")[2], cookie_of(response, cookie)


@pytest.mark.parametrize("name", ANSWERS)
def test_the_browser_that_sent_the_form_finds_its_answer_each_time(name: str) -> None:
    answer_id, cookie = kept(ANSWERS[name])
    assert answers().find(browser(cookie), answer_id) == ANSWERS[name]
    assert answers().find(browser(cookie), answer_id) == ANSWERS[name]


def test_another_browser_finds_nothing() -> None:
    answer_id, _ = kept(LONGEST)
    _, other = kept(LONGEST)
    assert answers().find(browser(), answer_id) is None
    assert answers().find(browser(other), answer_id) is None


def test_an_answer_is_gone_after_half_an_hour() -> None:
    answer_id, cookie = kept(LONGEST)
    assert answers(later=LIFETIME - timedelta(seconds=1)).find(browser(cookie), answer_id) == LONGEST
    assert answers(later=LIFETIME).find(browser(cookie), answer_id) is None


def test_a_later_answer_does_not_prolong_an_older_one() -> None:
    older, cookie = kept(LONGEST)
    cookie = cookie_of(answers(later=LIFETIME / 2).redirect(browser(cookie), ReceivedAnswer()), cookie)
    assert answers(later=LIFETIME / 2).find(browser(cookie), older) == LONGEST
    assert answers(later=LIFETIME).find(browser(cookie), older) is None


def test_a_rotated_secret_still_reads_what_it_wrote() -> None:
    answer_id, cookie = kept(LONGEST)
    assert answers(key=b"n" * 32, older=(b"k" * 32,)).find(browser(cookie), answer_id) == LONGEST
    assert answers(key=b"n" * 32).find(browser(cookie), answer_id) is None


@pytest.mark.parametrize("cookie", ["", "x", "gAAAAA", "\xff", "W10"])
def test_a_made_up_cookie_is_an_empty_one(cookie: str) -> None:
    assert answers().find(browser(f"{NAME}x={cookie}"), "x") is None
    assert answers().find(browser(f"{NAME}x={cookie}"), "\u00f1; x=") is None


def test_the_cookie_of_one_answer_is_not_taken_for_another() -> None:
    answer_id, cookie = kept(LONGEST)
    moved = cookie.replace(answer_id, "x")
    assert answers().find(browser(moved), "x") is None


def test_forms_that_are_sent_at_once_lose_no_answer() -> None:
    """Two windows wait for slow registries, and neither knows of the other's answer."""
    _, before = kept(ReceivedAnswer())
    first, one = kept(LONGEST, before)
    second, other = kept(replace(LONGEST, radicado="RM-0123456789AC"), before)
    [arrived_last] = [pair for pair in other.split("; ") if second in pair]
    both = f"{one}; {arrived_last}"
    assert answers().find(browser(both), first) == LONGEST
    assert answers().find(browser(both), second) is not None


def test_leaving_takes_every_answer_along() -> None:
    first, cookie = kept(LONGEST)
    _, cookie = kept(ReceivedAnswer(), cookie)
    left = Response()
    answers().forget(browser(cookie), left)
    assert cookie_of(left, cookie) == ""
    assert first in cookie


def test_nobody_reads_a_person_in_the_cookie() -> None:
    _, cookie = kept(LONGEST)
    assert b"AAAAAAAA" not in base64.urlsafe_b64decode(cookie.partition("=")[2])


def test_a_browser_keeps_several_answers_in_cookies_that_servers_accept() -> None:
    ids, cookie = [], ""
    for number in range(7):
        answer_id, cookie = kept(replace(LONGEST, radicado=f"RM-0123456789A{number}"), cookie)
        ids.append(answer_id)
    found = [answers().find(browser(cookie), each) is not None for each in ids]
    assert found == [False, False, True, True, True, True, True]
    assert len(cookie) < 4200


def noise(length: int) -> str:
    """What no compression makes shorter."""
    return "".join(chr(0x4E00 + secrets.randbelow(0x5000)) for _ in range(length))


def test_the_newest_answer_stays_where_not_all_have_room() -> None:
    older, cookie = kept(FormAnswer(page="/registro/otro", typed={"nit": noise(500)}))
    long = FormAnswer(page="/registro/otro", typed={"nit": noise(500), "numero_documento": noise(500)})
    newer, cookie = kept(long, cookie)
    assert answers().find(browser(cookie), older) is None
    assert answers().find(browser(cookie), newer) == long
    assert len(cookie) < 4200


def test_what_no_cookie_holds_is_shown_without_its_values() -> None:
    typed = {f"campo_{number}": noise(500) for number in range(10)}
    answer_id, cookie = kept(FormAnswer(page="/registro/otro", typed=typed, errors={"nit": "Escriba el NIT"}))
    assert answers().find(browser(cookie), answer_id) == FormAnswer(
        page="/registro/otro", errors={"nit": "Escriba el NIT"}
    )


PROOFS = ("contrasena", "confirmacion", "actual", "codigo", "captcha", "altcha", "credencial")
TYPED = dict.fromkeys(PROOFS, "secreto") | {"usuario": "CC1020304050"}


@pytest.mark.parametrize(
    "answer",
    [FormAnswer(page="/ingreso/mipres", typed=TYPED), HeldAnswer(page="/ingreso/mipres", typed=TYPED)],
    ids=["form", "held"],
)
def test_no_answer_keeps_what_a_person_proves_with(answer: FormAnswer | HeldAnswer) -> None:
    answer_id, cookie = kept(answer)
    assert answers().find(browser(cookie), answer_id) == replace(answer, typed={"usuario": "CC1020304050"})


def test_scripts_and_plain_http_never_see_it() -> None:
    response = answers().redirect(browser(), LONGEST)
    for flag in ("HttpOnly", "Secure", "SameSite=lax", "Max-Age=1800"):
        assert flag in response.headers["set-cookie"]
