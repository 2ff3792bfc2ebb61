"""`/health/…`: is the process alive, and can it serve?"""

from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.deps import PUBLIC, ServicesDep

router = APIRouter(prefix="/health", include_in_schema=False)


@router.get("/live", dependencies=[PUBLIC])
async def live() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/ready", dependencies=[PUBLIC])
async def ready(found: ServicesDep) -> JSONResponse:
    """200 when the database and Temporal answer, else 503 with what does not."""
    checks = {
        "database": await found.accounts.is_reachable(),
        "temporal": await found.registrations.is_reachable(),
    }
    status = HTTPStatus.OK if all(checks.values()) else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse({name: "ok" if fine else "down" for name, fine in checks.items()}, status_code=status)
