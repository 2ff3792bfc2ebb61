"""A connection serves several mails, and loses or doubles none of them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from mipres.domain.errors import MailNotAcceptedError, MailProbablyDeliveredError
from mipres.domain.mail import Mail
from mipres.mail import smtp
from mipres.mail.smtp import SmtpMailer
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
