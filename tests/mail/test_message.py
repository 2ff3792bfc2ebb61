"""What is written reads back as it was, whatever a name or a text holds."""

from dataclasses import replace
from email import message_from_string
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mipres.domain.mail import Mail
from mipres.mail.message import as_bytes

MAIL = Mail(
    to_name="Ana María Ruiz Gómez",
    to_address="ana.ruiz@ejemplo.test",
    subject="Cree su contraseña de MIPRES",
    text="Cree su contraseña:\nhttps://ejemplo.test/contrasena/abc\n",
    html="<p>Cree su contraseña</p>",
    message_key="RM-000000000001.run.enlace-1",
)
SENDER = "hercules-noreply@sispro.gov.co"
NO_CONTROLS = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])


def read_back(mail: Mail, recipient: str = "ana.ruiz@ejemplo.test") -> EmailMessage:
    content = as_bytes(mail, sender=SENDER, sender_name="Registro MIPRES", recipient=recipient)
    lines = content.split(b"\r\n")
    assert all(len(line) <= 998 and b"\n" not in line and b"\r" not in line for line in lines)
    assert not any(line.startswith(b".") for line in lines)
    message = message_from_string(content.decode(), _class=EmailMessage, policy=SMTPUTF8)
    assert isinstance(message, EmailMessage)
    assert message.defects == []
    return message


@given(name=st.text(NO_CONTROLS, max_size=200))
def test_any_name_stays_beside_its_one_address(name: str) -> None:
    message = read_back(replace(MAIL, to_name=name))
    [address] = message["To"].addresses
    assert address.addr_spec == "ana.ruiz@ejemplo.test"
    assert set(message.keys()) == set(read_back(MAIL).keys())


@pytest.mark.parametrize(
    "name",
    ["Ana", 'Ana "la" Ruiz', "Ana, otro@ejemplo.test", "Ruiz (Ana)", "Ñandú", "A\\B", "=?utf-8?q?Ana?="],
)
def test_a_name_reads_back_as_it_is(name: str) -> None:
    assert read_back(replace(MAIL, to_name=name))["To"].addresses[0].display_name == name


@given(subject=st.text(NO_CONTROLS, min_size=1, max_size=300))
def test_any_subject_reads_back(subject: str) -> None:
    found = read_back(replace(MAIL, subject=subject))["Subject"]
    assert "".join(found.split()) == "".join(subject.split())


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=500))
def test_any_text_reads_back(text: str) -> None:
    message = read_back(replace(MAIL, text=text, html=text))
    for part in message.iter_parts():
        assert isinstance(part, EmailMessage)
        assert part.get_content().splitlines() == (text.splitlines() or [""])


def test_both_parts_stand_as_alternatives() -> None:
    message = read_back(MAIL)
    kinds = [part.get_content_type() for part in message.iter_parts()]
    assert (message.get_content_type(), kinds) == ("multipart/alternative", ["text/plain", "text/html"])


def test_a_local_part_with_accents_stands_as_utf_8() -> None:
    message = read_back(MAIL, recipient="ana.maría@ejemplo.test")
    assert message["To"].addresses[0].addr_spec == "ana.maría@ejemplo.test"


def test_what_is_read_keeps_the_rules_of_mail() -> None:
    message = read_back(MAIL)
    assert message["Message-ID"] == "<RM-000000000001.run.enlace-1@sispro.gov.co>"
    assert message["MIME-Version"] == "1.0"
    assert message["Date"].datetime is not None
    assert message.as_bytes(policy=SMTP)
