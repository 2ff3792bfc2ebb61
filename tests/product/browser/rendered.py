"""Pages of states that no visitor can bring about, made by the product's code."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from types import SimpleNamespace

import httpx2
from fastapi import FastAPI, HTTPException
from starlette.requests import Request

from api import errors
from api.pages import timeline
from api.registrations.ask import RegistrationView
from mipres.domain.applications import Application
from mipres.domain.outcomes import Outcome, OutcomeStatus
from mipres.domain.stages import Stage, WaitingOn
from mipres.domain.submissions import UserType
from mipres.temporal.answers import TemporalUnavailableError
from tests.product.browser.visitor import Visitor
from tests.templating import make_pages

_PAGES = make_pages()
ERRORS: dict[str, Exception] = {
    "bad-request": HTTPException(HTTPStatus.BAD_REQUEST),
    "method-not-allowed": HTTPException(HTTPStatus.METHOD_NOT_ALLOWED),
    "too-large": HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    "too-many": errors.TooManyRequestsError(timedelta(minutes=3)),
    "unexpected": RuntimeError("anything"),
    "unavailable": TemporalUnavailableError(),
}


async def error_page(error: Exception) -> str:
    """What the product's handlers say of an error."""
    app = FastAPI()
    app.state.services = SimpleNamespace(pages=_PAGES)
    errors.install(app)

    @app.get("/")
    async def fail() -> None:
        raise error

    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://mipres.test") as client:
        return (await client.get("/")).text


def status_page(stage: Stage, *waiting_on: str) -> str:
    """The status page of a registration in a stage."""
    now = datetime.now(UTC)
    view = RegistrationView(
        radicado="RM-0123456789AB",
        user_type=UserType.OTHER,
        stage=stage,
        waiting_on=tuple(WaitingOn(name) for name in waiting_on),
        submitted_at=now,
        updated_at=now,
        outcome=None if stage is Stage.CHECKING else Outcome(status=OutcomeStatus.REGISTERED),
    )
    request = Request({"type": "http", "headers": [], "path": "/"})
    page = _PAGES.render(request, "status", page=timeline.status_page(view), answer=None)
    return bytes(page.body).decode()


def received_page() -> str:
    """The page of a client that asks too much: the answer goes by mail."""
    page = _PAGES.render(Request({"type": "http", "headers": [], "path": "/"}), "received")
    return bytes(page.body).decode()


def door_page() -> str:
    """The choice of a login, for an application that serves both kinds of people."""
    links = {door: f"/ingreso/{door}" for door in Application}
    client = SimpleNamespace(client_name="Portal de la red de servicios")
    page = _PAGES.render(
        Request({"type": "http", "headers": [], "path": "/"}), "oidc_door", client=client, links=links
    )
    return bytes(page.body).decode()


def continue_page() -> str:
    """The page that leads on by itself; here it leads to its own middle."""
    request = Request({"type": "http", "headers": [], "path": "/"})
    return bytes(_PAGES.render(request, "oidc_continue", address="#contenido").body).decode()


async def show(visitor: Visitor, page: str, *, at: str = "/prueba") -> None:
    """Open a page at an address of the product, with its style and script."""
    address = f"{visitor.address}{at}"
    await visitor.page.route(
        address, lambda route: route.fulfill(body=page, content_type="text/html; charset=utf-8")
    )
    await visitor.page.goto(address)
    await visitor.page.unroute(address)
