"""No page without a state in which the browser tests judge it."""

import ast
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from fastapi import FastAPI

from tests.api.conftest import make_app
from tests.api.test_routes import operations
from tests.product.browser.states import ANYWHERE, STATES
from tests.product.browser.test_accessibility import EMPTY

__all__ = ["make_app"]
BROWSER = Path(__file__).parent / "browser"
# What answers no page: it sends on, or is read by programs.
NO_PAGES = {
    *("/contrasena/{token}", "/no-fui-yo/{token}", "/.well-known/change-password"),
    *("/favicon.ico", "/captcha", "/captcha/prueba", "/captcha/{challenge}.png", "/captcha/{challenge}.wav"),
    *("/.well-known/openid-configuration", "/oidc/jwks", "/oidc/userinfo"),
    *("/health/live", "/health/ready", "/health/dependencies", "/metrics"),
    *("/api/openapi.json", "/api/v1/registrations/{radicado}"),
}


def addresses(app: FastAPI) -> set[str]:
    return {path for method, path, _ in operations(app) if method == "GET"}


def examined() -> Iterator[str]:
    """The names of the states that the browser tests judge; `*` where a name varies."""
    for module in BROWSER.glob("test_*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "examine":
                yield from names_in(node.args[1])


def names_in(name: ast.expr) -> Iterator[str]:
    if isinstance(name, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in name.values)
    elif isinstance(name, ast.Constant):
        yield str(name.value)


def is_examined(state: str, found: set[str]) -> bool:
    return any(fnmatchcase(state, name) or fnmatchcase(name, state) for name in found)


def test_every_page_has_states(make_app: Callable[..., FastAPI]) -> None:
    pages = addresses(make_app()) - NO_PAGES
    assert sorted(pages - set(STATES)) == []
    assert sorted(set(STATES) - pages) == [ANYWHERE]


def test_every_state_is_examined() -> None:
    found = {*examined(), *EMPTY}
    assert len(found) > 80
    assert [name for names in STATES.values() for name in names if not is_examined(name, found)] == []
