"""The SMTP side: takes messages, refuses recipients, or is not there at all."""

import asyncio
import contextlib
import weakref
from enum import StrEnum
from typing import cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from dev.mail_catcher.inbox import Inbox
from dev.serving import open_listener, port_of

MAX_MESSAGE_BYTES = 25 * 1024 * 1024
# Well within a mail client's twenty, also on a busy machine: a message must not become a failed one.
SLOW_SECONDS = 10.0


class Mode(StrEnum):
    """How the SMTP side behaves.

    Attributes:
        UP: It takes every message.
        REJECT: It refuses every recipient for good (550).
        DOWN: Nothing listens on its port.
        SLOW: It takes every message, and says so only some seconds later or when the mode changes.
    """

    UP = "up"
    REJECT = "reject"
    DOWN = "down"
    SLOW = "slow"


class Postman:
    """What aiosmtpd asks at each step of a delivery; it calls these by name."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._mode = Mode.UP
        self._changed = asyncio.Event()

    @property
    def mode(self) -> Mode:
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._mode = mode
        self._changed.set()
        self._changed = asyncio.Event()

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.mode not in {Mode.UP, Mode.SLOW}:
            return "550 5.1.1 Recipient refused on purpose"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.original_content or b""
        try:
            self._inbox.add(_trace(envelope) + content)
        except OSError:
            return "452 4.3.1 The message could not be stored"
        if self.mode is Mode.SLOW:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), SLOW_SECONDS)
        return "250 OK"


def _trace(envelope: Envelope) -> bytes:
    """Headers that name the envelope, which can differ from what the message says of itself."""
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
            # uvloop's transports are none of asyncio's classes, only alike.
            if session.transport is not None:
                cast("asyncio.Transport", session.transport).abort()

    async def set_mode(self, mode: Mode) -> None:
        if mode is Mode.DOWN:
            self.close()
        else:
            await self.open()
        self._postman.mode = mode

    def _session(self) -> SMTP:
        session = SMTP(
            self._postman,
            data_size_limit=MAX_MESSAGE_BYTES,
            enable_SMTPUTF8=True,
            hostname="buzon.localhost",
            ident="Buzon de desarrollo",
            loop=asyncio.get_running_loop(),
        )
        self._sessions.add(session)
        return session
