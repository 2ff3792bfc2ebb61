"""A connection serves several mails, and loses or doubles none of them."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd.smtp import SMTP

from dev.mail_catcher.inbox import Inbox
from dev.mail_catcher.smtp import Postman
from mipres.domain.errors import MailNotAcceptedError, MailProbablyDeliveredError
from mipres.domain.mail import Mail
from mipres.domain.server_faults import TLS_FAILED, mail_fault_for_staff
from mipres.mail import smtp
from mipres.mail.smtp import SmtpMailer
from tests.certificates import certificate_of, new_key, pem_of
from tests.patience import PATIENCE_SECONDS

MAIL = Mail(
    to_name="Ana María Ruiz Gómez",
    to_address="ana.ruiz@ejemplo.test",
    subject="Cree su contraseña",
    text="Ábralo\n",
    html="<p>Ábralo</p>",
    message_key="RM-000000000001.run.enlace-1",
)
ONE_MAIL = ["EHLO", "MAIL", "RCPT", "DATA", "."]
NEXT_MAIL = ["MAIL", "RCPT", "DATA", "."]
HANG_UP = ""


@dataclass
class Server:
    """Notes what each connection says, and takes what it says.

    Attributes:
        second: Other replies to the second mail of the first connection; HANG_UP for none.
        said: Commands by connection; the final dot is one.
    """

    second: Mapping[str, str] = field(default_factory=dict)
    said: list[list[str]] = field(default_factory=list)
    ended: asyncio.Queue[None] = field(default_factory=asyncio.Queue)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        commands: list[str] = []
        self.said.append(commands)
        is_first = len(self.said) == 1
        writer.write(b"220 hola\r\n")
        while command := await self._command(reader, is_message=commands[-1:] == ["DATA"]):
            answers = self.second if is_first and "." in commands else {}
            commands.append(command)
            answer = answers.get(command, "354 go" if command == "DATA" else "250 OK")
            if answer == HANG_UP or command == "QUIT":
                break
            writer.write(f"{answer}\r\n".encode())
        writer.close()
        self.ended.put_nowait(None)

    async def _command(self, reader: asyncio.StreamReader, *, is_message: bool) -> str:
        try:
            line = await reader.readuntil(b"\r\n.\r\n" if is_message else b"\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return ""
        return "." if is_message else line[:4].decode()


@asynccontextmanager
async def mailer_to(server: Server) -> AsyncIterator[SmtpMailer]:
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        mailer = SmtpMailer(f"smtp://127.0.0.1:{port}", sender="a@sispro.gov.co", sender_name="MIPRES")
        yield mailer
        mailer.close()
        async with asyncio.timeout(PATIENCE_SECONDS):
            for _ in server.said:
                await server.ended.get()


async def test_the_next_mail_needs_no_new_connection() -> None:
    server = Server()
    async with mailer_to(server) as mailer:
        await mailer.send(MAIL)
        await mailer.send(MAIL)
    assert server.said == [[*ONE_MAIL, *NEXT_MAIL, "QUIT"]]


async def test_mails_at_once_have_a_connection_each() -> None:
    server = Server()
    async with mailer_to(server) as mailer:
        await asyncio.gather(mailer.send(MAIL), mailer.send(MAIL))
    assert server.said == [[*ONE_MAIL, "QUIT"]] * 2


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    "answer", [HANG_UP, "421 4.3.2 Bye", "452 4.7.0 Too many", "550 5.1.1 Unknown", "Hm"]
)
async def test_only_what_a_new_connection_says_counts(command: str, answer: str) -> None:
    server, handed_over = Server(second={command: answer}), []

    async def note() -> None:
        handed_over.append(len(server.said))

    async with mailer_to(server) as mailer:
        await mailer.send(MAIL)
        await mailer.send(MAIL, before_handing_over=note)
    first, second = server.said
    assert first.count(".") == 1
    assert second == [*ONE_MAIL, "QUIT"]
    assert handed_over == [2]


@pytest.mark.parametrize(
    ("answer", "error"), [(HANG_UP, MailProbablyDeliveredError), ("451 4.3.0 Later", MailNotAcceptedError)]
)
async def test_a_message_that_was_handed_over_goes_nowhere_else(answer: str, error: type[Exception]) -> None:
    server = Server(second={".": answer})
    async with mailer_to(server) as mailer:
        await mailer.send(MAIL)
        with pytest.raises(error) as caught:
            await mailer.send(MAIL)
    assert type(caught.value) is error
    assert server.said == [[*ONE_MAIL, *NEXT_MAIL]]


async def test_a_connection_that_rests_is_ended_with_a_goodbye(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "KEPT_SECONDS", 0.0)
    server = Server()
    async with mailer_to(server) as mailer:
        await mailer.send(MAIL)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await server.ended.get()
        server.ended.put_nowait(None)
        await mailer.send(MAIL)
    assert server.said == [[*ONE_MAIL, "QUIT"]] * 2


async def test_a_certificate_that_nobody_trusts_is_named(tmp_path: Path) -> None:
    key, pem = new_key(), tmp_path / "server.pem"
    pem.write_bytes(certificate_of(key, host="localhost") + pem_of(key))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pem)
    async with await asyncio.start_server(Server().serve, "127.0.0.1", 0, ssl=tls) as listening:
        port = listening.sockets[0].getsockname()[1]
        mailer = SmtpMailer(f"smtps://localhost:{port}", sender="a@sispro.gov.co", sender_name="MIPRES")
        with pytest.raises(MailNotAcceptedError) as caught:
            await mailer.send(MAIL)
    assert mail_fault_for_staff(str(caught.value)) == f"{TLS_FAILED} (SSLCertVerificationError)"


def cut(session: SMTP) -> None:
    cast("asyncio.Transport", session.transport).abort()


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
async def test_a_connection_over_tls_is_kept_and_replaced_too(
    scheme: str, inbox: Inbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, pem, is_tls_from_the_start = new_key(), tmp_path / "server.pem", scheme == "smtps"
    pem.write_bytes(certificate_of(key, host="localhost") + pem_of(key))
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pem)
    loop, sessions = asyncio.get_running_loop(), list[SMTP]()

    def session() -> SMTP:
        upgrade: dict[str, Any] = (
            {} if is_tls_from_the_start else {"tls_context": tls, "require_starttls": True}
        )
        sessions.append(SMTP(Postman(inbox), loop=loop, **upgrade))
        return sessions[-1]

    async with await loop.create_server(
        session, "127.0.0.1", 0, ssl=tls if is_tls_from_the_start else None
    ) as server:
        port = server.sockets[0].getsockname()[1]
        mailer = SmtpMailer(f"{scheme}://localhost:{port}", sender="a@sispro.gov.co", sender_name="MIPRES")
        await mailer.send(MAIL)
        await mailer.send(MAIL)
        assert (len(inbox), len(sessions)) == (2, 1)
        cut(sessions[0])
        await mailer.send(MAIL)
        assert (len(inbox), len(sessions)) == (3, 2)
        mailer.close()
        cut(sessions[1])
