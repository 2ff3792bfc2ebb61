"""`/`: choose the type of user."""

from fastapi import APIRouter, Request, Response

from api.deps import PUBLIC, ServicesDep
from mipres.domain.submissions import UserType

router = APIRouter(include_in_schema=False)


@router.get("/", dependencies=[PUBLIC])
async def home(request: Request, found: ServicesDep) -> Response:
    return found.pages.render(request, "home", user_types=tuple(UserType))
