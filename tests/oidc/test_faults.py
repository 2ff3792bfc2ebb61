"""Programs of applications read JSON, whatever goes wrong."""

import json
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from api.errors import TooManyRequestsError
from api.oidc.paths import DISCOVERY, FOR_PROGRAMS, INTROSPECT, JWKS, OF_CLIENTS, TOKEN, USERINFO
from tests.oidc.conftest import SECRET, OpenClient, SetStage, entry

FORM = "application/x-www-form-urlencoded"
CALL = {
    "grant_type": "authorization_code",
    "code": "x",
    "token": "x",
    "client_id": "app",
    "client_secret": SECRET,
}


def read(reply: httpx2.Response) -> tuple[int, str]:
    """The status and the error, as a library reads it (RFC 6749, section 5.2)."""
    assert (reply.headers["content-type"], reply.headers["cache-control"]) == ("application/json", "no-store")
    assert list(reply.json()) == ["error"]
    return reply.status_code, reply.json()["error"]


@pytest.mark.parametrize("path", sorted(FOR_PROGRAMS))
async def test_a_method_that_there_is_not_is_said_in_json(set_stage: SetStage, path: str) -> None:
    stage = await set_stage()
    reply = await stage.browser.request("PATCH", path, headers={"Accept": "text/html"})
    assert read(reply) == (405, "invalid_request")
    assert set(reply.headers["allow"].split(", ")) == ({"POST"} if path in OF_CLIENTS else {"GET", "HEAD"})


@pytest.mark.parametrize("path", [*OF_CLIENTS, USERINFO])
@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data", b"x", 400),
        (FORM, b"a=" + b"x" * 20_000, 413),
        (FORM, "&".join(f"a{each}=1" for each in range(1500)).encode(), 400),
    ],
)
async def test_a_body_that_cannot_be_read_is_said_in_json(
    set_stage: SetStage, path: str, kind: str, body: bytes, status: int
) -> None:
    stage = await set_stage()
    reply = await stage.browser.post(path, content=body, headers={"Content-Type": kind})
    assert read(reply) == (status, "invalid_request")


async def test_a_limit_is_said_in_json(set_stage: SetStage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: Any) -> None:
        raise TooManyRequestsError(timedelta(seconds=7))

    stage = await set_stage()
    monkeypatch.setattr("api.throttle.Throttle.count", refuse)
    reply = await stage.browser.post(TOKEN, data=CALL)
    assert read(reply) == (429, "temporarily_unavailable")
    assert reply.headers["retry-after"] == "7"


async def test_an_outage_is_said_in_json(open_client: OpenClient) -> None:
    client = await open_client(oidc_clients=json.dumps([entry()]))
    for path in OF_CLIENTS:
        reply = await client.post(path, data=CALL)
        assert read(reply) == (503, "temporarily_unavailable")
        assert int(reply.headers["retry-after"]) > 0
    assert read(await client.get(USERINFO, headers={"Authorization": "Bearer x"}))[0] == 503


async def test_a_fault_of_the_product_is_said_in_json(
    set_stage: SetStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        raise KeyError

    stage = await set_stage()
    monkeypatch.setattr("api.oidc.routes._call", fail)
    assert read(await stage.browser.post(INTROSPECT, data=CALL)) == (500, "server_error")


async def test_a_browser_that_an_application_sends_still_gets_a_page(set_stage: SetStage) -> None:
    stage = await set_stage()
    for path in ("/oidc/authorize", "/oidc/logout", "/oidc/nothing"):
        assert "text/html" in (await stage.browser.request("PATCH", path)).headers["content-type"]
    for path in (DISCOVERY, JWKS):
        assert (await stage.browser.get(path)).status_code == 200
