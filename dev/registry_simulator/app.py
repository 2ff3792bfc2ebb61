"""The simulator's HTTP side.

The registries' paths, the control API and a page that shows both.
"""

import asyncio
import hmac
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, TypeVar

import jinja2
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel
from uvicorn.protocols.http.h11_impl import H11Protocol

from dev.registry_simulator.calls import CallBook, CallSummary
from dev.registry_simulator.modes import (
    Behaviour,
    ConnectionDropError,
    GarbageError,
    Misbehaviour,
    Mode,
    Registry,
)
from dev.registry_simulator.people import (
    DelegateAnswer,
    Department,
    EntityKind,
    Municipality,
    Person,
    PersonAnswer,
    Placement,
    Regime,
    RethusEntry,
)
from dev.registry_simulator.raw import RawAnswer, RawAnswerGivenError
from dev.registry_simulator.seed import USER_TYPE_LABELS, seed_rows
from dev.registry_simulator.store import Store

T = TypeVar("T")

DROP_EXTENSION = "mipres.drop_connection"
MODE_LABELS: Mapping[Mode, str] = {
    Mode.UP: "en servicio",
    Mode.DOWN: "caído: cierra la conexión sin responder",
    Mode.ERROR: "responde error 500",
    Mode.SLOW: "lento",
    Mode.FLAKY: "falla a veces",
    Mode.GARBAGE: "responde contenido inválido",
    Mode.HELD: "retiene las respuestas hasta que se le cambie el modo",
}


class DroppableProtocol(H11Protocol):
    """Lets an application close the connection without an answer."""

    def handle_events(self) -> None:
        super().handle_events()
        # The application starts in the loop's next turn, and finds this in its scope.
        if self.scope is not None:
            self.scope["extensions"] = {DROP_EXTENSION: {"drop": self.transport.abort}}


@dataclass(kw_only=True)
class Simulator:
    """Everything the routes work on; one for each application."""

    store: Store = field(default_factory=Store)
    calls: CallBook = field(default_factory=CallBook)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    randomness: random.Random = field(default_factory=random.SystemRandom)
    token: str | None = None

    def __post_init__(self) -> None:
        self.misbehaviour = Misbehaviour(stopping=self.stopping, randomness=self.randomness)


class Saved(BaseModel):
    saved: int


class NotRegisteredError(Exception):
    """The registry has no such person, entity or placement."""


def create_app(simulator: Simulator) -> FastAPI:
    """Build the application around one simulator."""
    app = FastAPI(title="Simulador de registros", docs_url=None, redoc_url=None)
    app.state.simulator = simulator
    app.add_exception_handler(ConnectionDropError, _drop_connection)
    app.add_exception_handler(GarbageError, _answer_garbage)
    app.add_exception_handler(RawAnswerGivenError, _answer_raw)
    app.add_exception_handler(NotRegisteredError, _answer_not_found)
    for router in (_miseguridadsocial, _rethus, _sso, _control, _pages):
        app.include_router(router)
    return app


def _simulator(request: Request) -> Simulator:
    simulator: Simulator = request.app.state.simulator
    return simulator


Here = Annotated[Simulator, Depends(_simulator)]


async def _drop_connection(request: Request, _error: Exception) -> Response:
    extension = request.scope.get("extensions", {}).get(DROP_EXTENSION)
    if extension:
        extension["drop"]()
        # One turn of the loop lets the server notice, so that it discards what follows.
        await asyncio.sleep(0)
    return JSONResponse({"detail": "No disponible"}, HTTPStatus.SERVICE_UNAVAILABLE)


async def _answer_garbage(_request: Request, error: Exception) -> Response:
    if not isinstance(error, GarbageError):
        raise error
    return Response(error.body, media_type=error.media_type)


async def _answer_raw(request: Request, error: Exception) -> Response:
    if not isinstance(error, RawAnswerGivenError):
        raise error
    return await _drop_connection(request, error) if error.answer.close else error.answer.response()


async def _answer_not_found(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"code": "not_found", "detail": "No se encuentra registrado"}, HTTPStatus.NOT_FOUND)


def _calling(registry: Registry) -> Callable[..., Awaitable[None]]:
    """Count a call, then give its raw answer, fail as the mode says or check it."""

    async def call(request: Request, here: Here) -> None:
        here.calls.record(registry, _document(**request.path_params))
        raw = here.store.raw_answer(
            registry, request.url.path.removeprefix(f"/{registry}"), request.url.query
        )
        if raw:
            await here.misbehaviour.wait(raw.delay_ms / 1000)
            raise RawAnswerGivenError(raw)
        await here.misbehaviour.apply(registry, here.store.modes[registry])
        if here.token and not _authorised(request, here.token):
            raise HTTPException(HTTPStatus.UNAUTHORIZED, "Token inválido", {"WWW-Authenticate": "Bearer"})

    return call


def _authorised(request: Request, token: str) -> bool:
    given = request.headers.get("authorization", "")
    return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())


def _document(document_type: str, number: str, **_others: str) -> str:
    return f"{document_type} {number}"


def _found(document_type: str, number: str, here: Here) -> Person:
    return _or_404(here.store.person(_document(document_type, number)))


def _or_404(found: T | None) -> T:
    if found is None:
        raise NotRegisteredError
    return found


Found = Annotated[Person, Depends(_found)]


def _registry(registry: Registry) -> APIRouter:
    return APIRouter(prefix=f"/{registry}", dependencies=[Depends(_calling(registry))])


_miseguridadsocial = _registry(Registry.MISEGURIDADSOCIAL)
_rethus = _registry(Registry.RETHUS)
_sso = _registry(Registry.SSO)
_control = APIRouter(prefix="/_control")
_pages = APIRouter()


@_miseguridadsocial.get("/personas/{document_type}/{number}")
async def person_by_document(person: Found) -> PersonAnswer:
    return PersonAnswer.of(person)


@_miseguridadsocial.get("/entidades/{nit}/delegados/{document_type}/{number}")
async def delegate_of_entity(
    nit: str, person: Found, kind: EntityKind, regime: Regime | None = None
) -> DelegateAnswer:
    entity = _or_404(person.entity(nit, kind, regime))
    return DelegateAnswer(**entity.model_dump(), delegate=PersonAnswer.of(person))


@_miseguridadsocial.get("/proveedores/{document_type}/{number}")
async def natural_provider(person: Found, departamento: Department, municipio: Municipality) -> PersonAnswer:
    place = _or_404(person.provider_in)
    if (place.department, place.municipality) != (departamento, municipio):
        _or_404(None)
    return PersonAnswer.of(person)


@_rethus.get("/profesionales/{document_type}/{number}")
async def health_professional(person: Found) -> RethusEntry:
    return _or_404(person.rethus)


@_sso.get("/plazas/{document_type}/{number}")
async def placement(person: Found) -> Placement:
    return _or_404(person.sso)


@_control.get("")
async def modes(here: Here) -> Mapping[Registry, Behaviour]:
    return here.store.modes


@_control.get("/people")
async def people(here: Here) -> list[Person]:
    return list(here.store.everyone())


@_control.post("/people")
async def add_people(here: Here, people: list[Person]) -> Saved:
    here.store.add(people)
    return Saved(saved=len(people))


@_control.get("/calls")
async def calls(here: Here) -> Mapping[Registry, Mapping[str, int]]:
    """Calls of each registry by document, failed ones too: `{"rethus".

    {"CC 1020304050": 3}, …}`.
    """
    return here.calls.counts()


@_control.get("/calls/peak")
async def peak(here: Here) -> Mapping[Registry, CallSummary]:
    return here.calls.peaks()


@_control.delete("/calls", status_code=HTTPStatus.NO_CONTENT)
async def forget_calls(here: Here) -> None:
    here.calls.reset()


@_control.put("/raw/{registry}")
async def set_raw_answer(here: Here, registry: Registry, answer: RawAnswer) -> RawAnswer:
    here.store.set_raw_answer(registry, answer)
    return answer


@_control.delete("/raw/{registry}", status_code=HTTPStatus.NO_CONTENT)
async def forget_raw_answers(
    here: Here, registry: Registry, path: Annotated[str | None, Query()] = None
) -> None:
    """Take back the raw answer of one path, or all of the registry without a path."""
    here.store.forget_raw_answers(registry, path)


# Last of the control routes, so that no registry name can hide another route.
@_control.put("/{registry}")
async def set_mode(here: Here, registry: Registry, behaviour: Behaviour) -> Behaviour:
    here.store.set_mode(registry, behaviour)
    here.misbehaviour.release(registry)
    return behaviour


_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@_pages.get("/", response_class=HTMLResponse)
async def index(here: Here) -> str:
    return _templates.get_template("index.html").render(
        modes=here.store.modes,
        peaks=here.calls.peaks(),
        mode_labels=MODE_LABELS,
        rows=seed_rows(),
        user_types=USER_TYPE_LABELS,
        added=here.store.added,
    )
