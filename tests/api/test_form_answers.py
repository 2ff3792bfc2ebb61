"""No form is answered by a page, and each answer can be loaded again."""

import ast
import html
import re
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from api.answers import LIFETIME, FormAnswers
from api.errors import page_of
from api.registrations.start import RegistrationStarter
from api.security import Cookies, new_visit
from tests.api.conftest import OpenClient, TimeTravel, hidden, way_back
from tests.api.test_routes import operations

PAGES = Path(__file__).parents[2] / "api" / "pages"
GONE = "Esta respuesta ya no se muestra"


def functions_of(module: Path) -> dict[str, ast.AsyncFunctionDef | ast.FunctionDef]:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    return {
        node.name: node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
    }


def takes_a_form(function: ast.AsyncFunctionDef | ast.FunctionDef) -> bool:
    return any("router.post(" in ast.unparse(decorator) for decorator in function.decorator_list)


def reached_from(name: str, functions: dict[str, ast.AsyncFunctionDef | ast.FunctionDef]) -> Iterator[str]:
    """The functions of the module that a handler calls, itself first."""
    seen, waiting = set[str](), [name]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        yield current
        calls = [node.func for node in ast.walk(functions[current]) if isinstance(node, ast.Call)]
        waiting += [call.id for call in calls if isinstance(call, ast.Name) and call.id in functions]


@pytest.mark.parametrize("module", sorted(PAGES.glob("*.py")), ids=lambda path: path.stem)
def test_no_form_is_answered_by_a_page(module: Path) -> None:
    functions = functions_of(module)
    rendering = [
        f"{name} by {reached}"
        for name, function in functions.items()
        if takes_a_form(function)
        for reached in reached_from(name, functions)
        if ".render(" in ast.unparse(functions[reached])
    ]
    assert rendering == []


ANSWERED: dict[str, dict[str, str]] = {
    "/registro/delegado": {
        "tipo_entidad": "EPS",
        "regimen": "SUBSIDIADO",
        "nit": "9001234567890",
        "tipo_documento": "CE",
        "numero_documento": "65a",
    },
    "/registro/profesional": {
        "tipo_documento": "CC",
        "numero_documento": "10'20",
        "registro_profesional": "76-<b>",
    },
    "/registro/sso": {"tipo_documento": "PT", "numero_documento": "1"},
    "/registro/otro": {"tipo_documento": "XX", "numero_documento": "1020304050"},
    "/contrasena/recuperar": {"tipo_documento": "CC", "numero_documento": "12 a"},
    "/ingreso/mipres": {"usuario": "CC 10203"},
    "/ingreso/administracion": {"usuario": ""},
    "/soporte/ingreso": {"nombre": "alguien"},
}


async def posted(client: httpx2.AsyncClient, path: str) -> httpx2.Response:
    """Send a form with mistakes, and do not follow where it leads."""
    page = await client.get(path)
    fields = hidden(page) | ANSWERED[path]
    return await client.post(path, data=fields, follow_redirects=False)


def without_random(page: httpx2.Response) -> str:
    return re.sub(r'(name="csrf_token" value|data-options)="[^"]*"', "", page.text)


@pytest.mark.parametrize("path", ANSWERED)
async def test_an_answer_with_errors_is_the_same_each_time(open_client: OpenClient, path: str) -> None:
    client = await open_client(captcha="image")
    sent = await posted(client, path)
    address = sent.headers["location"]
    assert (sent.status_code, address.partition("?")[0]) == (303, path)
    first, again = await client.get(address), await client.get(address)
    assert (first.status_code, again.status_code) == (422, 422)
    assert without_random(first) == without_random(again)
    assert 'role="alert"' in first.text
    assert GONE not in first.text
    for value in filter(None, ANSWERED[path].values()):
        if value != "XX":
            assert value.replace("'", "&#39;").replace("<b>", "&lt;b&gt;") in first.text


async def test_only_the_browser_that_sent_the_form_sees_its_answer(open_client: OpenClient) -> None:
    client = await open_client()
    address = (await posted(client, "/registro/sso")).headers["location"]
    client.cookies.clear()
    elsewhere = await client.get(address)
    assert elsewhere.status_code == 200
    assert GONE in elsewhere.text
    assert 'role="alert"' not in elsewhere.text


async def test_after_half_an_hour_the_page_says_that_the_answer_is_gone(
    open_client: OpenClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await open_client()
    address = (await posted(client, "/registro/sso")).headers["location"]
    now = FormAnswers.now
    monkeypatch.setattr(FormAnswers, "now", lambda answers: now(answers) + LIFETIME - timedelta(seconds=5))
    assert GONE not in (await client.get(address)).text
    monkeypatch.setattr(FormAnswers, "now", lambda answers: now(answers) + LIFETIME)
    assert GONE in (await client.get(address)).text


async def test_an_answer_is_shown_by_its_own_form_only(open_client: OpenClient) -> None:
    client = await open_client()
    address = (await posted(client, "/registro/sso")).headers["location"]
    other = await client.get(address.replace("/registro/sso", "/registro/otro"))
    assert (other.status_code, GONE in other.text) == (200, True)


async def test_a_button_that_only_draws_the_form_again_keeps_what_was_typed(open_client: OpenClient) -> None:
    client = await open_client(captcha="image")
    page = await client.get("/registro/delegado")
    typed = {"tipo_entidad": "PROVEEDOR", "tiene_nit": "NO", "departamento": "05", "numero_documento": "77"}
    for button in ("ver_municipio", "actualizar_imagen"):
        sent = hidden(page) | typed | {button: "SI", "captcha": "7kmxy"}
        shown = await client.post("/registro/delegado", data=sent)
        assert (shown.status_code, 'role="alert"' in shown.text) == (200, False)
        assert 'value="77"' in shown.text
        assert '<option value="05001">' in shown.text
        same_picture = hidden(shown)["captcha_id"] == hidden(page)["captcha_id"]
        assert same_picture is (button == "ver_municipio")


async def test_who_leaves_takes_the_answers_along(open_client: OpenClient) -> None:
    client = await open_client()
    sent = await posted(client, "/registro/sso")
    page = await client.get(sent.headers["location"])
    await client.post("/salir", data={"csrf_token": hidden(page)["csrf_token"]})
    assert GONE in (await client.get(sent.headers["location"])).text


async def test_a_form_that_was_open_too_long_is_answered_at_an_address(
    open_client: OpenClient, time_travel: TimeTravel
) -> None:
    client = await open_client()
    page = await client.get("/registro/otro")
    time_travel(3 * 60 * 60)
    fields = hidden(page) | {"numero_documento": "70999"}
    answer = await client.post("/registro/otro", data=fields)
    assert answer.status_code == 403
    for _ in range(2):
        again = await client.get(str(answer.url))
        assert again.status_code == 403
        assert 'value="70999"' in (await client.get(way_back(again))).text


async def test_what_was_typed_comes_back_after_an_error_of_ours(
    make_app: Callable[..., FastAPI], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(RegistrationStarter, "submit", fail)
    app = make_app(database_url=database_url)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        transport = httpx2.ASGITransport(app=app)
        client = await stack.enter_async_context(
            httpx2.AsyncClient(transport=transport, base_url="http://mipres.test", follow_redirects=True)
        )
        page = await client.get("/registro/otro")
        typed = {"tipo_documento": "CC", "numero_documento": "1020304050", "acepta_datos": "SI"}
        failed = await client.post("/registro/otro", data=hidden(page) | typed)
        assert failed.status_code == 500
        back = await client.get(way_back(failed))
    assert (back.status_code, 'value="1020304050"' in back.text) == (200, True)


def test_the_way_back_from_each_form_is_a_page(make_app: Callable[..., FastAPI]) -> None:
    """Going back there acts on nothing: it is a look."""
    app = make_app()
    pages = {path for method, path, _ in operations(app) if method == "GET"}
    forms = {
        path
        for method, path, _ in operations(app)
        if method == "POST" and not path.startswith(("/api/", "/codec", "/oidc/"))
    }
    assert {"/cuenta/segundo-factor/llaves/quitar", "/contrasena/renovar", "/salir"} <= forms
    assert sorted({page_of(path) for path in forms} - pages) == []
    assert page_of("/cuenta/segundo-factor/llaves/quitar") == "/cuenta/segundo-factor"
    assert page_of("/registro/estado/RM-0123456789AB/reenviar") == "/registro/estado/RM-0123456789AB"
    assert (page_of("/contrasena/renovar"), page_of("/salir")) == ("/contrasena", "/")


async def test_every_part_of_the_delegates_form_is_shown_by_a_choice(open_client: OpenClient) -> None:
    page = (await (await open_client()).get("/registro/delegado")).text
    conditions = set(re.findall(r"\b(\w+)=(\w+)", " ".join(re.findall(r'data-show-when="([^"]+)"', page))))
    assert len(conditions) == 5
    options = re.search(r'<select[^>]* name="tipo_entidad".*?</select>', page, re.DOTALL)
    assert options
    kinds = set(re.findall(r'value="(\w+)"', options.group()))
    answers = set(re.findall(r'type="radio"[^>]* name="tiene_nit" value="(\w+)"', page))
    assert {value for name, value in conditions if name == "tipo_entidad"} == kinds
    assert {value for name, value in conditions if name == "tiene_nit"} == answers


async def test_a_form_of_before_another_login_leads_back_to_what_was_typed(open_client: OpenClient) -> None:
    client = await open_client()
    page = await client.get("/registro/otro")
    name = Cookies(https=False).name("visita")
    client.cookies.delete(name)
    client.cookies.set(name, new_visit())
    answer = await client.post("/registro/otro", data=hidden(page) | {"numero_documento": "70999"})
    assert (answer.status_code, "No se hizo nada" in answer.text) == (403, True)
    assert 'value="70999"' in (await client.get(way_back(answer))).text


@pytest.mark.parametrize("typed", ["1020304050", "ana@ejemplo.gov.co", "Cédula 1020304050", "' OR 1=1 --"])
async def test_what_is_no_login_is_told_before_a_password_is_tried(
    open_client: OpenClient, typed: str
) -> None:
    client = await open_client()
    page = await client.get("/ingreso/mipres")
    # There is no database to try it with.
    fields = hidden(page) | {"usuario": typed, "contrasena": "Clave-Segura-2026"}
    answer = await client.post("/ingreso/mipres", data=fields)
    assert (answer.status_code, "Escriba el tipo y el número de su documento juntos" in answer.text) == (
        422,
        True,
    )
    assert f'value="{html.escape(typed).replace("&#x27;", "&#39;")}"' in answer.text
