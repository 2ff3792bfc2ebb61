import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiosmtpd.smtp import SMTP

from dev.mail_catcher.inbox import Inbox
from dev.mail_catcher.messages import Message
from dev.mail_catcher.smtp import Mode, SmtpDesk
from mipres.domain.errors import MailAddressRejectedError, MailNotAcceptedError
from mipres.domain.mail import Mail
from mipres.mail.smtp import SmtpMailer

MAIL = Mail(
    to_name="Ana María Ruiz Gómez",
    to_address="ana.ruiz@ejemplo.test",
    subject="Registro satisfactorio en MIPRES: cree su contraseña",
    text="Ábralo en http://127.0.0.1:8000/contrasena/abc\n",
    html="<p>Ábralo <a href='http://127.0.0.1:8000/contrasena/abc'>AQUÍ</a></p>",
    message_key="RM-000000000001.run.enlace-1",
)


@pytest.fixture
async def mailer(desk: SmtpDesk) -> AsyncIterator[SmtpMailer]:
    mailer = mailer_to(desk.port)
    yield mailer
    mailer.close()


def mailer_to(port: int) -> SmtpMailer:
    return SmtpMailer(
        f"smtp://127.0.0.1:{port}", sender="hercules-noreply@sispro.gov.co", sender_name="Registro MIPRES"
    )


def only_message(inbox: Inbox) -> Message:
    [summary] = inbox.listing().messages
    message = inbox.message(summary.ID)
    assert message is not None
    return message


async def test_a_mail_arrives_with_both_parts(mailer: SmtpMailer, inbox: Inbox) -> None:
    await mailer.send(MAIL)

    message = only_message(inbox)
    assert (message.Text.strip(), message.HTML.strip()) == (MAIL.text.strip(), MAIL.html)
    assert message.Subject == MAIL.subject


async def test_it_is_said_before_the_server_can_have_the_message(mailer: SmtpMailer, inbox: Inbox) -> None:
    at_hand: list[int] = []

    async def note() -> None:
        at_hand.append(len(inbox))

    await mailer.send(MAIL, before_handing_over=note)
    assert (at_hand, len(inbox)) == ([0], 1)


async def test_nothing_is_handed_over_where_the_record_fails(mailer: SmtpMailer, inbox: Inbox) -> None:
    async def fail() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        await mailer.send(MAIL, before_handing_over=fail)
    assert len(inbox) == 0


async def test_the_headers_name_both_sides_and_call_it_automatic(mailer: SmtpMailer, inbox: Inbox) -> None:
    await mailer.send(MAIL)

    message = only_message(inbox)
    assert (message.From.Name, message.From.Address) == (
        "Registro MIPRES",
        "hercules-noreply@sispro.gov.co",
    )
    assert [(item.Name, item.Address) for item in message.To] == [(MAIL.to_name, MAIL.to_address)]
    assert message.Headers["Delivered-To"] == [MAIL.to_address]
    assert message.Headers["Return-Path"] == ["<hercules-noreply@sispro.gov.co>"]
    assert message.Headers["Auto-Submitted"] == ["auto-generated"]
    assert len(message.Headers["Date"]) == 1


async def test_a_second_copy_of_a_mail_has_the_same_message_id(mailer: SmtpMailer, inbox: Inbox) -> None:
    await mailer.send(MAIL)
    await mailer.send(MAIL)
    await mailer.send(replace(MAIL, message_key="RM-000000000001.run.enlace-2"))

    ids = [headers_of(inbox, item.ID)["Message-ID"] for item in inbox.listing().messages]
    assert ids == [
        ["<RM-000000000001.run.enlace-2@sispro.gov.co>"],
        ["<RM-000000000001.run.enlace-1@sispro.gov.co>"],
        ["<RM-000000000001.run.enlace-1@sispro.gov.co>"],
    ]


def headers_of(inbox: Inbox, key: str) -> dict[str, list[str]]:
    message = inbox.message(key)
    assert message is not None
    return dict(message.Headers)


@pytest.mark.parametrize(
    "name",
    [
        "Ana\r\nBcc: otro@ejemplo.test",
        "Ana\nTo: otro@ejemplo.test",
        "Ana\r\n\r\n<script>",
        "Ana, otro@ejemplo.test",
        'Ana" <otro@ejemplo.test>, "x',
        "Ana <otro@ejemplo.test>",
        "Ana\u2028Bcc: otro@ejemplo.test",
        "Ñandú " * 60,
        "",
    ],
)
async def test_whatever_a_name_holds_the_mail_goes_to_one_address(
    mailer: SmtpMailer, inbox: Inbox, name: str
) -> None:
    await mailer.send(replace(MAIL, to_name=name))

    message = only_message(inbox)
    assert message.Headers["Delivered-To"] == [MAIL.to_address]
    assert [item.Address for item in message.To] == [MAIL.to_address]
    assert "Bcc" not in message.Headers
    assert message.Text.strip() == MAIL.text.strip()


@pytest.mark.parametrize(
    "address",
    [
        "ana@ejemplo.test\r\nRCPT TO:<otro@ejemplo.test>",
        "ana@ejemplo.test\nBcc: otro@ejemplo.test",
        "ana@ejemplo.test, otro@ejemplo.test",
        "ana@ejemplo.test>, <otro@ejemplo.test",
        "ana otra@ejemplo.test",
        "ana@ejem plo.test",
        "ana@otro@ejemplo.test",
        "ana@",
        "@ejemplo.test",
        "ana",
        "",
        "ana@ejemplo.test\x00",
        "ana@ejemplo..test",
        "<ana@ejemplo.test>",
    ],
)
async def test_an_address_that_is_none_is_rejected_before_the_server_is_asked(
    mailer: SmtpMailer, inbox: Inbox, address: str
) -> None:
    with pytest.raises(MailAddressRejectedError, match=r"^malformed address$"):
        await mailer.send(replace(MAIL, to_address=address))
    assert len(inbox) == 0


@pytest.mark.parametrize(
    "address",
    ["a@b.co", "ana.maría@ejemplo.test", "o'byrne+mipres@clínica.ejemplo.test", "ñ_ñ-1@xn--clnica-zva.test"],
)
async def test_addresses_of_every_kind_are_reached(mailer: SmtpMailer, inbox: Inbox, address: str) -> None:
    await mailer.send(replace(MAIL, to_address=address))
    delivered = only_message(inbox).Headers["Delivered-To"]
    assert delivered == [address.replace("clínica", "xn--clnica-4va")]


@pytest.mark.parametrize("subject", ["Cree su contraseña\r\nBcc: otro@ejemplo.test", "Cree\n\nsu contraseña"])
async def test_a_subject_of_two_lines_is_never_sent(mailer: SmtpMailer, inbox: Inbox, subject: str) -> None:
    with pytest.raises(ValueError, match="linefeed"):
        await mailer.send(replace(MAIL, subject=subject))
    assert len(inbox) == 0


async def test_an_address_that_the_server_refuses_is_rejected_for_good(
    mailer: SmtpMailer, desk: SmtpDesk
) -> None:
    await desk.set_mode(Mode.REJECT)
    with pytest.raises(MailAddressRejectedError) as caught:
        await mailer.send(MAIL)
    assert "ejemplo" not in str(caught.value)


async def test_a_server_that_is_not_there_may_take_the_mail_later(
    mailer: SmtpMailer, desk: SmtpDesk, inbox: Inbox
) -> None:
    await desk.set_mode(Mode.DOWN)
    with pytest.raises(MailNotAcceptedError, match=r"^SMTPConnectError$"):
        await mailer.send(MAIL)

    await desk.set_mode(Mode.UP)
    await mailer.send(MAIL)
    assert len(inbox) == 1


class Grumpy:
    """A server that gives one answer to one command; aiosmtpd asks it by these names."""

    def __init__(self, command: str, answer: str) -> None:
        setattr(self, f"handle_{command}", self._say)
        self._answer = answer

    async def _say(self, *_arguments: object) -> str:
        return self._answer


@pytest.mark.parametrize(
    ("command", "answer", "error"),
    [
        ("RCPT", "450 4.2.1 ana.ruiz@ejemplo.test: try again", MailNotAcceptedError),
        ("RCPT", "452 4.2.2 mailbox full", MailNotAcceptedError),
        ("RCPT", "550 5.1.1 ana.ruiz@ejemplo.test: unknown", MailAddressRejectedError),
        ("RCPT", "553 5.1.3 bad address syntax", MailAddressRejectedError),
        ("MAIL", "451 4.3.0 later", MailNotAcceptedError),
        # Our own sender or message is at fault: an operator mends that, and the mail goes out.
        ("MAIL", "550 5.7.1 sender refused", MailNotAcceptedError),
        ("DATA", "451 4.3.0 later", MailNotAcceptedError),
        ("DATA", "554 5.7.1 looks like spam, ana.ruiz@ejemplo.test", MailNotAcceptedError),
    ],
)
async def test_only_a_recipient_refused_for_good_is_an_address_rejected(
    command: str, answer: str, error: type[Exception]
) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Grumpy(command, answer), loop=loop), "127.0.0.1", 0)
    async with server:
        with pytest.raises(error) as caught:
            await mailer_to(server.sockets[0].getsockname()[1]).send(MAIL)
    assert type(caught.value) is error
    assert "ejemplo" not in str(caught.value)


async def test_a_server_that_speaks_no_smtp_may_be_mended() -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        with pytest.raises(MailNotAcceptedError):
            await mailer_to(server.sockets[0].getsockname()[1]).send(MAIL)
