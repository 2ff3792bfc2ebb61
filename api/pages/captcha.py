"""`/captcha/…`: the picture, the recording and the work of a challenge."""

import asyncio
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response

from api.protection import PUBLIC, READS, limited
from api.services import RegistrationDep, RegistrationServices
from mipres.captcha.picture import draw_image
from mipres.captcha.recording import speak
from mipres.domain.limits import CAPTCHAS

router = APIRouter(prefix="/captcha", include_in_schema=False)


@router.api_route("", methods=READS, dependencies=[PUBLIC, limited(CAPTCHAS)])
async def another_challenge(request: Request, services: RegistrationDep, de: str = "") -> dict[str, str]:
    """Make another challenge for the form that shows the challenge `de`."""
    challenge = services.captcha.another(request, de)
    if challenge is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return {"challenge": challenge}


@router.api_route("/prueba", methods=READS, dependencies=[PUBLIC, limited(CAPTCHAS)])
async def work(request: Request, services: RegistrationDep, de: str = "") -> dict[str, Any]:
    """Set the work that answers for the form that shows the challenge `de`."""
    proofs, challenge = services.captcha.proofs, services.captcha.another(request, de)
    if proofs is None or challenge is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return await asyncio.to_thread(proofs.set_work, challenge)


@router.api_route("/{challenge}.png", methods=READS, dependencies=[PUBLIC, limited(CAPTCHAS)])
async def image(challenge: str, services: RegistrationDep) -> Response:
    # Drawing is pure computation, which a thread keeps out of the event loop.
    content = await asyncio.to_thread(draw_image, _code(services, challenge))
    return Response(content, media_type="image/png")


@router.api_route("/{challenge}.wav", methods=READS, dependencies=[PUBLIC, limited(CAPTCHAS)])
async def audio(challenge: str, services: RegistrationDep) -> Response:
    content = await asyncio.to_thread(speak, _code(services, challenge))
    return Response(content, media_type="audio/wav")


def _code(services: RegistrationServices, challenge: str) -> str:
    challenges = services.captcha.challenges
    code = challenges.code_of(challenge) if challenges else None
    if code is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return code
