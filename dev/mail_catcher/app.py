"""The catcher's HTTP side.

The read side of Mailpit's API, the control API and the pages.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Self

import jinja2
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, model_validator

from dev.mail_catcher.inbox import Inbox
from dev.mail_catcher.messages import Listing, Message
from dev.mail_catcher.smtp import Mode, Script, SmtpDesk
from dev.serving import PortUnavailableError

PAGE_SIZE = 50
# Colombia has no daylight saving time, and a bare container may have no time-zone database.
BOGOTA = timezone(timedelta(hours=-5))
MODE_LABELS: Mapping[Mode, str] = {
    Mode.UP: "recibe correo",
    Mode.REJECT: "rechaza a todos los destinatarios (550)",
    Mode.DOWN: "caído: no acepta conexiones SMTP",
    Mode.SLOW: "lento: recibe el mensaje y tarda en confirmarlo",
    Mode.SCRIPT: "responde según un guion",
}

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; img-src data:; base-uri 'none'",
    "Cache-Control": "no-store",
}
# A mail's links have to open as they would from a real mail program: in a tab of their own, with none of
# the sandbox's limits, while the mail itself can run nothing and fetch nothing.
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
MAIL_HEADERS = {
    "Content-Security-Policy": (
        f"sandbox {SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
_HEAD = re.compile(r"<head(\s[^>]*)?>", re.IGNORECASE)
_NEW_TAB = '<base target="_blank">'


class Control(Script):
    """Body of `PUT /_control`: the mode and, for `script`, what it answers."""

    mode: Mode

    @model_validator(mode="after")
    def _only_a_script_has_answers(self) -> Self:
        if self.mode is not Mode.SCRIPT and self.model_fields_set != {"mode"}:
            raise ValueError("only the mode `script` has answers")
        return self


def create_app(inbox: Inbox, desk: SmtpDesk) -> FastAPI:
    app = FastAPI(title="Buzón de desarrollo", docs_url=None, redoc_url=None)
    app.state.inbox = inbox
    app.state.desk = desk
    for router in (_api, _control, _pages):
        app.include_router(router)
    return app


def _inbox(request: Request) -> Inbox:
    inbox: Inbox = request.app.state.inbox
    return inbox


def _desk(request: Request) -> SmtpDesk:
    desk: SmtpDesk = request.app.state.desk
    return desk


TheInbox = Annotated[Inbox, Depends(_inbox)]
TheDesk = Annotated[SmtpDesk, Depends(_desk)]


Start = Annotated[int, Query(ge=0)]

_api = APIRouter(prefix="/api/v1")
_control = APIRouter(prefix="/_control")
_pages = APIRouter(default_response_class=HTMLResponse)
_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _local_time(moment: datetime) -> str:
    return f"{moment.astimezone(BOGOTA):%Y-%m-%d %H:%M:%S}"


_templates.filters["local_time"] = _local_time


@_api.get("/messages", response_model=Listing)
async def list_messages(
    inbox: TheInbox, start: Start = 0, limit: Annotated[int | None, Query(ge=0)] = None
) -> Response:
    """Newest first; all of them unless `limit` is given."""
    # Programs ask for it many times a second: it is written out once, not checked against its own model again.
    return _json(inbox.listing(start=start, limit=limit))


@_api.delete("/messages")
async def delete_messages(inbox: TheInbox) -> Response:
    inbox.clear()
    return Response("ok", media_type="text/plain")


@_api.get("/message/{message_id}", response_model=Message)
async def read_message(message_id: str, inbox: TheInbox) -> Response:
    return _json(_found(message_id, inbox))


@_control.get("", response_model_exclude_defaults=True)
async def read_mode(desk: TheDesk) -> Control:
    if desk.mode is not Mode.SCRIPT:
        return Control(mode=desk.mode)
    return Control(mode=desk.mode, **desk.script.model_dump())


@_control.put("", response_model_exclude_defaults=True)
async def set_mode(desk: TheDesk, control: Control) -> Control:
    try:
        await desk.set_mode(control.mode, Script(**control.model_dump(exclude={"mode"})))
    except PortUnavailableError as error:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error
    return control


@_pages.get("/")
async def list_page(inbox: TheInbox, desk: TheDesk, start: Start = 0) -> Response:
    return _page(
        "list.html",
        listing=inbox.listing(start=start, limit=PAGE_SIZE),
        start=start,
        page_size=PAGE_SIZE,
        mode=desk.mode,
        mode_label=MODE_LABELS[desk.mode],
        smtp_port=desk.port,
    )


@_pages.get("/mensajes/{message_id}")
async def message_page(message_id: str, inbox: TheInbox) -> Response:
    return _page("message.html", message=_found(message_id, inbox), sandbox=SANDBOX)


@_pages.get("/mensajes/{message_id}/html")
async def message_html(message_id: str, inbox: TheInbox) -> Response:
    return HTMLResponse(_in_new_tab(_found(message_id, inbox).HTML), headers=MAIL_HEADERS)


def _found(message_id: str, inbox: Inbox) -> Message:
    message = inbox.message(message_id)
    if message is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "No existe ese mensaje")
    return message


def _json(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(), media_type="application/json")


def _page(name: str, **values: object) -> Response:
    return HTMLResponse(_templates.get_template(name).render(values), headers=PAGE_HEADERS)


def _in_new_tab(document: str) -> str:
    """Make links open a new tab, without moving a doctype from its place at the top."""
    head = _HEAD.search(document)
    cut = head.end() if head else 0
    return document[:cut] + _NEW_TAB + document[cut:]
