"""`/codec/…`: lets support read encrypted payloads in Temporal's interface."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated

import structlog
from fastapi import APIRouter, HTTPException, Path, Request, Response
from google.protobuf.json_format import MessageToJson, Parse, ParseError
from temporalio.api.common.v1 import Payload, Payloads

from api.errors import cross_origin_headers
from api.protection import CODEC_READER, PUBLIC, StaffDep
from api.services import CodecDep, CodecServices
from mipres.domain.audit import ReasonRefusedError, checked_reason
from mipres.support.decoded import is_personal, logins_in, reference_in
from mipres.support.readings import Reading
from mipres.temporal.codec import SCOPE, UntrustedPayloadError

log = structlog.get_logger()

PREFIX = "/codec"
# Temporal's interface may send a whole history at once.
MAX_BODY_BYTES = 2 * 1024 * 1024
# An operator writes a reason and sends it at once.
_REASON_LIVES_SECONDS = 600.0
router = APIRouter(prefix=PREFIX, include_in_schema=False)

_PLAIN = b"json/plain"
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
    """Decrypt payloads of registrations that the session gave a reason for.

    What none of the keys opens comes back as it was.
    """
    payloads = await _payloads(request, services)
    opened = [_opened(services, payload) for payload in payloads]
    readings = [
        _reading(payload, data) for payload, data in zip(payloads, opened, strict=True) if data is not None
    ]
    reasons = await services.readings.reasons(member, {item.reference for item in readings if item.reference})
    # Before the answer: a reading that leaves no trail must not happen.
    await services.readings.record(member, [item for item in readings if _is_open(item, reasons)], reasons)
    judged = iter(readings)
    answers = [
        payload
        if data is None
        else data
        if _is_open(item := next(judged), reasons)
        else _closed(services, item)
        for payload, data in zip(payloads, opened, strict=True)
    ]
    return _answer(services, answers)


@router.post("/encode", dependencies=[CODEC_READER])
async def encode(request: Request, services: CodecDep, member: StaffDep) -> Response:
    """Seal the reason of an update that is sent from Temporal's interface.

    The updates take a reason and nothing else. The interface does not say for which workflow, so the seal
    names the member, lives for minutes, and no process takes it for anything but the argument of an update.
    """
    reasons = [_reason(payload) for payload in await _payloads(request, services)]
    await services.readings.record_sealed(member, reasons)
    sealed = [
        services.codec.seal_for_operator(
            _text(reason), actor=member.name, lifetime_seconds=_REASON_LIVES_SECONDS
        )
        for reason in reasons
    ]
    return _answer(services, sealed)


_ONLY_REASONS = "Solo se firma el motivo de una actualización"


def _reason(payload: Payload) -> str:
    try:
        text = json.loads(payload.data)
        if payload.metadata.get("encoding") != _PLAIN or not isinstance(text, str):
            raise HTTPException(HTTPStatus.BAD_REQUEST, _ONLY_REASONS)
        return checked_reason(text)
    except (ValueError, RecursionError):
        raise HTTPException(HTTPStatus.BAD_REQUEST, _ONLY_REASONS) from None
    except ReasonRefusedError as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, str(error)) from None


def _reading(payload: Payload, data: Payload) -> Reading:
    scope = payload.metadata.get(SCOPE, b"").decode(errors="replace")
    return Reading(reference=reference_in(scope), logins=logins_in(data.data), is_personal=is_personal(data))


def _is_open(item: Reading, reasons: Mapping[str, str]) -> bool:
    """Whether the session may read it.

    What may be about the person of a registration needs a reason. Whatever belongs to none must not name a person.
    """
    if item.reference is None:
        return not item.logins
    return not item.is_personal or item.reference in reasons


def _closed(services: CodecServices, item: Reading) -> Payload:
    """Say instead of the data where a reason opens them."""
    place = f"/soporte/registro/{item.reference}" if item.reference else "/soporte"
    return _text(f"Dé un motivo en {services.public_url}{place} («Mostrar los datos») para leer esto")


def _text(text: str) -> Payload:
    return Payload(metadata={"encoding": _PLAIN}, data=json.dumps(text, ensure_ascii=False).encode())


async def _payloads(request: Request, services: CodecServices) -> list[Payload]:
    namespace = request.headers.get("x-namespace")
    if namespace not in {None, services.temporal_namespace}:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    try:
        return list(Parse(await request.body(), Payloads()).payloads)
    except (ParseError, UnicodeDecodeError):
        raise HTTPException(HTTPStatus.BAD_REQUEST) from None


def _opened(services: CodecServices, payload: Payload) -> Payload | None:
    try:
        return services.codec.open(payload)
    except UntrustedPayloadError:
        log.warning("payload_not_decoded")
        return None


def _answer(services: CodecServices, payloads: list[Payload]) -> Response:
    return Response(
        MessageToJson(Payloads(payloads=payloads), indent=None),
        media_type="application/json",
        headers=cross_origin_headers(services.temporal_ui_origin),
    )
