"""The record of which registrations a browser sent."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest
from starlette.requests import Request
from starlette.responses import Response

from api.security import Cookies
from api.sent_forms import LIFETIME, SentForms
from tests.fakes import FakeClock

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
MINE, OTHER = "RM-0123456789AB", "RM-0123456789AC"
COOKIES = Cookies(https=True)


def forms(*, key: bytes = b"k" * 32, later: timedelta = timedelta(0)) -> SentForms:
    return SentForms(key, cookies=COOKIES, clock=FakeClock(time=NOW + later))


def browser(cookies: Mapping[str, str] = MappingProxyType({})) -> Request:
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return Request({"type": "http", "headers": [(b"cookie", header.encode())], "path": "/"})


def after(kept: Mapping[str, str], response: Response) -> dict[str, str]:
    """What the browser keeps after an answer."""
    now = dict(kept)
    for line in response.headers.getlist("set-cookie"):
        name, _, value = line.partition(";")[0].partition("=")
        now[name] = value
        if "Max-Age=0" in line:
            del now[name]
    return now


def cookies_after(radicado: str) -> dict[str, str]:
    response = Response()
    forms().remember(browser(), response, radicado)
    return after({}, response)


def test_a_browser_is_known_by_what_it_sent() -> None:
    mine = browser(cookies_after(MINE))
    assert forms().sent_at(mine, MINE) == NOW
    assert forms().sent_at(mine, OTHER) is None
    assert forms().sent_at(browser(), MINE) is None


def test_it_is_forgotten_after_its_time() -> None:
    mine = browser(cookies_after(MINE))
    assert forms(later=LIFETIME - timedelta(seconds=1)).sent_at(mine, MINE) == NOW
    assert forms(later=LIFETIME).sent_at(mine, MINE) is None


@pytest.mark.parametrize("cookie", ["", "x", ".", "W10", "eyJhIjoxfQ.AAAA", "\xff"])
def test_nobody_else_can_write_it(cookie: str) -> None:
    [name] = cookies_after(MINE)
    assert forms().sent_at(browser({name: cookie}), MINE) is None


def test_the_cookie_of_one_form_is_no_word_for_another() -> None:
    [[mine, value]] = cookies_after(MINE).items()
    assert forms().sent_at(browser({mine.replace(MINE, OTHER): value}), OTHER) is None


def test_two_forms_that_are_sent_at_once_are_both_remembered() -> None:
    both = {**cookies_after(MINE), **cookies_after(OTHER)}
    assert (forms().sent_at(browser(both), MINE), forms().sent_at(browser(both), OTHER)) == (NOW, NOW)


def test_another_key_opens_nothing() -> None:
    assert forms(key=b"o" * 32).sent_at(browser(cookies_after(MINE)), MINE) is None


def test_a_busy_browser_keeps_its_newest_and_small_cookies() -> None:
    kept: dict[str, str] = {}
    many = [f"RM-0123456789A{number}" for number in range(10)]
    for number, radicado in enumerate(many):
        response = Response()
        forms(later=timedelta(seconds=number)).remember(browser(kept), response, radicado)
        kept = after(kept, response)
    assert [radicado for radicado in many if forms().sent_at(browser(kept), radicado)] == many[-8:]
    assert len(kept) == 8
    assert sum(len(name) + len(value) for name, value in kept.items()) < 1500


def test_scripts_and_plain_http_never_see_it() -> None:
    response = Response()
    forms().remember(browser(), response, MINE)
    for flag in ("HttpOnly", "Secure", "SameSite=lax", f"Max-Age={8 * 24 * 60 * 60}"):
        assert flag in response.headers["set-cookie"]
