"""Tokens, cookies, headers and keys, over https and in time."""

import pytest
from starlette.requests import Request
from starlette.responses import Response

from api.security import (
    FORM_LIFETIME_SECONDS,
    Cookies,
    FormTokens,
    FormTokenState,
    api_key_in,
    is_cross_site,
    new_visit,
)
from tests.api.conftest import OpenClient, TimeTravel, hidden, way_back

PUBLIC_URL = "https://mipres.example"


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": raw})


@pytest.fixture
def tokens() -> FormTokens:
    return FormTokens(b"k" * 32, cookies=Cookies(https=False))


# ---- Form tokens


def test_a_token_is_good_for_its_own_visit_only(tokens: FormTokens) -> None:
    visit, other = new_visit(), new_visit()
    token = tokens.issue(visit)
    assert tokens.state(request(cookie=f"mipres_visita={visit}"), token) is FormTokenState.VALID
    assert tokens.state(request(cookie=f"mipres_visita={other}"), token) is FormTokenState.ANOTHER_VISIT
    assert tokens.state(request(cookie="mipres_visita="), token) is FormTokenState.WRONG
    assert tokens.state(request(), token) is FormTokenState.WRONG


@pytest.mark.parametrize("token", [None, "", "x", "a.b.c", "ñ", "\ud800", b"bytes", object()])
def test_nonsense_is_no_token(tokens: FormTokens, token: object) -> None:
    assert tokens.state(request(cookie="mipres_visita=v"), token) is FormTokenState.WRONG


def test_a_token_of_another_key_is_wrong(tokens: FormTokens) -> None:
    forged = FormTokens(b"x" * 32, cookies=Cookies(https=False)).issue("v")
    assert tokens.state(request(cookie="mipres_visita=v"), forged) is FormTokenState.WRONG


def test_a_token_expires_and_says_so_to_its_own_visit_only(
    tokens: FormTokens, time_travel: TimeTravel
) -> None:
    visit = new_visit()
    token = tokens.issue(visit)
    here = request(cookie=f"mipres_visita={visit}")
    time_travel(FORM_LIFETIME_SECONDS - 60)
    assert tokens.state(here, token) is FormTokenState.VALID
    time_travel(FORM_LIFETIME_SECONDS + 60)
    assert tokens.state(here, token) is FormTokenState.EXPIRED
    assert tokens.state(request(cookie=f"mipres_visita={new_visit()}"), token) is FormTokenState.WRONG
    # A cookie that is a mere part of the visit is another visit.
    assert tokens.state(request(cookie=f"mipres_visita={visit[:3]}"), token) is FormTokenState.WRONG


# ---- Cookies


@pytest.mark.parametrize("name", ["mipres_respuesta_a(b", "mipres_respuesta_a b", "mipres_respuesta_\xe9"])
async def test_a_cookie_that_the_product_did_not_set_spoils_no_answer(
    open_client: OpenClient, name: str
) -> None:
    client = await open_client()
    form = hidden(await client.get("/contrasena/recuperar"))
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in client.cookies.jar)
    foreign = {b"Cookie": f"{cookies}; {name}=x".encode("latin-1")}
    assert (await client.post("/contrasena/recuperar", data=form, headers=foreign)).status_code == 422
    out = await client.post("/salir", data=form, headers=foreign, follow_redirects=False)
    assert out.status_code == 303


# ---- An expired form, as its sender sees it


async def test_an_expired_form_goes_on_with_what_was_typed(
    open_client: OpenClient, time_travel: TimeTravel
) -> None:
    client = await open_client(captcha="image")
    form = await client.get("/registro/profesional")
    typed = {
        "tipo_documento": "CE",
        "numero_documento": '"><b>70999',
        "registro_profesional": "76-1234",
        "acepta_datos": "SI",
    }
    time_travel(FORM_LIFETIME_SECONDS + 60)
    late = await client.post(
        "/registro/profesional", data={**hidden(form), **typed, "captcha": "ABCDE", "captcha_id": "x"}
    )
    assert late.status_code == 403
    assert "El formulario estuvo abierto mucho tiempo" in late.text
    again = await client.get(way_back(late))
    assert again.url.path == "/registro/profesional"
    for kept in (
        'value="CE" selected',
        'value="&#34;&gt;&lt;b&gt;70999"',
        'value="76-1234"',
        'value="SI" checked',
    ):
        assert kept in again.text
    assert "ABCDE" not in again.text


async def test_an_expired_form_keeps_no_secret(open_client: OpenClient, time_travel: TimeTravel) -> None:
    client = await open_client()
    form = await client.get("/ingreso/mipres")
    time_travel(FORM_LIFETIME_SECONDS + 60)
    sent = {**hidden(form), "usuario": "CC70999", "contrasena": "Secreta-1", "confirmacion": "Secreta-2"}
    late = await client.post("/ingreso/mipres", data=sent)
    assert late.status_code == 403
    assert "Secreta" not in late.text
    again = await client.get(way_back(late))
    assert 'value="CC70999"' in again.text
    assert "Secreta" not in again.text


# ---- Cookies and headers


def test_cookies_over_https_are_tied_to_the_host() -> None:
    response = Response()
    Cookies(https=True).set(response, "visita", "v")
    Cookies(https=True).drop(response, "enlace")
    set_one, dropped = response.headers.getlist("set-cookie")
    assert set_one == "__Host-mipres_visita=v; HttpOnly; Path=/; SameSite=lax; Secure"
    assert dropped.startswith('__Host-mipres_enlace=""; expires=')
    assert dropped.endswith("; HttpOnly; Max-Age=0; Path=/; SameSite=lax; Secure")


@pytest.mark.parametrize(
    ("public_url", "hsts"),
    [(PUBLIC_URL, "max-age=31536000; includeSubDomains"), ("http://localhost:8000", None)],
)
async def test_only_https_is_asked_to_stay(
    open_client: OpenClient, public_url: str, hsts: str | None
) -> None:
    client = await open_client(public_url=public_url)
    answer = await client.get("/")
    assert answer.headers.get("strict-transport-security") == hsts
    assert answer.headers["set-cookie"].startswith("__Host-mipres_visita=") == (hsts is not None)


# ---- Where a form comes from


@pytest.mark.parametrize(
    ("headers", "elsewhere"),
    [
        ({}, False),
        ({"sec_fetch_site": "same-origin"}, False),
        ({"sec_fetch_site": "none"}, False),
        ({"sec_fetch_site": "same-site"}, True),
        ({"sec_fetch_site": "cross-site"}, True),
        ({"sec_fetch_site": "nonsense"}, True),
        ({"sec_fetch_site": "cross-site", "origin": PUBLIC_URL}, True),
        ({"sec_fetch_site": "same-origin", "origin": "null"}, False),
        ({"origin": PUBLIC_URL}, False),
        ({"origin": "https://mipres.example.evil.example"}, True),
        ({"origin": "https://evil.example"}, True),
        ({"origin": "null"}, True),
        ({"origin": ""}, True),
        ({"origin": "https://proxy.internal", "host": "proxy.internal"}, False),
    ],
)
def test_where_a_form_comes_from(headers: dict[str, str], *, elsewhere: bool) -> None:
    assert is_cross_site(request(**headers), public_url=PUBLIC_URL) is elsewhere


def test_the_public_address_may_be_written_as_no_browser_writes_it() -> None:
    assert not is_cross_site(request(origin=PUBLIC_URL), public_url="https://MIPRES.example:443")


# ---- Keys of the JSON API


@pytest.mark.parametrize(
    ("authorization", "good"),
    [
        ("Bearer one", True),
        ("bearer two", True),
        ("Bearer three", False),
        ("Bearer on", False),
        ("Bearer one ", False),
        ("Bearer", False),
        ("Bearer ", False),
        ("Basic one", False),
        ("one", False),
        ("Bearer Ã±", False),
        ("", False),
        (None, False),
    ],
)
def test_api_keys(authorization: str | None, *, good: bool) -> None:
    assert (api_key_in(authorization, ("one", "two")) is not None) is good


def test_without_keys_nobody_comes_in() -> None:
    assert api_key_in("Bearer ", ()) is None
    assert api_key_in("Bearer x", ()) is None
