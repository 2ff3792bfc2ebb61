"""What a request may take: bytes of body and headers, and time."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.types import Message

from api.main import MAX_BODY_BYTES, MAX_HEADER_BYTES
from api.middleware import BASE_HEADERS, RequestLimits
from tests.api.conftest import OpenClient, hidden

LIMITS = {"most": 100, "most_headers": 100, "patience_seconds": 0.0}


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY_BYTES - 100, 403), (MAX_BODY_BYTES + 1, 413)])
@pytest.mark.parametrize("path", ["/registro/profesional", "/ingreso/mipres", "/contrasena"])
async def test_a_body_has_its_limit(open_client: OpenClient, path: str, size: int, status: int) -> None:
    client = await open_client()
    answer = await client.post(path, data={"usuario": "x" * size})
    assert answer.status_code == status


async def test_a_body_that_says_nothing_of_its_length_is_counted_as_it_comes(open_client: OpenClient) -> None:
    client = await open_client()

    async def endless() -> Any:
        for _ in range(1000):
            yield b"x" * 1024

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await client.post("/ingreso/mipres", content=endless(), headers=headers)
    assert answer.status_code == 413
    assert "El envío es demasiado grande" in answer.text


async def test_headers_have_their_limit(open_client: OpenClient) -> None:
    client = await open_client()
    answer = await client.get("/", headers={"Cookie": "c=" + "x" * MAX_HEADER_BYTES})
    assert answer.status_code == 431
    assert answer.headers["content-security-policy"] == BASE_HEADERS["Content-Security-Policy"]
    assert (await client.get("/", headers={"Cookie": "c=" + "x" * 4_000})).status_code == 200


@pytest.mark.parametrize("hosts", [[], ["mipres.test", "mipres.test"], ["mipres.test", "evil.example"]])
async def test_a_request_names_one_host(make_app: Callable[..., FastAPI], hosts: list[str]) -> None:
    app, sent = make_app(), []

    async def send(message: Message) -> None:
        sent.append(message)

    async def nothing() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    headers = [(b"host", host.encode()) for host in hosts]
    scope = {"type": "http", "method": "GET", "path": "/health/live", "query_string": b"", "headers": headers}
    await app(scope, nothing, send)
    assert sent[0]["status"] == 400
    assert b"cabecera Host" in sent[1]["body"]


# Codecs of Python that fail with errors of their own, and one that makes half a character.
@pytest.mark.parametrize("charset", ["undefined", "punycode", '"idna"', "UTF-7"])
async def test_a_form_is_written_in_utf_8(open_client: OpenClient, charset: str) -> None:
    client = await open_client()
    form = hidden(await client.get("/contrasena/recuperar")) | {"numero_documento": "+2AA-."}
    parts = [f'--X\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{form[name]}' for name in form]
    body = "\r\n".join([*parts, "--X--\r\n"]).encode()

    async def status_of(said: str) -> int:
        headers = {"Content-Type": f"multipart/form-data{said}; boundary=X"}
        return (await client.post("/contrasena/recuperar", content=body, headers=headers)).status_code

    assert await status_of(f"; charset={charset}") == 415
    assert await status_of("; charset=UTF-8") == await status_of("") == 422


def test_no_websocket_is_logged(make_app: Callable[..., FastAPI], caplog: pytest.LogCaptureFixture) -> None:
    """Plain uvicorn with a WebSocket library tells address, path and query."""
    make_app().build_middleware_stack()
    with caplog.at_level(logging.INFO, logger="uvicorn.error"):
        server = logging.getLogger("uvicorn.error")
        server.info('%s - "WebSocket %s" 403', "203.0.113.7:1", "/contrasena/secret?x=1")
        server.info("Started server process")
    assert [record.getMessage() for record in caplog.records] == ["Started server process"]


async def test_a_body_that_does_not_arrive_is_not_waited_for(make_app: Callable[..., FastAPI]) -> None:
    app = make_app()
    async with app.router.lifespan_context(app):
        impatient = RequestLimits(app, most=1000, most_headers=1000, patience_seconds=0.0)
        sent: list[Message] = []

        async def never() -> Message:
            return await asyncio.Future()

        async def send(message: Message) -> None:
            sent.append(message)

        headers = [(b"host", b"mipres.test"), (b"content-type", b"application/x-www-form-urlencoded")]
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/ingreso/mipres",
            "raw_path": b"/ingreso/mipres",
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", 1),
        }
        await impatient(scope, never, send)
    assert sent[0]["status"] == 408
    assert "El envío tardó demasiado".encode() in b"".join(message.get("body", b"") for message in sent)


async def test_after_the_body_the_client_may_take_its_time() -> None:
    went_away = asyncio.Event()

    async def app(_scope: Any, receive: Any, _send: Any) -> None:
        assert (await receive())["body"] == b"all"
        assert (await receive())["type"] == "http.disconnect"
        went_away.set()

    messages: list[Message] = [
        {"type": "http.request", "body": b"all", "more_body": False},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return messages.pop(0)

    limits = RequestLimits(app, most=3, most_headers=100, patience_seconds=60)
    await limits({"type": "http", "headers": [(b"host", b"mipres.test")]}, receive, None)  # type: ignore[arg-type]
    assert went_away.is_set()


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PUT", "DELETE", "PROPFIND"])
async def test_other_methods_are_refused(open_client: OpenClient, method: str) -> None:
    client = await open_client()
    for path in ("/", "/ingreso/mipres", "/api/v1/registrations"):
        assert (await client.request(method, path)).status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/static/../mipres/settings.py",
        "/static/..%2fmipres/settings.py",
        "/static/%2e%2e/mipres/settings.py",
        "/static/..\\mipres\\settings.py",
        "/static//etc/passwd",
        "/static/%00",
        "/static/css/app.css%00.png",
        "/.git/config",
        "/.env",
        "/registro/..%2f..%2fetc%2fpasswd",
        "/contrasena/../../etc/passwd",
        "/captcha/..%2f..%2fx.png",
        "//evil.example/",
        "/inicio//evil.example",
        "/api/v1/registrations/..%2f..%2f",
    ],
)
async def test_a_tricky_path_leads_nowhere(open_client: OpenClient, path: str) -> None:
    client = await open_client()
    client.follow_redirects = False
    # Sent as it stands: a client would tidy it up.
    request = client.build_request("GET", "/")
    request.url = request.url.copy_with(raw_path=path.encode())
    answer = await client.send(request)
    assert answer.status_code in {303, 401, 404}
    assert "MIPRES_" not in answer.text
    assert "root:" not in answer.text
    assert answer.headers.get("location", "/").startswith("/")
    assert not answer.headers.get("location", "/").startswith("//")
