"""`/health/…`: is the process alive, and can it serve? `/metrics`: how is it doing?"""

from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from api.deps import METRICS_KEY_REQUIRED, PUBLIC, ServicesDep
from mipres.database.engine import is_reachable

router = APIRouter(include_in_schema=False)


@router.get("/health/live", dependencies=[PUBLIC])
async def live() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/health/ready", dependencies=[PUBLIC])
async def ready(found: ServicesDep) -> JSONResponse:
    """200 when the database and Temporal answer, else 503 with what does not."""
    checks = {
        "database": await is_reachable(found.engine),
        "temporal": await found.registrations.is_reachable(),
    }
    status = HTTPStatus.OK if all(checks.values()) else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse({name: "ok" if fine else "down" for name, fine in checks.items()}, status_code=status)


@router.get("/metrics", dependencies=[METRICS_KEY_REQUIRED])
async def metrics(found: ServicesDep) -> Response:
    """This process's counts, and what Temporal knows of all registrations, for Prometheus."""
    return Response(await found.metrics.text(found.backlog), media_type=CONTENT_TYPE_LATEST)
