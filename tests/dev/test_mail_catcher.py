import asyncio
import socket
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import httpx2
import pytest

from dev.mail_catcher.app import create_app
from dev.mail_catcher.inbox import Inbox
from dev.mail_catcher.smtp import SmtpDesk


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "mail")


@pytest.fixture
async def desk(inbox: Inbox) -> AsyncIterator[SmtpDesk]:
    desk = SmtpDesk(inbox, host="127.0.0.1", port=0)
    await desk.open()
    yield desk
    desk.close()


@pytest.fixture
async def client(inbox: Inbox, desk: SmtpDesk) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=create_app(inbox, desk))
    async with httpx2.AsyncClient(transport=transport, base_url="http://mail") as client:
        yield client


def a_mail(subject: str = "Cree su contraseña", html: str | None = None) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "MIPRES <hercules-noreply@sispro.gov.co>"
    mail["To"] = "Ana María Ruiz <ana.ruiz@ejemplo.test>, otra@ejemplo.test"
    mail["Subject"] = subject
    mail["X-Twice"] = "uno"
    mail["X-Twice"] = "dos"
    mail.set_content("Ábralo en http://127.0.0.1/contrasena/abc\n")
    if html:
        mail.add_alternative(html, subtype="html")
    return mail


async def send(desk: SmtpDesk, mail: EmailMessage) -> None:
    await aiosmtplib.send(mail, hostname="127.0.0.1", port=desk.port)


async def test_a_mail_that_another_program_has_marked_as_read_is_still_there(
    client: httpx2.AsyncClient, desk: SmtpDesk, tmp_path: Path
) -> None:
    await send(desk, a_mail())
    [arrived] = (tmp_path / "mail" / "new").iterdir()
    arrived.rename(tmp_path / "mail" / "cur" / f"{arrived.name}:2,S")

    [summary] = (await client.get("/api/v1/messages")).json()["messages"]
    message = (await client.get(f"/api/v1/message/{summary['ID']}")).json()
    assert message["Subject"] == "Cree su contraseña"


async def test_a_sent_mail_is_listed_and_read(client: httpx2.AsyncClient, desk: SmtpDesk) -> None:
    await send(desk, a_mail(html="<p>Ábralo <a href='http://x/'>AQUÍ</a></p>"))

    listing = (await client.get("/api/v1/messages")).json()
    message = (await client.get(f"/api/v1/message/{listing['messages'][0]['ID']}")).json()

    assert listing["total"] == 1
    assert set(listing["messages"][0]) == {"ID", "From", "To", "Subject", "Created"}
    assert message["From"] == {"Name": "MIPRES", "Address": "hercules-noreply@sispro.gov.co"}
    assert message["To"] == [
        {"Name": "Ana María Ruiz", "Address": "ana.ruiz@ejemplo.test"},
        {"Name": "", "Address": "otra@ejemplo.test"},
    ]
    assert message["Subject"] == "Cree su contraseña"
    assert message["Text"].strip() == "Ábralo en http://127.0.0.1/contrasena/abc"
    assert "<a href='http://x/'>AQUÍ</a>" in message["HTML"]
    assert message["Headers"]["X-Twice"] == ["uno", "dos"]
    assert message["Headers"]["Delivered-To"] == ["ana.ruiz@ejemplo.test", "otra@ejemplo.test"]


async def test_messages_come_newest_first_and_by_page(client: httpx2.AsyncClient, desk: SmtpDesk) -> None:
    for number in range(5):
        await send(desk, a_mail(f"Mensaje {number}"))

    async def subjects(query: str = "") -> list[str]:
        listing = (await client.get(f"/api/v1/messages{query}")).json()
        assert listing["total"] == 5
        return [message["Subject"][-1] for message in listing["messages"]]

    assert await subjects() == ["4", "3", "2", "1", "0"]
    assert await subjects("?limit=2") == ["4", "3"]
    assert await subjects("?start=3&limit=50") == ["1", "0"]
    assert await subjects("?limit=0") == []
    assert (await client.get("/api/v1/messages?start=-1")).status_code == 422


async def test_deleted_and_unknown_messages_are_404(client: httpx2.AsyncClient, desk: SmtpDesk) -> None:
    await send(desk, a_mail())
    key = (await client.get("/api/v1/messages")).json()["messages"][0]["ID"]

    await client.delete("/api/v1/messages")

    assert (await client.get("/api/v1/messages")).json() == {"total": 0, "messages": []}
    for name in (key, "..", "nada", "%2e%2e%2fnew"):
        assert (await client.get(f"/api/v1/message/{name}")).status_code == 404
    assert (await client.get(f"/mensajes/{key}")).status_code == 404


async def test_an_opened_folder_shows_what_it_held_in_order(tmp_path: Path, inbox: Inbox) -> None:
    # The parts of the names are numbers without leading zeros, so their order is not the alphabet's.
    keys = ["17.M9P3Q9.host", "17.M9P3Q10.host", "17.M10P3Q11.host", inbox.add(b"Subject: 3\r\n\r\n")]
    for name in (*keys[:3], "of-another-program"):
        (tmp_path / "mail" / "new" / name).write_text("Subject: x\n\n")

    again = Inbox(tmp_path / "mail")

    assert [message.ID for message in again.listing().messages] == keys[::-1]


async def test_rejecting_refuses_recipients_for_good(client: httpx2.AsyncClient, desk: SmtpDesk) -> None:
    assert (await client.put("/_control", json={"mode": "reject"})).json() == {"mode": "reject"}

    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
        await send(desk, a_mail())

    assert {one.code for one in refused.value.recipients} == {550}
    assert (await client.get("/api/v1/messages")).json()["total"] == 0
    assert "rechaza a todos" in (await client.get("/")).text


async def test_down_refuses_connections_and_up_takes_them_on_the_same_port(
    client: httpx2.AsyncClient, desk: SmtpDesk
) -> None:
    port = desk.port
    await client.put("/_control", json={"mode": "down"})
    with pytest.raises(aiosmtplib.SMTPConnectError):
        await send(desk, a_mail())
    assert (await client.get("/_control")).json() == {"mode": "down"}
    assert "caído" in (await client.get("/")).text

    await client.put("/_control", json={"mode": "up"})
    await send(desk, a_mail())

    assert desk.port == port
    assert (await client.get("/api/v1/messages")).json()["total"] == 1


async def test_going_down_cuts_a_session_that_is_open(client: httpx2.AsyncClient, desk: SmtpDesk) -> None:
    smtp = aiosmtplib.SMTP(hostname="127.0.0.1", port=desk.port)
    await smtp.connect()
    await smtp.ehlo()

    await client.put("/_control", json={"mode": "down"})

    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await smtp.noop()


async def test_slow_has_taken_the_message_before_it_says_so(
    client: httpx2.AsyncClient, desk: SmtpDesk
) -> None:
    await client.put("/_control", json={"mode": "slow"})
    sending = asyncio.create_task(send(desk, a_mail()))
    while not (await client.get("/api/v1/messages")).json()["total"]:
        await asyncio.sleep(0.01)
    assert not sending.done()

    await client.put("/_control", json={"mode": "up"})

    await sending
    assert (await client.get("/api/v1/messages")).json()["total"] == 1


async def test_a_port_taken_meanwhile_is_told_and_the_mode_stays(
    client: httpx2.AsyncClient, desk: SmtpDesk
) -> None:
    await client.put("/_control", json={"mode": "down"})
    with socket.create_server(("127.0.0.1", desk.port)):
        answer = await client.put("/_control", json={"mode": "up"})

    assert answer.status_code == 503
    assert "ya está en uso" in answer.json()["detail"]
    assert (await client.get("/_control")).json() == {"mode": "down"}


@pytest.mark.parametrize("body", [{"mode": "asleep"}, {}, {"mode": "up", "otro": 1}])
async def test_a_wrong_control_is_refused(client: httpx2.AsyncClient, body: object) -> None:
    assert (await client.put("/_control", json=body)).status_code == 422


async def test_a_message_that_cannot_be_stored_is_not_taken(
    desk: SmtpDesk, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_content: bytes) -> str:
        raise OSError

    monkeypatch.setattr(inbox, "add", fail)

    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await send(desk, a_mail())

    assert refused.value.code == 452


BROKEN = [
    b"",
    b"\r\n",
    b"no headers at all",
    b"From: \r\nTo: \r\nSubject: \r\n\r\nx",
    b'From: <<<>>> @@ ,,;:\r\nTo: a@b@c, "x\r\nSubject: =?utf-8?q?=ZZ?= =?no-such?b?////?=\r\n\r\nx',
    "From: Peña <a@ejemplo.test>\r\nSubject: Contraseña\r\n\r\nx".encode(),
    b"From: \xff\xfe <a@ejemplo.test>\r\nTo: \xf1@ejemplo.test\r\nSubject: \xf1\r\nX-\xf1: 1\r\n\r\n\xff",
    b"Content-Type: text/plain; charset=no-such\r\nSubject: x\r\n\r\n\xff\xfe",
    b"Content-Type: multipart/alternative; boundary=\r\nSubject: x\r\n\r\n--\r\n\r\nx",
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=x\r\n\r\n<p>\xff",
    b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n====",
    b"To: " + b"(" * 400 + b"\r\nFrom: " + b"<" * 400 + b"\r\nDate: yesterday\r\nSubject: a\x00b\r\n\r\nx",
]


@pytest.mark.parametrize("content", BROKEN)
async def test_no_message_is_too_broken_to_show(
    client: httpx2.AsyncClient, inbox: Inbox, content: bytes
) -> None:
    key = inbox.add(content)

    for path in (
        "/",
        "/api/v1/messages",
        f"/api/v1/message/{key}",
        f"/mensajes/{key}",
        f"/mensajes/{key}/html",
    ):
        answer = await client.get(path)
        assert answer.status_code == 200, path
        answer.content.decode()


async def test_raw_utf8_headers_are_read_as_they_are(client: httpx2.AsyncClient, inbox: Inbox) -> None:
    inbox.add("From: Peña <a@ejemplo.test>\r\nSubject: Contraseña\r\n\r\nx".encode())

    message = (await client.get("/api/v1/messages")).json()["messages"][0]

    assert message["Subject"] == "Contraseña"
    assert message["From"] == {"Name": "Peña", "Address": "a@ejemplo.test"}


async def test_pages_escape_what_a_mail_says(client: httpx2.AsyncClient, desk: SmtpDesk) -> None:
    mail = a_mail("<script>alert(1)</script>")
    mail["X-Evil"] = "<img src=x>"
    mail.set_content("<b>no</b> http://127.0.0.1/contrasena/abc?a=1&b=2")
    await send(desk, mail)
    key = (await client.get("/api/v1/messages")).json()["messages"][0]["ID"]

    pages = [(await client.get(path)).text for path in ("/", f"/mensajes/{key}")]

    for page in pages:
        assert "&lt;script&gt;alert(1)" in page
        assert "<script" not in page
    assert "&lt;img src=x&gt;" in pages[1]
    assert "&lt;b&gt;no&lt;/b&gt;" in pages[1]
    assert 'href="http://127.0.0.1/contrasena/abc?a=1&amp;b=2"' in pages[1]
    assert "<iframe" not in pages[1]


async def test_the_html_part_can_run_nothing_and_opens_links_in_a_tab(
    client: httpx2.AsyncClient, desk: SmtpDesk
) -> None:
    document = "<!doctype html><html><head lang='es'><title>x</title></head><body>hola</body></html>"
    await send(desk, a_mail(html=document))
    key = (await client.get("/api/v1/messages")).json()["messages"][0]["ID"]

    page = (await client.get(f"/mensajes/{key}")).text
    part = await client.get(f"/mensajes/{key}/html")

    assert f'src="/mensajes/{key}/html" sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    policy = part.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'")
    assert part.text.startswith("<!doctype html><html><head lang='es'><base target=\"_blank\"><title>")
    assert "default-src 'none'" in (await client.get("/")).headers["content-security-policy"]


async def test_the_list_has_pages_and_refreshes_itself(client: httpx2.AsyncClient, inbox: Inbox) -> None:
    for number in range(51):
        inbox.add(f"Subject: Mensaje {number:02}\r\n\r\n".encode())

    first, second = [(await client.get(path)).text for path in ("/", "/?start=50")]

    assert '<meta http-equiv="refresh" content="5">' in first
    assert "Mensaje 50" in first
    assert "Mensaje 00" not in first
    assert 'href="/?start=50"' in first
    assert "Mensaje 00" in second
    assert 'href="/?start=0"' in second


async def script(client: httpx2.AsyncClient, **answers: object) -> None:
    answered = await client.put("/_control", json={"mode": "script", **answers})
    assert answered.status_code == 200, answered.text


async def test_a_script_answers_a_recipient(client: httpx2.AsyncClient, desk: SmtpDesk, inbox: Inbox) -> None:
    await script(client, rcpt="554 5.7.1 Relay denied")
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as caught:
        await send(desk, a_mail())
    assert {(item.code, item.message) for item in caught.value.recipients} == {(554, "5.7.1 Relay denied")}
    assert len(inbox) == 0


async def test_a_script_answers_the_final_dot(
    client: httpx2.AsyncClient, desk: SmtpDesk, inbox: Inbox
) -> None:
    await script(client, data="451 4.3.0 Later")
    with pytest.raises(aiosmtplib.SMTPDataError) as caught:
        await send(desk, a_mail())
    assert caught.value.code == 451
    assert len(inbox) == 0


async def test_a_script_can_keep_the_message_and_drop_the_connection(
    client: httpx2.AsyncClient, desk: SmtpDesk, inbox: Inbox
) -> None:
    await script(client, drop_after_data=True)
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send(desk, a_mail())
    assert len(inbox) == 1


async def test_a_script_can_answer_the_final_dot_late(
    client: httpx2.AsyncClient, desk: SmtpDesk, inbox: Inbox
) -> None:
    await script(client, data_delay_ms=3_600_000)
    sending = asyncio.create_task(send(desk, a_mail()))
    while len(inbox) == 0:
        await asyncio.sleep(0)
    assert not sending.done()
    await client.put("/_control", json={"mode": "up"})
    await sending


async def test_a_script_can_be_about_some_recipients_only(
    client: httpx2.AsyncClient, desk: SmtpDesk, inbox: Inbox
) -> None:
    await script(client, rcpt="550 5.1.1 No", only="^nadie@")
    await send(desk, a_mail())
    assert len(inbox) == 1


async def test_a_script_is_shown_and_ends_with_the_mode(client: httpx2.AsyncClient) -> None:
    await script(client, rcpt="552 5.2.2 Full")
    assert (await client.get("/_control")).json() == {"mode": "script", "rcpt": "552 5.2.2 Full"}
    await client.put("/_control", json={"mode": "up"})
    assert (await client.get("/_control")).json() == {"mode": "up"}


@pytest.mark.parametrize(
    "answers",
    [
        {"rcpt": "no"},
        {"data": "250 OK\r\n221 bye"},
        {"only": "("},
        {"data_delay_ms": -1},
        {"mode": "up", "rcpt": "550 No"},
    ],
)
async def test_a_script_that_no_server_could_speak_is_refused(
    client: httpx2.AsyncClient, answers: dict[str, object]
) -> None:
    assert (await client.put("/_control", json={"mode": "script", **answers})).status_code == 422
