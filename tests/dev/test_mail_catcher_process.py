import signal
import socket
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import httpx2
import pytest
from playwright.async_api import async_playwright

from tests.dev.programs import Program, Start, run_to_its_end

PROGRAM = ("dev.mail_catcher", "--smtp-port", "0", "--ui-port", "0")


async def send(catcher: Program, subject: str, html: str = "<p>hola</p>") -> None:
    mail = EmailMessage()
    mail["From"] = "hercules-noreply@sispro.gov.co"
    mail["To"] = "ana.ruiz@ejemplo.test"
    mail["Subject"] = subject
    mail.set_content("hola")
    mail.add_alternative(html, subtype="html")
    await aiosmtplib.send(mail, hostname="127.0.0.1", port=catcher.smtp_port)


async def test_accepted_mail_survives_a_kill(start: Start, http: httpx2.AsyncClient, tmp_path: Path) -> None:
    folder = ("--dir", str(tmp_path / "deep" / "mail"))
    first = await start(*PROGRAM, *folder)
    for number in range(3):
        await send(first, f"Mensaje {number}")
    before = (await http.get(f"{first.url}/api/v1/messages")).json()
    await first.kill()

    second = await start(*PROGRAM, *folder)
    await send(second, "Mensaje 3")

    after = (await http.get(f"{second.url}/api/v1/messages")).json()
    assert [message["Subject"][-1] for message in after["messages"]] == ["3", "2", "1", "0"]
    assert after["messages"][1:] == before["messages"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_spite_of_an_open_session(start: Start, number: signal.Signals) -> None:
    catcher = await start(*PROGRAM)
    smtp = aiosmtplib.SMTP(hostname="127.0.0.1", port=catcher.smtp_port)
    await smtp.connect()

    assert await catcher.end(number) == 0

    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await smtp.noop()


async def test_going_down_cuts_a_session_of_the_program_itself(
    start: Start, http: httpx2.AsyncClient
) -> None:
    catcher = await start(*PROGRAM)
    smtp = aiosmtplib.SMTP(hostname="127.0.0.1", port=catcher.smtp_port)
    await smtp.connect()
    await smtp.ehlo()

    await http.put(f"{catcher.url}/_control", json={"mode": "down"})

    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await smtp.noop()


@pytest.mark.parametrize("option", ["--smtp-port", "--ui-port"])
async def test_a_taken_port_is_told_in_one_line(option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = await run_to_its_end(*PROGRAM, option, port)

    assert process == (1, f"El puerto {port} de 127.0.0.1 ya está en uso. Elija otro con {option}.\n")


@pytest.mark.browser
async def test_a_link_in_a_mail_opens_an_unrestricted_page(start: Start, chromium: str) -> None:
    catcher = await start(*PROGRAM)
    await send(
        catcher, "Enlace", f'<p>Ábralo <a href="{catcher.url}/?start=0">AQUÍ</a><script>x</script></p>'
    )
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = await browser.new_page()
        await page.goto(catcher.url)
        await page.get_by_role("link", name="Enlace").click()
        async with page.expect_popup() as popup:
            await page.frame_locator("iframe").get_by_role("link", name="AQUÍ").click()
        opened = await popup.value
        await opened.wait_for_load_state()
        origin = await opened.evaluate("self.origin")
        await browser.close()

    # A sandboxed page would have the origin "null", and could keep no session and send no form.
    assert origin == catcher.url
