"""`/ayuda`, `/privacidad`, `/accesibilidad` and the addresses that browsers know."""

from datetime import timedelta
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.protection import LOOKS, PUBLIC
from api.services import HelpDep
from mipres.domain.lockout import LONGEST_LOCK
from mipres.domain.outcomes import RETHUS_SITE

router = APIRouter(include_in_schema=False)

_LOCK_MINUTES = LONGEST_LOCK // timedelta(minutes=1)


@router.api_route("/ayuda", methods=LOOKS, dependencies=[PUBLIC])
async def show_help(request: Request, services: HelpDep) -> Response:
    return services.pages.render(
        request, "help", facts=services.facts, rethus_site=RETHUS_SITE, lock_minutes=_LOCK_MINUTES
    )


@router.api_route("/privacidad", methods=LOOKS, dependencies=[PUBLIC])
async def show_privacy(request: Request, services: HelpDep) -> Response:
    return services.pages.render(request, "privacy", facts=services.facts)


@router.api_route("/accesibilidad", methods=LOOKS, dependencies=[PUBLIC])
async def show_accessibility(request: Request, services: HelpDep) -> Response:
    return services.pages.render(request, "accessibility", facts=services.facts)


@router.api_route("/.well-known/change-password", methods=LOOKS, dependencies=[PUBLIC])
async def lead_to_password() -> Response:
    """Lead a password manager to the page that changes the password."""
    return RedirectResponse("/cuenta/contrasena", status_code=HTTPStatus.FOUND)


@router.api_route("/favicon.ico", methods=LOOKS, dependencies=[PUBLIC])
async def favicon(services: HelpDep) -> Response:
    """Serve the address that browsers and search engines ask for by themselves."""
    return RedirectResponse(services.pages.static_url("icons/favicon.ico"))
