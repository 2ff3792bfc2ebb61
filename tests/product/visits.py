"""What people do in a browser, as plain requests.

Fill in a form, open a link, log in.
"""

import re
from collections.abc import Mapping

import httpx2

from dev import citizen
from dev.citizen import create_password
from tests.product.conftest import PASSWORD, Product, csrf_of


async def submit_form(
    product: Product, visitor: httpx2.AsyncClient, slug: str, fields: Mapping[str, str]
) -> httpx2.Response:
    """Open a registration form, solve its captcha, accept the declaration and send it."""
    page = await visitor.get(f"/registro/{slug}")
    sent = {**solved(product, page), "acepta_datos": "SI", **fields}
    return await visitor.post(f"/registro/{slug}", data=sent)


def solved(product: Product, page: httpx2.Response) -> dict[str, str]:
    """The hidden fields of a form, and its captcha with the right answer."""
    challenge = page.text.partition('name="captcha_id" value="')[2].partition('"')[0]
    return {
        "csrf_token": csrf_of(page),
        "captcha_id": challenge,
        "captcha": product.captcha_code(page.text),
    }


async def set_password(visitor: httpx2.AsyncClient, link: str, password: str = PASSWORD) -> httpx2.Response:
    return await create_password(visitor, link, password)


async def log_in(
    visitor: httpx2.AsyncClient, person: Mapping[str, object], password: str = PASSWORD, door: str = "mipres"
) -> httpx2.Response:
    return await citizen.log_in(visitor, login_of(person), password, door=door)


async def ask_recovery(
    product: Product, visitor: httpx2.AsyncClient, document: Mapping[str, str]
) -> httpx2.Response:
    page = await visitor.get("/contrasena/recuperar")
    typed = {"tipo_documento": document["type"], "numero_documento": document["number"]}
    return await visitor.post("/contrasena/recuperar", data={**solved(product, page), **typed})


def without_random(page: httpx2.Response) -> str:
    """A page without its form token and its passkey challenge, which are random."""
    return re.sub(r'data-options="[^"]*"', "", page.text.replace(csrf_of(page), "TOKEN"))


def login_of(person: Mapping[str, object]) -> str:
    document = person["document"]
    assert isinstance(document, dict)
    return f"{document['type']}{document['number']}"


def professional_form(person: Mapping[str, object]) -> dict[str, str]:
    document = person["document"]
    assert isinstance(document, dict)
    return {
        "tipo_documento": document["type"],
        "numero_documento": document["number"],
        "registro_profesional": "76-1234",
    }
