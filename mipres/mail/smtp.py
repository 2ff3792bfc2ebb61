"""Mail over SMTP."""

import re
import socket
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import unquote, urlsplit

import aiosmtplib

from mipres.domain.errors import MailAddressRejectedError, MailNotAcceptedError
from mipres.domain.mail import Mail

_TIMEOUT_SECONDS = 20
_PERMANENT = range(500, 600)
# Narrower than RFC 5322: nothing that begins another address, a name or a command may stand in one.
_ATOM = r"[^\s@.,:;<>()\[\]\"\\]+"
_ADDRESS = re.compile(rf"{_ATOM}(\.{_ATOM})*@{_ATOM}(\.{_ATOM})+")
_CONTROL_CHARACTERS = frozenset(chr(code) for code in (*range(32), 127))


class SmtpMailer:
    """Implements ports.Mailer, one connection a message.

    Args:
        url: `smtp://` (plain or STARTTLS as offered) or `smtps://`, with `user:password@` where needed.
        sender: Address in From.
        sender_name: Name beside it.
    """

    def __init__(self, url: str, *, sender: str, sender_name: str) -> None:
        self._url = urlsplit(url)
        self._sender = sender
        self._sender_name = sender_name
        self._own_name = socket.getfqdn()

    async def send(self, mail: Mail) -> None:
        message = self._message(mail)
        try:
            await aiosmtplib.send(
                message,
                hostname=self._url.hostname,
                port=self._url.port,
                username=unquote(self._url.username) if self._url.username else None,
                password=unquote(self._url.password) if self._url.password else None,
                use_tls=self._url.scheme == "smtps",
                # Without it the library asks the name service at every message.
                local_hostname=self._own_name,
                timeout=_TIMEOUT_SECONDS,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refusal([recipient.code for recipient in error.recipients]) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            # Only the class is told: a server's text may repeat the address.
            raise MailNotAcceptedError(type(error).__name__) from None

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage()
        message["From"] = _address(self._sender_name, self._sender)
        message["To"] = _address(mail.to_name, mail.to_address)
        message["Subject"] = mail.subject
        message["Date"] = formatdate(localtime=False)
        # The same step of the same registration keeps its id, so a second copy after a crash is
        # recognised as one message by programs that look.
        message["Message-ID"] = f"<{mail.message_key}@{self._sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        message.add_alternative(mail.html, subtype="html")
        return message


def _address(name: str, address: str) -> Address:
    """Raise MailAddressRejectedError for an address that no mail can be sent to."""
    if not _ADDRESS.fullmatch(address) or _CONTROL_CHARACTERS & set(address):
        raise MailAddressRejectedError("malformed address")
    local, _, domain = address.partition("@")
    clean_name = "".join(char for char in name if char not in _CONTROL_CHARACTERS)
    return Address(display_name=clean_name, username=local, domain=domain)


def _refusal(codes: list[int]) -> MailAddressRejectedError | MailNotAcceptedError:
    if any(code in _PERMANENT for code in codes):
        return MailAddressRejectedError("the server refuses the address")
    return MailNotAcceptedError("the server defers the address")
