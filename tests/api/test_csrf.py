"""Every form of the application against every way of sending it from elsewhere.

New forms are attacked by themselves.
"""

import re
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from itsdangerous import TimestampSigner

from api.security import FORM_LIFETIME_SECONDS, Cookies, new_visit
from tests.api.conftest import OpenClient
from tests.api.test_routes import READING, operations

PARAMETERS = {
    "tipo": "profesional",
    "application": "mipres",
    "radicado": "RM-000000000000",
    "token": "x",
}


def forms(app: FastAPI) -> list[str]:
    """The addresses that take something, but for what programs call.

    Forms of applications do nothing here but become a GET: tests/oidc holds that.
    """
    found = []
    for method, path, _ in operations(app):
        if method in READING | {""} or path.startswith(("/api/", "/codec", "/oidc/")):
            continue
        found.append(re.sub(r"\{(\w+)\}", lambda match: PARAMETERS.get(match[1], "x"), path))
    return found


async def token_of(client: httpx2.AsyncClient) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', (await client.get("/ingreso/mipres")).text)
    assert found
    return found.group(1)


async def test_every_form_refuses_what_comes_from_elsewhere(
    open_client: OpenClient, make_app: Callable[..., FastAPI], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, other = await open_client(), await open_client()
    own, foreign = await token_of(client), await token_of(other)
    attacks: dict[str, tuple[dict[str, str], dict[str, str]]] = {
        "no token": ({}, {}),
        "empty token": ({"csrf_token": ""}, {}),
        "wrong token": ({"csrf_token": own[::-1]}, {}),
        "another visit's token": ({"csrf_token": foreign}, {}),
        "cross-site": ({"csrf_token": own}, {"Sec-Fetch-Site": "cross-site"}),
        "same-site": ({"csrf_token": own}, {"Sec-Fetch-Site": "same-site"}),
        "another origin": ({"csrf_token": own}, {"Origin": "https://evil.example"}),
        "no origin to tell": ({"csrf_token": own}, {"Origin": "null"}),
        "an origin that is no address": ({"csrf_token": own}, {"Origin": "http://["}),
    }
    paths = forms(make_app())
    assert {"/registro/profesional", "/contrasena", "/ingreso/mipres", "/salir"} <= set(paths)
    for path in paths:
        for attack, (fields, headers) in attacks.items():
            answer = await client.post(path, data=fields, headers=headers)
            assert answer.status_code == 403, (path, attack)
    later = FORM_LIFETIME_SECONDS + 60
    now = TimestampSigner.get_timestamp
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda signer: now(signer) + later)
    for path in paths:
        answer = await client.post(path, data={"csrf_token": own})
        assert answer.status_code == 403, (path, "expired token")


async def test_a_form_of_before_another_login_does_nothing(
    open_client: OpenClient, make_app: Callable[..., FastAPI]
) -> None:
    """A login begins a new visit; what another tab drew before it has no effect."""
    client = await open_client()
    drawn = await token_of(client)
    name = Cookies(https=False).name("visita")
    client.cookies.delete(name)
    client.cookies.set(name, new_visit())
    for path in forms(make_app()):
        answer = await client.post(path, data={"csrf_token": drawn})
        assert answer.status_code == 403, path


def test_the_security_page_says_what_each_form_acts_on(make_app: Callable[..., FastAPI]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(/[^`]+)` \| [^|]+ \| [^|]+ \|$", page, re.MULTILINE)
    assert sorted(
        re.sub(r"\{(\w+)\}", lambda match: PARAMETERS.get(match[1], "x"), path) for path in listed
    ) == sorted(forms(make_app()))
