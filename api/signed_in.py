"""Who is in, in this browser: each application has a session of its own."""

from collections.abc import Sequence
from contextlib import suppress

from fastapi import Depends, Request

from api.services import LoginDep, LoginServices
from mipres.database.failures import DATABASE_ERRORS
from mipres.database.sessions import LoggedInUser
from mipres.domain.applications import Application


def session_cookie(application: Application) -> str:
    return f"sesion_{application.value}"


async def user_of(
    request: Request, services: LoginServices, application: Application, *, is_active: bool = True
) -> LoggedInUser | None:
    """Find the user of the browser's session of an application."""
    token = services.cookies.get(request, session_cookie(application))
    return await services.sessions.user_of(token, application, is_active=is_active) if token else None


async def users_of(
    request: Request, services: LoginServices, *, is_active: bool = True
) -> Sequence[LoggedInUser]:
    found = [await user_of(request, services, item, is_active=is_active) for item in Application]
    return [user for user in found if user is not None]


async def note_who_is_in(services: LoginServices, request: Request) -> None:
    """Let the page say who is in.

    A page that refreshes itself must not keep a session alive.
    """
    # What needs the database says so itself; a page that does not is shown without the name.
    with suppress(*DATABASE_ERRORS):
        request.state.signed_in = await users_of(request, services, is_active=False)


async def show_who_is_in(request: Request, services: LoginDep) -> None:
    """Let each page of a router say who is in."""
    await note_who_is_in(services, request)


WHO_IS_IN = Depends(show_who_is_in)


def user_named(users: Sequence[LoggedInUser], session_id: object) -> LoggedInUser | None:
    """Find the user whose page a form was on.

    Another tab may have logged somebody else in since.
    """
    return next((user for user in users if str(user.session_id) == session_id), None)


def own_pages(application: Application) -> tuple[str, ...]:
    """Where a login to an application may lead, its landing page first."""
    return (
        f"/inicio/{application}",
        f"/cuenta?aplicacion={application}",
        f"/cuenta/contrasena?aplicacion={application}",
    )
