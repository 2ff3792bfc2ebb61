"""`/health/…` and `/metrics`: is the process alive, can it serve, how does it do?"""

from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from api.protection import METRICS_KEY_REQUIRED, PUBLIC
from api.services import OperationsDep

router = APIRouter(include_in_schema=False)


@router.get("/health/live", dependencies=[PUBLIC])
async def live() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/health/ready", dependencies=[PUBLIC])
async def ready(services: OperationsDep) -> JSONResponse:
    """Answer 200 when this process can serve, else 503 with what is missing."""
    checks = await services.readiness.checks()
    status = HTTPStatus.OK if all(checks.values()) else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse({name: "ok" if fine else "down" for name, fine in checks.items()}, status_code=status)


@router.get("/metrics", dependencies=[METRICS_KEY_REQUIRED])
async def metrics(services: OperationsDep) -> Response:
    """Render this process's counts and Temporal's figures for Prometheus."""
    return Response(await services.metrics.text(services.gauges), media_type=CONTENT_TYPE_LATEST)
