"""`/codec/…`: lets support read encrypted payloads in Temporal's interface."""

import re
from http import HTTPStatus
from typing import Annotated

import structlog
from fastapi import APIRouter, HTTPException, Path, Request, Response
from google.protobuf.json_format import MessageToJson, Parse, ParseError
from temporalio.api.common.v1 import Payload, Payloads

from api.errors import cross_origin_headers
from api.protection import CODEC_READER, PUBLIC, StaffDep
from api.services import CodecDep, CodecServices
from mipres.temporal.codec import UntrustedPayloadError

log = structlog.get_logger()

PREFIX = "/codec"
# Temporal's interface may send a whole history at once.
MAX_BODY_BYTES = 2 * 1024 * 1024
# An operator writes a reason and sends it at once.
_REASON_LIVES_SECONDS = 600.0
router = APIRouter(prefix=PREFIX, include_in_schema=False)

_REFERENCE = re.compile(rb"R[MC]-[0-9A-HJKMNP-TV-Z]{12}")
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "authorization, authorization-extras, content-type, x-namespace",
    "Access-Control-Max-Age": "600",
}
Verb = Annotated[str, Path(pattern="^(encode|decode)$")]


@router.options("/{verb}", dependencies=[PUBLIC])
async def preflight(verb: Verb, request: Request, services: CodecDep) -> Response:  # noqa: ARG001 - the path's.
    """Answer what a browser asks before it sends a request with these headers."""
    if request.headers.get("origin") != services.temporal_ui_origin:
        return Response(status_code=HTTPStatus.FORBIDDEN)
    headers = cross_origin_headers(services.temporal_ui_origin) | _PREFLIGHT
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)


@router.post("/decode", dependencies=[CODEC_READER])
async def decode(request: Request, services: CodecDep, member: StaffDep) -> Response:
    """Decrypt payloads. What none of the keys opens comes back as it was."""
    payloads = await _payloads(request, services)
    decoded = [_decoded(services, payload) for payload in payloads]
    references = sorted({name.decode() for item in decoded for name in _REFERENCE.findall(item.data)})
    # Before the answer: a reading that leaves no trail must not happen.
    await services.staff.note_reading(
        request.state.staff_token, member, payloads=len(decoded), references=references
    )
    return _answer(services, decoded)


@router.post("/encode", dependencies=[CODEC_READER])
async def encode(request: Request, services: CodecDep, member: StaffDep) -> Response:
    """Seal the reason of an update that is sent from Temporal's interface.

    The interface does not say for which workflow, so the seal names the member, lives for minutes, and no
    process takes it for anything but the argument of an update.
    """
    payloads = await _payloads(request, services)
    try:
        sealed = [
            services.codec.seal_for_operator(
                payload, actor=member.name, lifetime_seconds=_REASON_LIVES_SECONDS
            )
            for payload in payloads
        ]
    except ValueError:
        raise HTTPException(HTTPStatus.BAD_REQUEST) from None
    return _answer(services, sealed)


async def _payloads(request: Request, services: CodecServices) -> list[Payload]:
    namespace = request.headers.get("x-namespace")
    if namespace not in {None, services.temporal_namespace}:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    try:
        return list(Parse(await request.body(), Payloads()).payloads)
    except (ParseError, UnicodeDecodeError):
        raise HTTPException(HTTPStatus.BAD_REQUEST) from None


def _decoded(services: CodecServices, payload: Payload) -> Payload:
    try:
        return services.codec.open(payload)
    except UntrustedPayloadError:
        log.warning("payload_not_decoded")
        return payload


def _answer(services: CodecServices, payloads: list[Payload]) -> Response:
    return Response(
        MessageToJson(Payloads(payloads=payloads), indent=None),
        media_type="application/json",
        headers=cross_origin_headers(services.temporal_ui_origin),
    )
