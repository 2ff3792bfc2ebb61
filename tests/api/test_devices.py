"""What a browser carries after it has proven a password."""

from datetime import timedelta

import pytest
from fastapi import Request, Response
from itsdangerous import TimestampSigner

from api.devices import LIFETIME, DeviceCookies
from api.security import Cookies

KEY, LOGIN, OTHER = b"d" * 32, "CC1020304050", "CC1020304051"


def request(cookie: str = "") -> Request:
    headers = [(b"cookie", cookie.encode())] if cookie else []
    return Request({"type": "http", "headers": headers})


def remembered(devices: DeviceCookies, *logins: str) -> str:
    cookie = ""
    for login in logins:
        response = Response()
        devices.remember(request(cookie), response, login)
        cookie = response.headers["set-cookie"].partition(";")[0]
    return cookie


def test_a_device_is_known_at_the_logins_that_it_proved_only() -> None:
    devices = DeviceCookies(KEY, cookies=Cookies(https=True))
    both = request(remembered(devices, LOGIN, OTHER))
    assert devices.known(both, LOGIN)
    assert devices.known(both, OTHER) not in {None, devices.known(both, LOGIN)}
    assert devices.known(request(remembered(devices, LOGIN)), OTHER) is None
    assert devices.known(request(), LOGIN) is None


def test_the_cookie_says_nothing_and_no_script_reads_it() -> None:
    response = Response()
    DeviceCookies(KEY, cookies=Cookies(https=True)).remember(request(), response, LOGIN)
    cookie = response.headers["set-cookie"]
    assert "1020304050" not in cookie
    assert cookie.startswith("__Host-mipres_equipo=")
    for flag in ("HttpOnly", "Secure", f"Max-Age={int(LIFETIME.total_seconds())}"):
        assert flag in cookie


def test_nothing_else_is_a_device_cookie(monkeypatch: pytest.MonkeyPatch) -> None:
    cookies = Cookies(https=False)
    devices = DeviceCookies(KEY, cookies=cookies)
    cookie = remembered(devices, LOGIN)
    assert DeviceCookies(b"n" * 32, cookies=cookies).known(request(cookie), LOGIN) is None
    assert DeviceCookies(b"n" * 32, cookies=cookies, older_keys=[KEY]).known(request(cookie), LOGIN)
    for wrong in (f"{cookie}x", "mipres_equipo=~~~", "mipres_equipo=a.b.c~d", "mipres_equipo=é"):
        assert devices.known(request(wrong), LOGIN) is None
    later = TimestampSigner("k").get_timestamp() + int((LIFETIME + timedelta(minutes=1)).total_seconds())
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _self: later)
    assert devices.known(request(cookie), LOGIN) is None


def test_a_shared_computer_keeps_the_latest_eight() -> None:
    devices = DeviceCookies(KEY, cookies=Cookies(https=True))
    logins = [f"CC10203040{number}" for number in range(50, 59)]
    shared = request(remembered(devices, *logins))
    assert [devices.known(shared, login) is not None for login in logins] == [False] + [True] * 8
