"""Who is in, in this browser: each application has a session of its own."""

from collections.abc import Iterable, Sequence
from contextlib import suppress

from fastapi import Depends, Request, Response

from api.errors import SecondFactorDemandedError
from api.oidc.paths import AUTHORIZE
from api.services import LoginDep, LoginServices
from mipres.database.failures import DATABASE_ERRORS
from mipres.database.sessions import LoggedInUser
from mipres.domain.access import AccessState
from mipres.domain.applications import Application
from mipres.domain.second_factor import is_multi_factor


def session_cookie(application: Application) -> str:
    return f"sesion_{application.value}"


async def user_of(
    request: Request,
    services: LoginServices,
    application: Application,
    *,
    is_active: bool = True,
    before_factor: bool = False,
) -> LoggedInUser | None:
    """Find the user of the browser's session of an application.

    Args:
        request: Of the browser.
        services: Of the login.
        application: Whose session.
        is_active: Whether the look counts as activity.
        before_factor: Whether it is enough for a person who must have a second factor, and has shown none.

    Raises:
        SecondFactorDemandedError: the person must set one up, or show it, before anything else.
    """
    token = services.cookies.get(request, session_cookie(application))
    user = await services.sessions.user_of(token, application, is_active=is_active) if token else None
    if user is not None and not before_factor and lacks_factor(services, user):
        raise SecondFactorDemandedError(application)
    return user


def lacks_factor(services: LoginServices, user: LoggedInUser) -> bool:
    """Whether a person who must have a second factor is in without one."""
    types = [profile.user_type for profile in user.profiles if profile.state is AccessState.IN_FORCE]
    return services.factor_rule.demands(types) and not is_multi_factor(user.amr)


async def users_of(
    request: Request, services: LoginServices, *, is_active: bool = True, before_factor: bool = False
) -> Sequence[LoggedInUser]:
    found = [
        await user_of(request, services, item, is_active=is_active, before_factor=before_factor)
        for item in Application
    ]
    return [user for user in found if user is not None]


async def note_who_is_in(services: LoginServices, request: Request) -> None:
    """Let the page say who is in.

    A page that refreshes itself must not keep a session alive.
    """
    # What needs the database says so itself; a page that does not is shown without the name.
    with suppress(*DATABASE_ERRORS):
        request.state.signed_in = await users_of(request, services, is_active=False, before_factor=True)


async def show_who_is_in(request: Request, services: LoginDep) -> None:
    """Let each page of a router say who is in."""
    await note_who_is_in(services, request)


WHO_IS_IN = Depends(show_who_is_in)


def user_named(users: Sequence[LoggedInUser], session_id: object) -> LoggedInUser | None:
    """Find the user whose page a form was on.

    Another tab may have logged somebody else in since.
    """
    return next((user for user in users if str(user.session_id) == session_id), None)


async def leave(
    request: Request, services: LoginServices, response: Response, doors: Iterable[Application]
) -> None:
    """End the browser's sessions at these doors.

    The next person at this browser reads nothing of this one.
    """
    for door in doors:
        if token := services.cookies.get(request, session_cookie(door)):
            await services.sessions.end(token)
            services.cookies.drop(response, session_cookie(door))
    services.answers.forget(request, response)


def is_authorization(page: str) -> bool:
    """Whether this is the request of an application.

    It checks itself where it may lead.
    """
    return page.startswith(f"{AUTHORIZE}?") and page.isascii() and page.isprintable() and "\\" not in page


def own_pages(application: Application) -> tuple[str, ...]:
    """Where a login to an application may lead, its landing page first."""
    return (
        f"/inicio/{application}",
        f"/cuenta?aplicacion={application}",
        f"/cuenta/contrasena?aplicacion={application}",
        f"/cuenta/segundo-factor?aplicacion={application}",
    )
