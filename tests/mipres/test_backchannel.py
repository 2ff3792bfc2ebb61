"""What an application hears at its own address."""

import threading
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest
from joserfc import jws, jwt
from joserfc.jwk import KeySet
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from mipres.backchannel import LOGOUT_EVENT, HttpLogoutMessenger
from mipres.domain.clients import EndedLogin, LogoutAnswer, clients_in
from mipres.oidc_keys import SigningKeys, fresh_key
from tests.fakes import FakeClock

ISSUER, CLOCK = "https://mipres.test", FakeClock()
KEYS = SigningKeys(KeySet([fresh_key()]))
LOGIN = EndedLogin(
    client_id="app",
    account_id=uuid.uuid4(),
    session_id=uuid.uuid4(),
    ended_at=datetime(2026, 11, 23, 15, 0, tzinfo=UTC),
)


def messenger_to(address: str | None) -> HttpLogoutMessenger:
    entry = {
        "client_id": "app",
        "client_name": "Historia clínica",
        "client_secret_hash": "0" * 64,
        "redirect_uris": ["https://app.example/volver"],
        "backchannel_logout_uri": address,
    }
    return HttpLogoutMessenger(
        clients_in([entry]), keys=lambda: KEYS, issuer=ISSUER, clock=CLOCK, timeout=0.5
    )


@pytest.fixture
async def messenger(httpserver: HTTPServer) -> AsyncIterator[HttpLogoutMessenger]:
    made = messenger_to(httpserver.url_for("/salida"))
    yield made
    await made.close()


async def test_the_token_is_signed_for_one_session_of_one_application(
    httpserver: HTTPServer, messenger: HttpLogoutMessenger
) -> None:
    httpserver.expect_request("/salida", method="POST").respond_with_data("")
    assert await messenger.tell(LOGIN) is LogoutAnswer.ACCEPTED
    assert await messenger.tell(LOGIN) is LogoutAnswer.ACCEPTED
    sent = [parse_qs(request.get_data(as_text=True)) for request, _ in httpserver.log]
    assert [form.keys() for form in sent] == [{"logout_token"}, {"logout_token"}]
    first, second = (form["logout_token"][0] for form in sent)
    assert jws.extract_compact(first.encode()).headers()["typ"] == "logout+jwt"
    claims = dict(jwt.decode(first, KEYS.all, algorithms=["RS256"]).claims)
    assert claims.pop("jti") != jwt.decode(second, KEYS.all, algorithms=["RS256"]).claims["jti"]
    assert claims.pop("exp") - claims["iat"] == 120
    assert claims == {
        "iss": ISSUER,
        "aud": "app",
        "iat": int(CLOCK.now().timestamp()),
        "sub": str(LOGIN.account_id),
        "sid": str(LOGIN.session_id),
        "events": {LOGOUT_EVENT: {}},
    }


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (204, LogoutAnswer.ACCEPTED),
        (400, LogoutAnswer.REFUSED),
        (404, LogoutAnswer.REFUSED),
        (408, LogoutAnswer.DEFERRED),
        (425, LogoutAnswer.DEFERRED),
        (429, LogoutAnswer.DEFERRED),
        (500, LogoutAnswer.DEFERRED),
        (599, LogoutAnswer.DEFERRED),
    ],
)
async def test_the_status_says_whether_it_is_worth_another_try(
    httpserver: HTTPServer, messenger: HttpLogoutMessenger, status: int, answer: LogoutAnswer
) -> None:
    httpserver.expect_request("/salida").respond_with_data("", status=status)
    assert await messenger.tell(LOGIN) is answer


async def test_no_redirect_carries_the_token_elsewhere(
    httpserver: HTTPServer, messenger: HttpLogoutMessenger
) -> None:
    headers = {"Location": httpserver.url_for("/otra")}
    httpserver.expect_request("/salida").respond_with_data("", status=307, headers=headers)
    httpserver.expect_request("/otra").respond_with_data("")
    assert await messenger.tell(LOGIN) is LogoutAnswer.DEFERRED
    assert [request.path for request, _ in httpserver.log] == ["/salida"]


async def test_an_answer_that_never_begins_is_none(
    httpserver: HTTPServer, messenger: HttpLogoutMessenger
) -> None:
    over = threading.Event()

    def wait(_request: Request) -> Response:
        over.wait(10)
        return Response("")

    httpserver.expect_request("/salida").respond_with_handler(wait)
    try:
        assert await messenger.tell(LOGIN) is LogoutAnswer.NONE
    finally:
        over.set()


async def test_an_address_without_a_server_answers_nothing(unused_tcp_port: int) -> None:
    messenger = messenger_to(f"http://127.0.0.1:{unused_tcp_port}/salida")
    assert await messenger.tell(LOGIN) is LogoutAnswer.NONE
    await messenger.close()


async def test_an_application_that_this_process_does_not_know_is_not_told_to_have_no_address() -> None:
    messenger = HttpLogoutMessenger({}, keys=lambda: KEYS, issuer=ISSUER, clock=CLOCK)
    assert (list(messenger.silent), await messenger.tell(LOGIN)) == ([], LogoutAnswer.NONE)
    await messenger.close()


async def test_an_application_without_an_address_is_silent() -> None:
    messenger = messenger_to(None)
    assert list(messenger.silent) == ["app"]
    await messenger.close()
