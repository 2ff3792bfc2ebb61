"""Each step of a delivery meets each kind of reply, also from odd servers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from dev.mail_catcher.inbox import Inbox
from dev.mail_catcher.smtp import Mode, Script, SmtpDesk
from mipres.domain.errors import (
    MailAddressRejectedError,
    MailNotAcceptedError,
    MailProbablyDeliveredError,
)
from mipres.domain.mail import Mail
from mipres.domain.server_faults import mail_fault_for_staff
from mipres.mail.replies import Refusal, Step, Verdict
from mipres.mail.smtp import FINAL_REPLY_SECONDS, SmtpMailer

MAIL = Mail(
    to_name="Ana María Ruiz Gómez",
    to_address="ana.ruiz@ejemplo.test",
    subject="Cree su contraseña",
    text="Ábralo\n.\n..dos\n",
    html="<p>Ábralo</p>",
    message_key="RM-000000000001.run.enlace-1",
)


def mailer_to(port: int, *, start: str = "smtp://", **options: Any) -> SmtpMailer:
    return SmtpMailer(
        f"{start}127.0.0.1:{port}",
        sender="hercules-noreply@sispro.gov.co",
        sender_name="Registro MIPRES",
        **options,
    )


async def send_to(port: int, mail: Mail = MAIL) -> None:
    with contextlib.closing(mailer_to(port)) as mailer:
        await mailer.send(mail)


async def refused(desk: SmtpDesk, script: Script, **options: Any) -> Exception:
    await desk.set_mode(Mode.SCRIPT, script)
    with pytest.raises((MailNotAcceptedError, MailAddressRejectedError)) as caught:
        await mailer_to(desk.port, **options).send(MAIL)
    assert "ejemplo" not in str(caught.value)
    return caught.value


REPLIES: dict[str, Verdict] = {
    "550 5.1.1 ana.ruiz@ejemplo.test unknown": Verdict.ADDRESS_WRONG,
    "553 5.1.3 Bad syntax": Verdict.ADDRESS_WRONG,
    "550 5.1.2 Bad domain": Verdict.ADDRESS_WRONG,
    "551 5.1.6 Moved": Verdict.ADDRESS_WRONG,
    "556 5.1.10 Domain takes no mail": Verdict.ADDRESS_WRONG,
    "550 No such user ana.ruiz@ejemplo.test": Verdict.ADDRESS_DOUBTFUL,
    "551 User not local": Verdict.ADDRESS_DOUBTFUL,
    "553 Not allowed": Verdict.ADDRESS_DOUBTFUL,
    "550 5.6.7 Non-ASCII addresses not permitted": Verdict.ADDRESS_WRONG,
    "554 5.6.9 UTF-8 cannot be sent on": Verdict.ADDRESS_WRONG,
    "450 5.6.7 Contradicts itself": Verdict.SERVER_CANNOT,
    "554 5.6.0 Bad content": Verdict.SERVER_CANNOT,
    "550 5.1.7 Bad sender": Verdict.SERVER_CANNOT,
    "550 5.1.8 Bad sender's system": Verdict.SERVER_CANNOT,
    "552 5.2.2 Mailbox full": Verdict.SERVER_CANNOT,
    "550 5.2.1 Mailbox disabled": Verdict.SERVER_CANNOT,
    "552 Full": Verdict.SERVER_CANNOT,
    "554 5.7.1 Relay denied": Verdict.SERVER_CANNOT,
    "550 5.7.1 Relay denied": Verdict.SERVER_CANNOT,
    "550 5.7.26 Not authenticated": Verdict.SERVER_CANNOT,
    "530 5.7.0 Authentication required": Verdict.SERVER_CANNOT,
    "530 Authentication required": Verdict.SERVER_CANNOT,
    "503 Bad sequence": Verdict.SERVER_CANNOT,
    "502 Not implemented": Verdict.SERVER_CANNOT,
    "554 No": Verdict.SERVER_CANNOT,
    "550 5.3.4 Too big": Verdict.SERVER_CANNOT,
    "550 5.4.1 No route": Verdict.SERVER_CANNOT,
    "550 4.1.1 Contradicts itself": Verdict.SERVER_CANNOT,
    "450 5.1.1 Contradicts itself": Verdict.SERVER_CANNOT,
    "450 4.1.1 Later": Verdict.SERVER_CANNOT,
    "451 4.7.1 Greylisted": Verdict.SERVER_CANNOT,
    "452 4.2.2 Full": Verdict.SERVER_CANNOT,
    "421 4.3.2 Closing": Verdict.SERVER_CANNOT,
    # As IronPort and qmail write it.
    "550 #5.1.0 Address rejected": Verdict.ADDRESS_WRONG,
    "550 #5.7.1 Your access has been rejected": Verdict.SERVER_CANNOT,
    "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)": Verdict.SERVER_CANNOT,
    "550 10.5.7.1 is not welcome": Verdict.ADDRESS_DOUBTFUL,
}


@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("reply", REPLIES)
def test_only_the_recipients_own_address_is_wrong(step: Step, reply: str) -> None:
    verdict = REPLIES[reply]
    if step is Step.FINAL_DOT:
        expected = Verdict.ADDRESS_WRONG if verdict is Verdict.ADDRESS_WRONG else Verdict.SERVER_CANNOT
    else:
        expected = verdict if step is Step.RECIPIENT else Verdict.SERVER_CANNOT
    code, _, text = reply.partition(" ")
    refusal = Refusal(step=step, code=int(code), text=text)
    assert refusal.verdict is expected
    assert "ejemplo" not in str(refusal)


def test_the_reason_may_stand_on_a_later_line() -> None:
    refusal = Refusal(step=Step.RECIPIENT, code=550, text="Verification failed\n5.7.1 Sender verify failed")
    assert refusal.verdict is Verdict.SERVER_CANNOT
    assert str(refusal) == "RCPT: 550 5.7.1"


@pytest.mark.parametrize("reply", REPLIES)
async def test_a_refused_recipient(desk: SmtpDesk, inbox: Inbox, reply: str) -> None:
    error = await refused(desk, Script(rcpt=reply))
    assert isinstance(error, MailAddressRejectedError) is (REPLIES[reply] is not Verdict.SERVER_CANNOT)
    assert str(error).startswith(f"RCPT: {reply[:3]}")
    assert len(inbox) == 0


@pytest.mark.parametrize("reply", REPLIES)
async def test_a_refused_message(desk: SmtpDesk, inbox: Inbox, reply: str) -> None:
    error = await refused(desk, Script(data=reply))
    assert isinstance(error, MailAddressRejectedError) is (REPLIES[reply] is Verdict.ADDRESS_WRONG)
    assert not isinstance(error, MailProbablyDeliveredError)
    assert len(inbox) == 0


class Wrong(SMTP):
    """A server that gives one command one reply."""

    command = ""
    reply = ""

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802 - aiosmtpd's name.
        await (self._refuse() if self.command == "EHLO" else super().smtp_EHLO(hostname))

    async def smtp_HELO(self, _hostname: str) -> None:  # noqa: N802 - aiosmtpd's name.
        await self._refuse()

    async def _refuse(self) -> None:
        await super().push(self.reply)

    async def push(self, status: Any) -> None:
        said = status.decode() if isinstance(status, bytes) else status
        is_asked = {
            "connect": said.startswith("220"),
            "EHLO": False,
            "MAIL": said.startswith("250")
            and self.envelope is not None
            and bool(self.envelope.mail_from)
            and not self.envelope.rcpt_tos,
            "DATA": said.startswith("354"),
        }[self.command]
        await super().push(self.reply if is_asked else status)


@pytest.mark.parametrize(
    "reply",
    [
        "550 5.1.1 Unknown",
        "550 No",
        "554 5.7.1 Denied",
        "530 5.7.0 Log in",
        "451 4.3.0 Later",
        "421 4.3.2 Bye",
    ],
)
@pytest.mark.parametrize("command", ["connect", "EHLO", "MAIL", "DATA"])
async def test_a_refusal_of_another_step_is_the_servers(command: str, reply: str) -> None:
    loop = asyncio.get_running_loop()
    server_type = type("Server", (Wrong,), {"command": command, "reply": reply})
    server = await loop.create_server(lambda: server_type(object(), loop=loop), "127.0.0.1", 0)
    async with server:
        with pytest.raises(MailNotAcceptedError) as caught:
            await send_to(server.sockets[0].getsockname()[1])
    assert type(caught.value) is MailNotAcceptedError


async def test_a_bare_refusal_of_one_moment_is_not_the_address(desk: SmtpDesk, inbox: Inbox) -> None:
    await desk.set_mode(Mode.SCRIPT, Script(rcpt="550 No"))
    original = desk._postman.handle_RCPT

    async def refuse_once(*arguments: Any) -> str:
        reply = await original(*arguments)
        await desk.set_mode(Mode.UP)
        return reply

    desk._postman.handle_RCPT = refuse_once  # type: ignore[assignment,method-assign]
    await send_to(desk.port)
    assert len(inbox) == 1


# --- after the message was handed over


async def test_a_server_that_drops_the_connection_has_probably_delivered(
    desk: SmtpDesk, inbox: Inbox
) -> None:
    error = await refused(desk, Script(drop_after_data=True))
    assert isinstance(error, MailProbablyDeliveredError)
    assert len(inbox) == 1


async def test_a_reply_that_never_comes_is_a_probable_delivery(desk: SmtpDesk, inbox: Inbox) -> None:
    error = await refused(desk, Script(data_delay_ms=3_600_000), final_reply_seconds=0.2)
    assert isinstance(error, MailProbablyDeliveredError)
    assert len(inbox) == 1


async def test_a_late_reply_is_waited_for(desk: SmtpDesk, inbox: Inbox) -> None:
    await desk.set_mode(Mode.SCRIPT, Script(data_delay_ms=3_600_000))
    sending = asyncio.create_task(send_to(desk.port))
    while len(inbox) == 0:
        await asyncio.sleep(0)
    assert not sending.done()
    await desk.set_mode(Mode.UP)
    await sending


def test_the_final_reply_has_the_ten_minutes_of_the_rfc() -> None:
    assert FINAL_REPLY_SECONDS == 600


@asynccontextmanager
async def server_that_says(**replies: str) -> AsyncIterator[int]:
    """A server with its own replies to some commands.

    `dot` is what the message gets.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        usual = {"ehlo": "250-hola\r\n250 STARTTLS", "data": "354 go"}
        writer.write(b"220 hola\r\n")
        while line := await reader.readline():
            command = line.split()[0].decode().lower()
            writer.write(f"{replies.get(command, usual.get(command, '250 OK'))}\r\n".encode())
            if command == "data":
                await reader.readuntil(b"\r\n.\r\n")
                writer.write(f"{replies['dot']}\r\n".encode())
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    "reply", ["queued as 4711", "OK", "25 OK", "354 More", "600 Hm", "250 " + "x" * 9000]
)
async def test_a_reply_that_neither_takes_nor_refuses_the_message_is_a_probable_delivery(reply: str) -> None:
    async with server_that_says(ehlo="250 hola", dot=reply) as port:
        with pytest.raises(MailProbablyDeliveredError) as caught:
            await send_to(port)
    assert "no se entiende" in mail_fault_for_staff(str(caught.value))


@pytest.mark.parametrize(
    ("replies", "words"),
    [
        ({"starttls": "454 4.7.0 ana.ruiz@ejemplo.test"}, "no admitió el cifrado (STARTTLS: 454 4.7.0)"),
        ({"starttls": "hola"}, "no se entiende"),
        ({"ehlo": "250 hola", "rcpt": "hola"}, "no se entiende"),
    ],
)
async def test_staff_read_which_step_failed(replies: dict[str, str], words: str) -> None:
    async with server_that_says(**replies) as port:
        with pytest.raises(MailNotAcceptedError) as caught:
            await send_to(port)
    assert words in mail_fault_for_staff(str(caught.value))


NO_LOGIN = "no admitió la cuenta con la que se envía (AUTH: not offered)"


@pytest.mark.parametrize(
    ("start", "offered", "words"),
    [
        ("smtp+starttls://", "250 hola", "no admitió el cifrado (STARTTLS: not offered)"),
        ("smtp://ana:x@", "250 hola", NO_LOGIN),
        ("smtp://ana:x@", "250-hola\r\n250 AUTH NTLM", NO_LOGIN),
    ],
)
async def test_staff_read_what_the_server_does_not_offer(start: str, offered: str, words: str) -> None:
    async with server_that_says(ehlo=offered) as port:
        with pytest.raises(MailNotAcceptedError) as caught:
            await mailer_to(port, start=start).send(MAIL)
    assert mail_fault_for_staff(str(caught.value)) == words


async def test_a_connection_lost_before_the_message_is_no_delivery() -> None:
    async def hang_up_at_data(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hola\r\n")
        while (line := await reader.readline()) and not line.startswith(b"DATA"):
            writer.write(b"250 OK\r\n")
        writer.close()

    async with await asyncio.start_server(hang_up_at_data, "127.0.0.1", 0) as server:
        with pytest.raises(MailNotAcceptedError) as caught:
            await send_to(server.sockets[0].getsockname()[1])
    assert type(caught.value) is MailNotAcceptedError


async def test_a_connection_lost_after_the_go_ahead_is_no_delivery() -> None:
    async def hang_up_at_the_message(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hola\r\n")
        while (line := await reader.readline()) and not line.startswith(b"DATA"):
            writer.write(b"250 OK\r\n")
        writer.write(b"354 go\r\n")
        writer.close()

    async with await asyncio.start_server(hang_up_at_the_message, "127.0.0.1", 0) as server:
        with contextlib.closing(mailer_to(server.sockets[0].getsockname()[1])) as mailer:
            client = mailer._new_client()
            mailer._kept.append(client)

            async def until_it_is_known() -> None:
                while client.is_connected:
                    await asyncio.sleep(0)

            with pytest.raises(MailNotAcceptedError, match="Disconnected") as caught:
                await mailer.send(MAIL, before_handing_over=until_it_is_known)
    assert type(caught.value) is MailNotAcceptedError


async def test_a_goodbye_that_fails_is_no_failure(inbox: Inbox) -> None:
    received = asyncio.Event()

    async def never_say_goodbye(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hola\r\n")
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                if line.startswith(b"QUIT"):
                    break
                if line.startswith(b"DATA"):
                    writer.write(b"354 go\r\n")
                    await reader.readuntil(b"\r\n.\r\n")
                    received.set()
                writer.write(b"250 OK\r\n")
        writer.close()

    async with await asyncio.start_server(never_say_goodbye, "127.0.0.1", 0) as server:
        await send_to(server.sockets[0].getsockname()[1])
    assert received.is_set()


# --- addresses in other scripts


async def test_a_domain_goes_out_as_punycode(desk: SmtpDesk, inbox: Inbox) -> None:
    await send_to(desk.port, replace(MAIL, to_address="ana@clínica.ejemplo.test"))
    [summary] = inbox.listing().messages
    message = inbox.message(summary.ID)
    assert message is not None
    assert message.Headers["Delivered-To"] == ["ana@xn--clnica-4va.ejemplo.test"]


class WithoutUtf8(SMTP):
    def __init__(self, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(object(), loop=loop, enable_SMTPUTF8=False)


@pytest.mark.parametrize(
    ("address", "is_taken"), [("ana.maría@ejemplo.test", False), ("ana@clínica.ejemplo.test", True)]
)
async def test_without_smtputf8_only_the_part_before_the_at_is_a_problem(
    address: str,
    is_taken: bool,  # noqa: FBT001
) -> None:
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: WithoutUtf8(loop=loop), "127.0.0.1", 0) as server:
        sending = send_to(server.sockets[0].getsockname()[1], replace(MAIL, to_address=address))
        if is_taken:
            await sending
        else:
            with pytest.raises(MailAddressRejectedError, match="takes no such address"):
                await sending


async def test_lines_of_dots_arrive_as_they_are(desk: SmtpDesk, inbox: Inbox) -> None:
    await send_to(desk.port, replace(MAIL, text=".\n.x\n..\nfin\n"))
    [summary] = inbox.listing().messages
    message = inbox.message(summary.ID)
    assert message is not None
    assert message.Text.splitlines() == [".", ".x", "..", "fin"]
