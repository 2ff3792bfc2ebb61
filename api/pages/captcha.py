"""`/captcha/…`: the picture, the recording and the work of a challenge."""

import asyncio
from collections.abc import Callable
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
    return Response(await _made(draw_image, services, challenge), media_type="image/png")


@router.api_route("/{challenge}.wav", methods=READS, dependencies=[PUBLIC, limited(CAPTCHAS)])
async def audio(challenge: str, services: RegistrationDep) -> Response:
    return Response(await _made(speak, services, challenge), media_type="audio/wav")


async def _made(make: Callable[..., bytes], services: RegistrationServices, challenge: str) -> bytes:
    challenges = services.captcha.challenges
    code = challenges.code_of(challenge) if challenges else None
    if challenges is None or code is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    # Pure computation, which a thread keeps out of the event loop.
    return await asyncio.to_thread(make, code, random=challenges.chance_of(challenge))
