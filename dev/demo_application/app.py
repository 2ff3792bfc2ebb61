"""The demonstration's pages: who is in, with which profiles and roles.

Authlib's client does the protocol; https://docs.authlib.org/en/latest/client/starlette.html.
"""

import secrets
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import jinja2
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.starlette_client import OAuth
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from joserfc.jwk import KeySet
from starlette.middleware.sessions import SessionMiddleware

from dev.demo_application.logins import Login, Logins, LogoutTokenError
from mipres.domain.submissions import UserType

SCOPE = "openid email mipres"
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True
)


@dataclass(frozen=True, kw_only=True)
class Registered:
    """How the application is known at the registry.

    Attributes:
        issuer: Public address of the registry, without a slash at its end.
        address: Public address of the application, without a slash at its end.
    """

    client_id: str
    client_secret: str = field(repr=False)
    issuer: str
    name: str
    address: str


router = APIRouter()


def create_app(application: Registered) -> FastAPI:
    app = FastAPI(title=application.name, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.application = application
    app.state.logins = Logins()
    oauth = OAuth()
    app.state.registry = oauth.register(
        "registry",
        client_id=application.client_id,
        client_secret=application.client_secret,
        server_metadata_url=f"{application.issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": SCOPE, "code_challenge_method": "S256"},
    )
    # Browsers keep one jar for all ports of a host: every application needs a name of its own.
    app.add_middleware(
        SessionMiddleware,
        secret_key=secrets.token_urlsafe(32),
        session_cookie=f"demo_{application.client_id}",
        same_site="lax",
    )
    app.include_router(router)
    return app


@router.get("/")
async def home(request: Request) -> Response:
    return _page(request)


@router.get("/ingresar")
async def log_in(request: Request) -> Response:
    """Begin a login; the registry may send people here (Core 1.0, section 4)."""
    application = _application(request)
    if request.query_params.get("iss", application.issuer) != application.issuer:
        return _page(request, problem="La dirección del registro no es la de esta aplicación.")
    callback = f"{application.address}/volver"
    redirect: Response = await request.app.state.registry.authorize_redirect(request, callback)
    return redirect


@router.get("/volver")
async def come_back(request: Request) -> Response:
    """Take the code; an answer of another issuer is refused (RFC 9207)."""
    application = _application(request)
    if request.query_params.get("iss") != application.issuer:
        return _page(request, problem="La respuesta no viene del registro.")
    registry = request.app.state.registry
    try:
        token = await registry.authorize_access_token(request)
        claims = await registry.userinfo(token=token)
    except OAuthError as error:
        return _page(request, problem=f"El registro no dejó ingresar ({error.error}).")
    _logins(request).end(request.session.get("login"))
    login = Login(claims=dict(claims), id_token=token["id_token"], sid=str(token["userinfo"]["sid"]))
    request.session.clear()
    request.session["login"] = _logins(request).open(login)
    return RedirectResponse("/", status_code=HTTPStatus.SEE_OTHER)


@router.get("/salir")
async def log_out(request: Request) -> Response:
    """End the login here and at the registry (RP-Initiated Logout 1.0)."""
    application = _application(request)
    login = _logins(request).end(request.session.pop("login", None))
    if login is None:
        return RedirectResponse("/", status_code=HTTPStatus.SEE_OTHER)
    redirect: Response = await request.app.state.registry.logout_redirect(
        request,
        post_logout_redirect_uri=f"{application.address}/",
        id_token_hint=login.id_token,
        client_id=application.client_id,
    )
    return redirect


@router.post("/cierre")
async def end_from_registry(request: Request) -> Response:
    """Back-channel logout: the registry says that a session is over."""
    application, registry = _application(request), request.app.state.registry
    async with request.form() as form:
        token = str(form.get("logout_token") or "")
    keys = KeySet.import_key_set(await registry.fetch_jwk_set(force=True))
    headers = {"Cache-Control": "no-store"}
    try:
        _logins(request).end_session(
            token, keys=keys, issuer=application.issuer, client_id=application.client_id
        )
    except LogoutTokenError:
        return Response(status_code=HTTPStatus.BAD_REQUEST, headers=headers)
    return Response(status_code=HTTPStatus.OK, headers=headers)


def _application(request: Request) -> Registered:
    application: Registered = request.app.state.application
    return application


def _logins(request: Request) -> Logins:
    logins: Logins = request.app.state.logins
    return logins


def _page(request: Request, *, problem: str | None = None) -> Response:
    login = _logins(request).of(request.session.get("login"))
    text = _TEMPLATES.get_template("page.html").render(
        application=_application(request),
        claims=login.claims if login else None,
        problem=problem,
        user_type=_user_type,
    )
    status = HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK
    return HTMLResponse(text, status_code=status, headers=PAGE_HEADERS)


def _user_type(claim: Any) -> str:
    return UserType(claim).label
