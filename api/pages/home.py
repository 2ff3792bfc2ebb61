"""`/`: choose the type of user."""

from fastapi import APIRouter, Request, Response

from api.protection import LOOKS, PUBLIC
from api.services import PagesDep
from mipres.domain.submissions import UserType

router = APIRouter(include_in_schema=False)


@router.api_route("/", methods=LOOKS, dependencies=[PUBLIC])
async def home(request: Request, pages: PagesDep) -> Response:
    return pages.render(request, "home", user_types=tuple(UserType))
