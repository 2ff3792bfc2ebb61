"""The SMTP side: takes messages, refuses recipients, or is not there at all."""

import asyncio
import contextlib
import re
import weakref
from enum import StrEnum
from typing import Annotated, cast

from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from dev.mail_catcher.inbox import Inbox
from dev.serving import open_listener, port_of

MAX_MESSAGE_BYTES = 25 * 1024 * 1024
# Well within a mail client's twenty, also on a busy machine: a message must not become a failed one.
SLOW_SECONDS = 10.0
ACCEPTED = "250 OK"
# Longer than any delay of a script, so that only the script decides when a session ends.
SESSION_SECONDS = 2 * 60 * 60


class Mode(StrEnum):
    """How the SMTP side behaves.

    Attributes:
        UP: It takes every message.
        REJECT: It refuses every recipient for good (550).
        DOWN: Nothing listens on its port.
        SLOW: It takes every message, and says so only some seconds later or when the mode changes.
        SCRIPT: It answers as its script says.
    """

    UP = "up"
    REJECT = "reject"
    DOWN = "down"
    SLOW = "slow"
    SCRIPT = "script"


Reply = Annotated[str, StringConstraints(pattern=r"^[2-5][0-9]{2} [ -~]{1,400}$")]


class Script(BaseModel):
    """What the SMTP side answers in mode SCRIPT.

    Attributes:
        rcpt: Reply to a recipient.
        data: Reply to the final dot; the message is kept if it begins with 2.
        data_delay_ms: Pause before that reply; it ends when the mode changes.
        drop_after_data: Close the connection instead of that reply.
        only: Regular expression of the recipients that the script is about; all others are taken.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rcpt: Reply = ACCEPTED
    data: Reply = ACCEPTED
    data_delay_ms: int = Field(default=0, ge=0, le=3_600_000)
    drop_after_data: bool = False
    only: re.Pattern[str] = re.compile("")

    def is_about(self, *addresses: str) -> bool:
        return any(self.only.search(address) for address in addresses)


class Postman:
    """What aiosmtpd asks at each step of a delivery; it calls these by name."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._mode = Mode.UP
        self._script = Script()
        self._changed = asyncio.Event()

    @property
    def mode(self) -> Mode:
        return self._mode

    @property
    def script(self) -> Script:
        return self._script

    def change(self, mode: Mode, script: Script) -> None:
        """Behave so from now on, also towards those who wait for a reply."""
        self._mode, self._script = mode, script
        self._changed.set()
        self._changed = asyncio.Event()

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        reply = self._reply_to_recipient(address)
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        script = self._script_for(envelope)
        if script.data.startswith("2"):
            try:
                self._inbox.add(_trace(envelope) + (envelope.original_content or b""))
            except OSError:
                return "452 4.3.1 The message could not be stored"
        await self._wait(SLOW_SECONDS if self.mode is Mode.SLOW else script.data_delay_ms / 1000)
        if script.drop_after_data:
            _abort(server)
        return script.data

    def _reply_to_recipient(self, address: str) -> str:
        if self.mode in {Mode.REJECT, Mode.DOWN}:
            return "550 5.1.1 Recipient refused on purpose"
        if self.mode is Mode.SCRIPT and self._script.is_about(address):
            return self._script.rcpt
        return ACCEPTED

    def _script_for(self, envelope: Envelope) -> Script:
        if self.mode is Mode.SCRIPT and self._script.is_about(*envelope.rcpt_tos):
            return self._script
        return Script()

    async def _wait(self, seconds: float) -> None:
        if seconds:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), seconds)


def _abort(session: SMTP) -> None:
    # uvloop's transports are none of asyncio's classes, only alike.
    if session.transport is not None:
        cast("asyncio.Transport", session.transport).abort()


def _trace(envelope: Envelope) -> bytes:
    """Headers that name the envelope, which can differ from the message's own."""
    lines = [f"Return-Path: <{envelope.mail_from or ''}>"]
    lines += [f"Delivered-To: {address}" for address in envelope.rcpt_tos]
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "surrogateescape")


class SmtpDesk:
    """Opens and closes the SMTP port, and keeps the mode."""

    def __init__(self, inbox: Inbox, *, host: str, port: int) -> None:
        self._postman = Postman(inbox)
        self._host = host
        self._server: asyncio.Server | None = None
        self._sessions: weakref.WeakSet[SMTP] = weakref.WeakSet()
        self.port = port

    @property
    def mode(self) -> Mode:
        return self._postman.mode

    @property
    def script(self) -> Script:
        return self._postman.script

    async def open(self) -> None:
        """Listen, on the same port as before.

        Raises:
            PortUnavailableError: if something else has the port.
        """
        if self._server:
            return
        listener = open_listener(self._host, self.port, option="--smtp-port")
        self.port = port_of(listener)
        self._server = await asyncio.get_running_loop().create_server(self._session, sock=listener)

    def close(self) -> None:
        """Stop listening and cut what is being said."""
        if self._server:
            self._server.close()
            self._server = None
        for session in self._sessions:
            _abort(session)

    async def set_mode(self, mode: Mode, script: Script | None = None) -> None:
        if mode is Mode.DOWN:
            self.close()
        else:
            await self.open()
        self._postman.change(mode, script or Script())

    def _session(self) -> SMTP:
        session = SMTP(
            self._postman,
            data_size_limit=MAX_MESSAGE_BYTES,
            enable_SMTPUTF8=True,
            timeout=SESSION_SECONDS,
            hostname="buzon.localhost",
            ident="Buzon de desarrollo",
            loop=asyncio.get_running_loop(),
        )
        self._sessions.add(session)
        return session
