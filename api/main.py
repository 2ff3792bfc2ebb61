"""One API process: from settings to adapters, services and the application."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import cache

import structlog
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.gzip import GZipMiddleware

from api import codec, errors, health, static_files
from api.composition import Composition
from api.metrics import ApiMetrics
from api.middleware import AccessLog, RequestLimits, RequestTracing, SecurityHeaders
from api.oidc import consent as oidc_consent
from api.oidc import routes as oidc
from api.pages import (
    account,
    address_change,
    answers,
    captcha,
    guidance,
    home,
    login,
    password,
    registration,
    second_factor,
    second_step,
    support,
    support_accounts,
    support_factor,
    support_joins,
    support_password,
    support_reviews,
    support_team,
)
from api.signed_in import WHO_IS_IN
from api.static_files import ImmutableStaticFiles
from api.v1 import documentation
from api.v1 import registrations as v1_registrations
from mipres import composition
from mipres.database.audit_queue import AuditQueue
from mipres.logs import configure_logging
from mipres.settings.loading import load_settings
from mipres.settings.model import Settings
from mipres.telemetry import core_lines_through_python
from mipres.temporal.connection import connect
from mipres.tracing import Tracing

# The largest form has a dozen short fields, far below this.
MAX_BODY_BYTES = 16 * 1024
MAX_HEADER_BYTES = 16 * 1024
# Such a form takes a slow telephone a second or two.
BODY_PATIENCE_SECONDS = 20.0
# Below that a packet carries it whole. Level 5 takes a third of the time of level 9, for a few bytes more.
MIN_COMPRESSED_BYTES = 1024
COMPRESSION_LEVEL = 5


# Pages of citizens, which say who is in. A router is tried after those before it: what every person opens comes first.
PAGES = (
    password.router,
    answers.router,
    home.router,
    registration.router,
    guidance.router,
    address_change.router,
    login.router,
    second_step.router,
    account.router,
    second_factor.router,
)
ROUTERS = (
    v1_registrations.router,
    captcha.router,
    health.router,
    documentation.router,
    support.router,
    # Before the pages of an account, whose addresses would take these for an action.
    support_joins.router,
    support_accounts.router,
    support_factor.router,
    support_password.router,
    support_reviews.router,
    support_team.router,
    codec.router,
    oidc.router,
    oidc_consent.router,
)


def create_app(settings: Settings) -> FastAPI:
    """Make the application.

    It opens connections when it starts, and closes them when it ends.
    """
    metrics = ApiMetrics(build=settings.worker_build)
    tracing = composition.build_tracing(settings, service="registro-mipres-api")
    app = FastAPI(
        title="Registro MIPRES",
        version="1",
        lifespan=lambda app: lifespan(app, settings, metrics, tracing),
        openapi_url="/api/openapi.json",
        # FastAPI's own pages load scripts from other sites, which the security policy forbids.
        docs_url=None,
        redoc_url=None,
        # Such a redirect would repeat any host that the request names.
        redirect_slashes=False,
        # The product traces and counts by itself, without what a path or a query may hold.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    for router in PAGES:
        app.include_router(router, dependencies=[WHO_IS_IN])
    for router in ROUTERS:
        app.include_router(router)
    app.mount(static_files.PREFIX, ImmutableStaticFiles(composition.STATIC), name="static")
    metrics.expect(every_route())
    errors.install(app)
    add_middleware(app, settings, metrics, tracing)
    return app


def every_route() -> Iterator[tuple[str, str]]:
    """Method and pattern of each route."""
    for router in (*PAGES, *ROUTERS):
        for route in router.routes:
            if isinstance(route, APIRoute):
                for method in sorted(route.methods or ()):
                    yield method, route.path


@asynccontextmanager
async def lifespan(
    app: FastAPI, settings: Settings, metrics: ApiMetrics, tracing: Tracing | None
) -> AsyncIterator[None]:
    """Hold the process's connections and services."""
    async with (
        composition.open_database(settings) as database,
        composition.refused_payloads(database, count=metrics.payload_refused) as on_refused,
    ):
        # Lazy, so that pages can say what is wrong while Temporal is away.
        client = await connect(
            dataclasses.replace(composition.temporal_connection(settings), on_refused=on_refused),
            identity="api",
            lazy=True,
            interceptors=[tracing.interceptor()] if tracing else [],
        )
        audit_queue = AuditQueue(database.audit)
        built = Composition(
            settings, client=client, database=database, metrics=metrics, audit_queue=audit_queue
        )
        app.state.services = built.services()
        try:
            yield
        finally:
            await audit_queue.finish()
    if tracing:
        await asyncio.to_thread(tracing.close)


def add_middleware(app: FastAPI, settings: Settings, metrics: ApiMetrics, tracing: Tracing | None) -> None:
    """Add what every request passes, from the inside out."""
    app.add_middleware(
        RequestLimits,
        most=MAX_BODY_BYTES,
        larger={codec.PREFIX: codec.MAX_BODY_BYTES},
        most_headers=MAX_HEADER_BYTES,
        patience_seconds=BODY_PATIENCE_SECONDS,
    )
    app.add_middleware(GZipMiddleware, minimum_size=MIN_COMPRESSED_BYTES, compresslevel=COMPRESSION_LEVEL)
    app.add_middleware(SecurityHeaders, https=settings.public_url.startswith("https:"))
    app.add_middleware(AccessLog, metrics=metrics)
    if tracing:
        app.add_middleware(RequestTracing, tracer=tracing.tracer)


def __getattr__(name: str) -> FastAPI:
    """Build the application for `uvicorn api.main:app`, and not for a mere import."""
    if name != "app":
        raise AttributeError(name)
    return _served()


@cache
def _served() -> FastAPI:
    """The application of this process; uvicorn asks for it twice."""
    configure_logging()
    core_lines_through_python()
    return create_app(load_settings(say=structlog.stdlib.get_logger("api").error))
