"""`/health/…` and `/metrics`: is the process alive, can it serve, how does it do?"""

from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from api.protection import METRICS_KEY_REQUIRED, PUBLIC, READS
from api.services import OperationsDep
from mipres.domain.fitness import Fitness
from mipres.version import BUILD, VERSION

router = APIRouter(include_in_schema=False)


@router.api_route("/health/live", methods=READS, dependencies=[PUBLIC])
async def live() -> dict[str, str]:
    return {"status": "ok", "version": VERSION, "build": BUILD}


@router.api_route("/health/ready", methods=READS, dependencies=[PUBLIC])
async def ready(services: OperationsDep) -> JSONResponse:
    """Answer 503 where this process does not fit what it depends on.

    During an outage of Temporal or of the database it goes on serving what it can, and so does every
    other process: taken out of service, they would show a proxy's error instead of the product's pages.
    """
    return _answer(await services.readiness.checks(), bad={Fitness.UNFIT})


@router.api_route("/health/dependencies", methods=READS, dependencies=[PUBLIC])
async def dependencies(services: OperationsDep) -> JSONResponse:
    """Answer 200 when everything that a registration needs answers and fits."""
    return _answer(await services.readiness.checks(), bad={Fitness.UNFIT, Fitness.DOWN})


def _answer(checks: dict[str, Fitness], *, bad: set[Fitness]) -> JSONResponse:
    failed = bad.intersection(checks.values())
    return JSONResponse(checks, status_code=HTTPStatus.SERVICE_UNAVAILABLE if failed else HTTPStatus.OK)


@router.api_route("/metrics", methods=READS, dependencies=[METRICS_KEY_REQUIRED])
async def metrics(services: OperationsDep) -> Response:
    """Render counts, and figures of Temporal and database, for Prometheus."""
    text = await services.metrics.text(services.gauges, services.database)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
