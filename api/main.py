"""One API process: settings → adapters → services → application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles
from temporalio.client import Client

from api import codec, errors, health
from api.access_log import AccessLog
from api.audit_queue import AuditQueue
from api.deps import Services
from api.metrics import ApiMetrics
from api.pages import captcha, home, login, password, registration, support
from api.registrations import Registrations
from api.security import Cookies, FormTokens, RequestLimits, SecurityHeaders, origin_of
from api.templating import Pages
from api.temporal_gauges import TemporalGauges
from api.tracing import RequestTracing
from api.v1 import documentation
from api.v1 import registrations as v1_registrations
from mipres import composition
from mipres.captcha.challenges import CaptchaChallenges
from mipres.composition import DatabaseServices
from mipres.database.credentials import Hasher, PostgresCredentials
from mipres.database.limits import Limits, NoLimits, PostgresLimits
from mipres.database.sessions import PostgresSessions
from mipres.domain.limits import RELAXED_TIMES
from mipres.domain.passwords import PasswordPolicy, common_passwords
from mipres.settings import Settings, load_settings
from mipres.telemetry import configure_logging
from mipres.temporal.connection import connect

# The largest form has a dozen short fields; nothing honest comes near this.
MAX_BODY_BYTES = 16 * 1024
MAX_HEADER_BYTES = 16 * 1024
# Such a form takes a slow telephone a second or two.
BODY_PATIENCE_SECONDS = 20.0


def create_app(settings: Settings) -> FastAPI:
    """The application; connections are opened when it starts and closed when it ends."""
    metrics, tracing = ApiMetrics(), composition.build_tracing(settings, service="registro-mipres-api")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Lazy, so that pages can say what is wrong while Temporal is away.
        client = await connect(
            composition.temporal_connection(settings),
            identity="api",
            lazy=True,
            interceptors=[tracing.interceptor()] if tracing else [],
        )
        async with composition.open_database(settings) as database:
            notes = AuditQueue(database.audit)
            app.state.services = build_services(settings, client, database, metrics, notes)
            try:
                yield
            finally:
                await notes.finish()
        if tracing:
            await asyncio.to_thread(tracing.close)

    app = FastAPI(
        title="Registro MIPRES",
        version="1",
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        # FastAPI's own pages load their scripts from elsewhere, which our policy forbids; see api.v1.documentation.
        docs_url=None,
        redoc_url=None,
        # Such a redirect would repeat whatever host the request names.
        redirect_slashes=False,
    )
    for router in (
        home.router,
        registration.router,
        captcha.router,
        password.router,
        login.router,
        health.router,
        documentation.router,
        v1_registrations.router,
        support.router,
        codec.router,
    ):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=composition.STATIC), name="static")
    errors.install(app)
    app.add_middleware(
        RequestLimits,
        most=MAX_BODY_BYTES,
        larger={codec.PREFIX: codec.MAX_BODY_BYTES},
        most_headers=MAX_HEADER_BYTES,
        patience_seconds=BODY_PATIENCE_SECONDS,
    )
    app.add_middleware(SecurityHeaders, https=settings.public_url.startswith("https:"))
    app.add_middleware(AccessLog, metrics=metrics)
    if tracing:
        app.add_middleware(RequestTracing, tracer=tracing.tracer)
    return app


def build_services(
    settings: Settings, client: Client, database: DatabaseServices, metrics: ApiMetrics, notes: AuditQueue
) -> Services:
    """Every service, over the process's one client and one engine."""
    engine, clock, hasher = database.engine, database.clock, Hasher()
    # Read now, so that no request waits for it.
    common_passwords()
    cookies = Cookies(https=settings.public_url.startswith("https:"))
    form_tokens = FormTokens(composition.purpose_key(settings, "form"), cookies=cookies)
    captcha_key = composition.purpose_key(settings, "captcha")
    return Services(
        registrations=Registrations(
            client,
            radicado_key=composition.purpose_key(settings, "radicado"),
            clock=clock,
            submit_wait=timedelta(seconds=settings.submit_wait_seconds),
            link_lifetime=timedelta(hours=settings.password_link_hours),
            metrics=metrics,
            notes=notes,
        ),
        engine=engine,
        accounts=composition.build_password_links(settings, database),
        credentials=PostgresCredentials(
            engine,
            hasher=hasher,
            lockouts=database.lockouts,
            audit=database.audit,
            clock=clock,
        ),
        sessions=PostgresSessions(engine, audit=database.audit, clock=clock),
        hasher=hasher,
        limits=_limits(settings, database),
        trusted_proxies=settings.trusted_proxies,
        captcha=None
        if settings.captcha == "off"
        else CaptchaChallenges(engine, key=captcha_key, clock=clock),
        pages=Pages(composition.TEMPLATES, composition.STATIC, cookies=cookies, form_tokens=form_tokens),
        cookies=cookies,
        form_tokens=form_tokens,
        metrics=metrics,
        backlog=TemporalGauges(client),
        metrics_key=settings.metrics_key.get_secret_value() if settings.metrics_key else None,
        metrics_open=settings.environment == "development",
        api_keys=tuple(key.get_secret_value() for key in settings.api_keys),
        public_url=settings.public_url,
        mail_from=settings.mail_from,
        password_policy=PasswordPolicy(settings.password_policy),
        answers_by_mail_only=settings.enumeration == "neutral",
        password_link_hours=settings.password_link_hours,
        support=composition.build_support(settings, database, client),
        staff=composition.build_staff(database, hasher),
        codec=composition.build_codec(settings),
        temporal_namespace=settings.temporal_namespace,
        temporal_ui_origin=origin_of(settings.temporal_ui_url),
    )


def _limits(settings: Settings, database: DatabaseServices) -> Limits:
    if settings.rate_limits == "off":
        return NoLimits()
    return PostgresLimits(
        database.engine,
        key=composition.purpose_key(settings, "limits"),
        clock=database.clock,
        generosity=RELAXED_TIMES if settings.rate_limits == "relaxed" else 1,
    )


def __getattr__(name: str) -> FastAPI:
    """`uvicorn api.main:app` builds the application; importing the module, as tests do, does not."""
    if name != "app":
        raise AttributeError(name)
    configure_logging()
    return create_app(load_settings())
