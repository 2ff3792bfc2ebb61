"""Guards over every route of the application."""

import re
from collections.abc import Callable, Iterator
from inspect import iscoroutinefunction
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from api.pages import password
from api.protection import (
    API_KEY_REQUIRED,
    PROTECTED_FORM,
    PROTECTIONS,
    PUBLIC,
    api_key_required,
    protected_form,
    public,
)
from api.security import Cookies
from mipres.composition import TEMPLATES
from mipres.database.password_links import LinkView
from mipres.domain.limits import WRONG_LINKS, Limit
from mipres.domain.links import LinkState
from tests.api.conftest import API_KEY, OpenClient, hidden, log_in_as_staff
from tests.templating import make_pages

# They answer with what anybody may read, and take nothing.
WITHOUT_HANDLERS = {("GET", "/api/openapi.json"), ("HEAD", "/api/openapi.json"), ("", "/static")}
READING = {"GET", "HEAD", "OPTIONS"}


def operations(app: FastAPI) -> Iterator[tuple[str, str, RouteContext]]:
    for route in iter_route_contexts(app.routes):
        for method in sorted(route.methods or {""}):
            yield method, str(route.path), route


def test_head_works_where_get_does(make_app: Callable[..., FastAPI]) -> None:
    methods: dict[str, set[str]] = {}
    for method, path, _ in operations(make_app()):
        methods.setdefault(path, set()).add(method)
    assert "/captcha" in methods
    assert [path for path, known in methods.items() if "GET" in known and "HEAD" not in known] == []


ODD_PARTS = ("x", "%00", "%FF", "%F0%9F", "%20", "1" * 3_000, "'--", "%2e%2e")
"""Parts of an address that name nothing; most are no text and no UUID either."""
LEADING_ON = {"/contrasena/{token}", "/no-fui-yo/{token}", "/soporte/hallado/{answer_id}"}
"""They take a secret out of the address, and another page says what it is worth."""


@pytest.mark.usefixtures("staff")
async def test_an_address_that_names_nothing_is_the_page_of_its_kind(
    make_app: Callable[..., FastAPI], open_client: OpenClient, database_url: str
) -> None:
    client = await open_client(database_url=database_url, rate_limits="off")
    await log_in_as_staff(client)
    drawn = {"soporte": await client.get("/soporte/contrasena"), "": await client.get("/ingreso/mipres")}
    key = {"Authorization": f"Bearer {API_KEY}"}
    asked = [
        (method, path)
        for method, path, _ in operations(make_app())
        if "{" in path and method in {"GET", "POST"}
    ]
    assert ("POST", "/soporte/cuenta/{account_id}/{action}") in asked
    for method, path in asked:
        is_api, form = path.startswith("/api/"), hidden(drawn.get(path.split("/")[1], drawn[""]))
        sent = form if method == "POST" and not is_api else None
        for odd in ODD_PARTS:
            address = re.sub(r"{[^}]*}", odd, path)
            reply = await client.request(method, address, headers=key, data=sent, follow_redirects=False)
            assert reply.status_code == (303 if path in LEADING_ON else 404), f"{method} {path}: {odd[:9]}"
            if reply.status_code == 404 and not path.startswith("/captcha/"):
                assert ('"code":"not_found"' if is_api else '<html lang="es') in reply.text


@pytest.mark.usefixtures("staff")
async def test_no_parameter_of_a_page_brings_it_down(
    make_app: Callable[..., FastAPI], open_client: OpenClient, database_url: str
) -> None:
    client = await open_client(database_url=database_url, rate_limits="off")
    asked = [
        (path, parameter.alias)
        for method, path, route in operations(make_app())
        if method == "GET" and isinstance(route.original_route, APIRoute)
        for parameter in route.dependant.query_params
    ]
    assert ("/cuenta", "aplicacion") in asked
    for path, name in asked:
        for odd in ODD_PARTS:
            address = f"{path.replace('{application}', 'mipres')}?{name}={odd}"
            reply = await client.get(address, follow_redirects=False)
            assert reply.status_code in {200, 303, 404}, f"{path}?{name}={odd[:9]}"


def protections(route: RouteContext) -> list[Callable[..., Any]]:
    return [call for call in _calls(route.dependant) if call in PROTECTIONS]


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    for item in dependant.dependencies:
        if item.call is not None:
            yield item.call


def unprotected(app: FastAPI) -> list[str]:
    """Operations without exactly one protection, and writing ones without any."""
    found = []
    for method, path, route in operations(app):
        if (method, path) in WITHOUT_HANDLERS:
            continue
        declared = protections(route) if isinstance(route.original_route, APIRoute) else []
        if len(declared) != 1 or (method not in READING and declared == [public]):
            found.append(f"{method} {path}")
    return found


def test_every_route_declares_exactly_one_protection(make_app: Callable[..., FastAPI]) -> None:
    app = make_app()
    paths = {path for _, path, _ in operations(app)}
    assert {
        "/",
        "/registro/{tipo}",
        "/contrasena",
        "/salir",
        "/api/v1/registrations",
        "/health/ready",
    } <= paths
    assert unprotected(app) == []


def test_the_json_api_is_behind_a_key_and_nothing_else_is(make_app: Callable[..., FastAPI]) -> None:
    for method, path, route in operations(make_app()):
        if (method, path) not in WITHOUT_HANDLERS:
            behind_a_key = protections(route) == [api_key_required]
            assert behind_a_key == path.startswith("/api/v1/"), path


@pytest.mark.parametrize(
    ("method", "dependencies"),
    [
        ("GET", []),
        ("POST", []),
        ("POST", [PUBLIC]),
        ("GET", [PUBLIC, API_KEY_REQUIRED]),
        ("POST", [PROTECTED_FORM, PROTECTED_FORM]),
    ],
)
def test_the_guard_notices_a_careless_route(
    make_app: Callable[..., FastAPI], method: str, dependencies: list[Any]
) -> None:
    app, router = make_app(), APIRouter(prefix="/careless")
    router.add_api_route("/route", lambda: None, methods=[method], dependencies=dependencies)
    app.include_router(router)
    assert unprotected(app) == [f"{method} /careless/route"]


def test_the_guard_notices_a_page_that_fastapi_adds_by_itself(make_app: Callable[..., FastAPI]) -> None:
    app = make_app()
    app.add_route("/redoc", lambda request: None, methods=["GET"])  # type: ignore[arg-type,return-value]
    assert unprotected(app) == ["GET /redoc", "HEAD /redoc"]


def _every_call(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    yield from _calls(dependant)
    for item in dependant.dependencies:
        yield from _every_call(item)


def test_no_dependency_takes_a_thread(make_app: Callable[..., FastAPI]) -> None:
    calls = {
        call
        for _, _, route in operations(make_app())
        if isinstance(route.original_route, APIRoute)
        for call in _every_call(route.dependant)
    }
    assert public in calls
    assert [call for call in calls if not _is_coroutine(call)] == []


def _is_coroutine(call: Callable[..., Any]) -> bool:
    return iscoroutinefunction(call) or iscoroutinefunction(type(call).__call__)


# A logout takes nothing from anybody, and what stops a change needs its link; the API counts in its own protection.
WITHOUT_LIMIT = {("POST", "/salir"), ("POST", "/no-fui-yo")}


def is_limited(route: RouteContext) -> bool:
    return any("limited.<locals>" in call.__qualname__ for call in _calls(route.dependant))


def test_every_form_has_a_limit(make_app: Callable[..., FastAPI]) -> None:
    forms = [
        (method, path, is_limited(route))
        for method, path, route in operations(make_app())
        if method not in READING | {""} and protections(route) == [protected_form]
    ]
    assert len(forms) > 5
    assert {(method, path) for method, path, limited in forms if not limited} == WITHOUT_LIMIT


def mailed_paths() -> set[str]:
    """The paths of all links in the mails, as if filled in."""
    texts = [path.read_text(encoding="utf-8") for path in (TEMPLATES / "email").rglob("body.html")]
    filled = (re.sub(r"{{ (?!public_url)\w+ }}", "x", text) for text in texts)
    return {path for text in filled for path in re.findall(r'href="{{ public_url }}(/[^"]*)"', text)}


def test_the_mails_lead_to_more_than_one_page() -> None:
    assert {
        "/contrasena/x",
        "/contrasena/recuperar",
        "/registro/estado/x",
        "/ingreso/mipres",
    } <= mailed_paths()


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
async def test_a_mailed_link_answers_a_look_like_a_visit(open_client: OpenClient, method: str) -> None:
    client = await open_client()
    client.follow_redirects = False
    for path in sorted(mailed_paths()):
        visit, look = await client.get(path), await client.request(method, path)
        assert look.status_code == visit.status_code != 405, path
        assert look.headers.get("location") == visit.headers.get("location"), path


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
async def test_looks_at_wrong_links_are_not_counted(method: str) -> None:
    """A mail scanner that looks at what it guessed takes nothing from its network."""
    app, counted, cookies = FastAPI(), [], Cookies(https=False)

    async def count(limit: Limit, subject: str) -> None:
        counted.append((limit, subject))

    async def nothing(_token: str, **_which: object) -> None:
        return None

    async def unknown(_token: str) -> LinkView:
        return LinkView(state=LinkState.UNKNOWN)

    links = SimpleNamespace(owner_of=nothing, renewal_of=nothing, link=unknown)
    services = SimpleNamespace(
        cookies=cookies,
        throttle=SimpleNamespace(count=count),
        links=links,
        pages=make_pages(cookies=cookies),
    )
    app.state.services = SimpleNamespace(password=services, protection=SimpleNamespace(trusted_proxies=()))
    app.include_router(password.router)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://mipres.test") as client:
        client.cookies.set("mipres_enlace", "adivinado")
        assert (await client.request(method, "/contrasena")).status_code == 404
        assert counted == []
        client.cookies.set("mipres_enlace", "adivinado")
        assert (await client.get("/contrasena")).status_code == 404
    assert [limit for limit, _ in counted] == [WRONG_LINKS]
