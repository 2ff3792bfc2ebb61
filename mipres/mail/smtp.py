"""Mail over SMTP, with one judgement of how a delivery ends.

A delivery is accepted, the address is wrong, the server cannot now, or the message was handed over and
the reply never came: then it is probably delivered, and another try probably makes a second copy.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

from mipres.domain.addresses import ascii_domain, is_usable
from mipres.domain.errors import (
    MailAddressRejectedError,
    MailNotAcceptedError,
    MailProbablyDeliveredError,
    MipresError,
)
from mipres.domain.identifiers import has_control_character
from mipres.domain.mail import Mail
from mipres.domain.server_faults import class_of
from mipres.mail.message import as_bytes
from mipres.mail.replies import Refusal, Step, Verdict
from mipres.ports import BeforeHandingOver

_REPLY_SECONDS: Final = 20
UNTIL_HANDED_OVER_SECONDS: Final = 45
"""How long everything before the message may take."""
FINAL_REPLY_SECONDS: Final = 600
"""RFC 5321 §4.5.3.2.6: the reply to the final dot may take ten minutes."""
KEPT_SECONDS: Final = 10.0
"""How long a connection waits for the next mail.

RFC 5321 §4.5.3.2.7: a server waits for minutes."""
_GO_AHEAD: Final = 354
_ACCEPTED: Final = range(200, 300)


class _RefusedError(MipresError):
    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(str(refusal))


class SmtpMailer:
    """Implements ports.Mailer. A connection is kept for a while for the next mail.

    Args:
        url: `smtps://`, `smtp+starttls://` (refuses without) or `smtp://` (STARTTLS as offered), with
            `user:password@` where needed.
        sender: Address in From.
        sender_name: Name beside it.
        final_reply_seconds: How long the reply to the final dot may take.
    """

    def __init__(
        self, url: str, *, sender: str, sender_name: str, final_reply_seconds: float = FINAL_REPLY_SECONDS
    ) -> None:
        self._url = urlsplit(url)
        self._sender = sender
        self._sender_name = sender_name
        self._final_reply_seconds = final_reply_seconds
        self._own_name = socket.getfqdn()
        # Made once: it reads all authorities of the machine, which takes longer than several mails.
        self._tls = None if self._url.scheme == "smtp" else ssl.create_default_context()
        self._kept: list[aiosmtplib.SMTP] = []

    def close(self) -> None:
        """End the connections that wait for another mail."""
        for client in tuple(self._kept):
            self._let_go(client)

    async def send(self, mail: Mail, *, before_handing_over: BeforeHandingOver | None = None) -> None:
        recipient = _Recipient(mail.to_address)
        content = as_bytes(
            replace(mail, to_name=_printable(mail.to_name)),
            sender=self._sender,
            sender_name=self._sender_name,
            recipient=recipient.address,
        )
        try:
            await self._deliver(recipient, content, before_handing_over)
        except _RefusedError as error:
            if error.refusal.verdict is not Verdict.ADDRESS_DOUBTFUL:
                raise _error_of(error.refusal) from None
        else:
            return
        # Some servers say so of everybody for a moment: the same word twice counts.
        try:
            await self._deliver(recipient, content, before_handing_over)
        except _RefusedError as error:
            raise _error_of(error.refusal) from None

    async def _deliver(
        self, recipient: "_Recipient", content: bytes, before_handing_over: BeforeHandingOver | None
    ) -> None:
        client = self._kept.pop() if self._kept else self._new_client()
        try:
            with _no_answer_is(MailNotAcceptedError):
                async with asyncio.timeout(UNTIL_HANDED_OVER_SECONDS):
                    await self._prepare(client, recipient)
            if before_handing_over is not None:
                await before_handing_over()
            with _no_answer_is(MailNotAcceptedError):
                protocol = self._hand_over(client, content)
            with _no_answer_is(MailProbablyDeliveredError):
                reply = await protocol.read_response(timeout=self._final_reply_seconds)
            _check(reply, Step.FINAL_DOT)
        except BaseException:
            client.close()
            raise
        self._keep(client)

    def _new_client(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._url.hostname,
            port=self._url.port,
            use_tls=self._url.scheme == "smtps",
            start_tls=True if self._url.scheme == "smtp+starttls" else None,
            tls_context=self._tls,
            # Without it the library asks the name service at every message.
            local_hostname=self._own_name,
            timeout=_REPLY_SECONDS,
        )

    async def _prepare(self, client: aiosmtplib.SMTP, recipient: "_Recipient") -> None:
        """Everything up to the server's go-ahead for the message."""
        if client.is_connected:
            # It may have died while it rested, or be at the server's limit. Nothing is handed over yet, so
            # only what the server says on a new connection counts.
            with contextlib.suppress(_RefusedError, aiosmtplib.SMTPException, OSError):
                return await self._announce(client, recipient)
            client.close()
        await self._connect(client)
        return await self._announce(client, recipient)

    async def _connect(self, client: aiosmtplib.SMTP) -> None:
        with _not_offered_is(Step.TLS):
            await client.connect()
        if self._url.username:
            with _not_offered_is(Step.LOGIN):
                await client.login(unquote(self._url.username), unquote(self._url.password or ""))
        if client.is_ehlo_or_helo_needed:
            _check(await client.ehlo(), Step.HELLO)

    async def _announce(self, client: aiosmtplib.SMTP, recipient: "_Recipient") -> None:
        options = []
        if recipient.needs_utf8:
            if not client.supports_extension("smtputf8"):
                raise MailAddressRejectedError("the server takes no such address")
            options = [b"SMTPUTF8"]
        _check(
            await client.execute_command(b"MAIL", f"FROM:<{self._sender}>".encode(), *options), Step.SENDER
        )
        _check(await client.execute_command(b"RCPT", f"TO:<{recipient.address}>".encode()), Step.RECIPIENT)
        reply = await client.execute_command(b"DATA")
        if reply.code != _GO_AHEAD:
            raise _RefusedError(Refusal(step=Step.CONTENT, code=reply.code, text=reply.message))

    def _hand_over(self, client: aiosmtplib.SMTP, content: bytes) -> SMTPProtocol:
        """Begin to write the message; a server that has hung up by then gets none of it."""
        # The library's own `data` does not tell a server that gave no go-ahead from one that got the message.
        if client.protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        client.protocol.write(content + b".\r\n")
        return client.protocol

    def _keep(self, client: aiosmtplib.SMTP) -> None:
        self._kept.append(client)
        asyncio.get_running_loop().call_later(KEPT_SECONDS, self._let_go, client)

    def _let_go(self, client: aiosmtplib.SMTP) -> None:
        """End a connection that is not in use.

        Nothing depends on the answer to its goodbye.
        """
        if client in self._kept:
            self._kept.remove(client)
            if client.protocol is not None and client.is_connected:
                client.protocol.write(b"QUIT\r\n")
            client.close()


class _Recipient:
    """An address as it goes over the wire.

    Raises:
        MailAddressRejectedError: for an address that no mail can be sent to.
    """

    def __init__(self, address: str) -> None:
        self._local, _, domain = address.rpartition("@")
        self._domain = ascii_domain(domain) if is_usable(address) else None
        if self._domain is None:
            raise MailAddressRejectedError("malformed address")

    @property
    def address(self) -> str:
        return f"{self._local}@{self._domain}"

    @property
    def needs_utf8(self) -> bool:
        """Whether the part before the @ can only go out as UTF-8.

        A domain has its punycode.
        """
        return not self._local.isascii()


def _printable(name: str) -> str:
    return "".join(char for char in name if not has_control_character(char))


@contextmanager
def _no_answer_is(error_type: type[MailNotAcceptedError]) -> Iterator[None]:
    """Raise `error_type` without a readable reply, _RefusedError where one refuses."""
    try:
        yield
    except aiosmtplib.SMTPResponseException as error:
        if error.code == aiosmtplib.SMTPStatus.invalid_response:
            raise error_type(type(error).__name__) from None
        # The library has no class of its own for a refused STARTTLS.
        step = _STEPS.get(type(error), Step.TLS)
        raise _RefusedError(Refusal(step=step, code=error.code, text=error.message)) from None
    except (aiosmtplib.SMTPException, OSError) as error:
        # Only the class is shown: a server's text may repeat the address.
        raise error_type(class_of(error)) from None


@contextmanager
def _not_offered_is(step: Step) -> Iterator[None]:
    """Name the step that a server does not offer.

    The library raises its plain class then.
    """
    try:
        yield
    except aiosmtplib.SMTPException as error:
        if type(error) is aiosmtplib.SMTPException:
            raise MailNotAcceptedError(f"{step}: not offered") from None
        raise


_STEPS: Final = {
    aiosmtplib.SMTPConnectResponseError: Step.CONNECT,
    aiosmtplib.SMTPHeloError: Step.HELLO,
    aiosmtplib.SMTPAuthenticationError: Step.LOGIN,
}


def _check(reply: aiosmtplib.SMTPResponse, step: Step) -> None:
    if reply.code not in _ACCEPTED:
        raise _RefusedError(Refusal(step=step, code=reply.code, text=reply.message))


def _error_of(refusal: Refusal) -> MailAddressRejectedError | MailNotAcceptedError:
    match refusal.verdict:
        case Verdict.NO_WORD:
            return MailProbablyDeliveredError(f"reply {refusal.code}")
        case Verdict.SERVER_CANNOT:
            return MailNotAcceptedError(str(refusal))
    return MailAddressRejectedError(str(refusal))
