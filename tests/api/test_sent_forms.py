"""The record of which registrations a browser sent."""

from datetime import UTC, datetime, timedelta

import pytest
from starlette.requests import Request
from starlette.responses import Response

from api.security import Cookies
from api.sent_forms import LIFETIME, SentForms
from tests.fakes import FakeClock

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
MINE, OTHER = "RM-0123456789AB", "RM-0123456789AC"
COOKIES = Cookies(https=True)
NAME = COOKIES.name("enviados")


def forms(*, key: bytes = b"k" * 32, later: timedelta = timedelta(0)) -> SentForms:
    return SentForms(key, cookies=COOKIES, clock=FakeClock(time=NOW + later))


def browser(cookie: str = "") -> Request:
    return Request({"type": "http", "headers": [(b"cookie", f"{NAME}={cookie}".encode())], "path": "/"})


def cookie_after(*radicados: str) -> str:
    cookie = ""
    for radicado in radicados:
        response = Response()
        forms().remember(browser(cookie), response, radicado)
        cookie = response.headers["set-cookie"].partition("=")[2].partition(";")[0]
    return cookie


def test_a_browser_is_known_by_what_it_sent() -> None:
    mine = browser(cookie_after(MINE))
    assert forms().sent_at(mine, MINE) == NOW
    assert forms().sent_at(mine, OTHER) is None
    assert forms().sent_at(browser(), MINE) is None


def test_it_is_forgotten_after_its_time() -> None:
    mine = browser(cookie_after(MINE))
    assert forms(later=LIFETIME - timedelta(seconds=1)).sent_at(mine, MINE) == NOW
    assert forms(later=LIFETIME).sent_at(mine, MINE) is None


@pytest.mark.parametrize("cookie", ["", "x", ".", "W10", "eyJhIjoxfQ.AAAA", "\xff"])
def test_nobody_else_can_write_it(cookie: str) -> None:
    assert forms().sent_at(browser(cookie), MINE) is None


def test_another_key_opens_nothing() -> None:
    assert forms(key=b"o" * 32).sent_at(browser(cookie_after(MINE)), MINE) is None


def test_a_busy_browser_keeps_its_newest_and_a_small_cookie() -> None:
    many = [f"RM-0123456789{first}{second}" for first in "ABCDEFGH" for second in "0123456789"]
    cookie = cookie_after(*many, many[-2])
    assert forms().sent_at(browser(cookie), many[-1]) == NOW
    assert forms().sent_at(browser(cookie), many[-2]) == NOW
    assert forms().sent_at(browser(cookie), many[0]) is None
    assert len(cookie) < 600


def test_scripts_and_plain_http_never_see_it() -> None:
    response = Response()
    forms().remember(browser(), response, MINE)
    for flag in ("HttpOnly", "Secure", "SameSite=lax", f"Max-Age={8 * 24 * 60 * 60}"):
        assert flag in response.headers["set-cookie"]
