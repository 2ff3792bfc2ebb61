"""`/captcha/…`: the picture and the recording of a challenge."""

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Response

from api.deps import PUBLIC, Services, ServicesDep, limited
from mipres.captcha.picture import draw_image
from mipres.captcha.recording import speak
from mipres.domain.limits import CAPTCHAS

router = APIRouter(prefix="/captcha", include_in_schema=False)


@router.get("", dependencies=[PUBLIC, limited(CAPTCHAS)])
async def new_challenge(found: ServicesDep) -> dict[str, str]:
    """Another challenge for a form that is on the screen."""
    if found.captcha is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return {"challenge": found.captcha.new()}


@router.get("/{challenge}.png", dependencies=[PUBLIC, limited(CAPTCHAS)])
async def image(challenge: str, found: ServicesDep) -> Response:
    # Drawing is pure computation; in a thread it holds up nobody else.
    content = await asyncio.to_thread(draw_image, _code(found, challenge))
    return Response(content, media_type="image/png")


@router.get("/{challenge}.wav", dependencies=[PUBLIC, limited(CAPTCHAS)])
async def audio(challenge: str, found: ServicesDep) -> Response:
    content = await asyncio.to_thread(speak, _code(found, challenge))
    return Response(content, media_type="audio/wav")


def _code(found: Services, challenge: str) -> str:
    code = found.captcha.code_of(challenge) if found.captcha else None
    if code is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return code
