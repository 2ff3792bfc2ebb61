"""How each kind of value is written, and what a wrong one is told."""

import base64
import binascii
import re
import ssl
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from mipres.domain.addresses import is_usable
from mipres.domain.clients import Client, UnusableClientError
from mipres.domain.errors import UnusableTableError
from mipres.domain.professions import ProfessionTable
from mipres.domain.sanctions import SanctionTable
from mipres.oidc_clients import entries_in, usable
from mipres.oidc_keys import UnusableKeysError, read_keys

_KEY_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,39}")
KEY_BYTES = 32
SMTP_SCHEMES = ("smtps", "smtp+starttls", "smtp")
SIGNS_IN_AN_ADDRESS = "en la clave, `/` se escribe `%2F`, `?` `%3F` y `#` `%23`."


def _keys_by_id(value: object) -> object:
    if not isinstance(value, str):
        return value
    entries = [entry.strip().partition(":") for entry in value.split(",") if entry.strip()]
    try:
        keys = {key_id: base64.b64decode(encoded, validate=True) for key_id, _, encoded in entries}
    except binascii.Error:
        keys = {"": b""}
    if any(len(key) != KEY_BYTES for key in keys.values()):
        raise ValueError(f"cada clave debe ser el base64 de {KEY_BYTES} bytes: `id:base64,id:base64`.")
    if not keys or "" in keys or len(keys) < len(entries):
        raise ValueError("use `id:base64,id:base64`, con identificadores distintos; la primera es la activa.")
    return keys


def _separated_by_commas(value: object) -> object:
    return [key.strip() for key in value.split(",") if key.strip()] if isinstance(value, str) else value


def _api_keys(value: object) -> object:
    """`name:key`, or a key alone; each is kept as written."""
    entries = _separated_by_commas(value)
    for entry in entries if isinstance(entries, list) else ():
        name, separator, key = entry.partition(":")
        if separator and not (_KEY_NAME.fullmatch(name) and key):
            raise ValueError(
                "use `nombre:clave` o solo la clave; el nombre, con minúsculas, dígitos, punto o guion."
            )
    return entries


def _networks(value: object) -> object:
    try:
        return [ip_network(item) for item in _separated_by_commas(value)]  # type: ignore[attr-defined]
    except ValueError:
        raise ValueError(
            "use direcciones o redes separadas por comas, como `10.0.0.5,192.168.0.0/24`."
        ) from None


def _web_page(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("debe empezar por https:// (o por http:// en desarrollo).")
    try:
        # urlsplit itself checks the port's range and the brackets of IPv6.
        parts = urlsplit(value)
        is_complete = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        is_complete = False
    if not is_complete or re.search(r"\s", value):
        raise ValueError("use `https://servidor/ruta`, sin espacios, usuario ni clave.")
    return value


def _web_address(value: str) -> str:
    """Addresses of a service's parts are written after it."""
    if "?" in value or "#" in value:
        raise ValueError("use `https://servidor/ruta`, sin nada desde `?` o `#`.")
    return _web_page(value).rstrip("/")


def _server_address(value: str) -> str:
    try:
        # urlsplit itself checks the port's range and the brackets of IPv6.
        parts = urlsplit(f"//{value}")
        is_complete = bool(parts.hostname and parts.port) and parts.netloc == value
    except ValueError:
        is_complete = False
    if not is_complete or "@" in value or re.search(r"\s", value):
        raise ValueError("use `servidor:puerto`, como `temporal:7233`.")
    return value


def _mail_address(value: str) -> str:
    if not is_usable(value):
        raise ValueError("debe ser una dirección de correo, como `ayuda@entidad.gov.co`.")
    return value


def _matching(pattern: str, remedy: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(remedy)
        return value

    return AfterValidator(check)


def _sent_in_a_header(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]+", value.get_secret_value()):
        raise ValueError("use solo letras, dígitos y signos de ASCII, sin espacios: viaja en una cabecera.")
    return value


ServerAddress = Annotated[str, AfterValidator(_server_address)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
WebPage = Annotated[str, AfterValidator(_web_page)]
# Temporal refuses every poll of a worker whose deployment has another name, and the worker does not say so.
DeploymentName = Annotated[
    str, _matching(r"(?!__)[\w-]+", "use letras, dígitos y guiones, sin puntos, como `registro`.")
]
BuildName = Annotated[
    str, _matching(r"(?!__)[\w.+-]+", "use letras, dígitos, puntos y guiones, como `0.2.0`.")
]
Token = Annotated[SecretStr, AfterValidator(_sent_in_a_header)]
PublicAddress = Annotated[str, AfterValidator(_mail_address)]
TelephoneNumber = Annotated[
    str,
    _matching(
        r"\+?[0-9][0-9 ().-]{5,24}", "debe ser un número de teléfono, como `601 330 5043` o `018000 960020`."
    ),
]
Port = Annotated[int, Field(ge=1, le=65535)]
KeysById = Annotated[Mapping[str, bytes], NoDecode, BeforeValidator(_keys_by_id), Field(repr=False)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_separated_by_commas)]
ApiKeys = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_api_keys)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_networks)]


def _usable_table(read: Callable[[Path], object]) -> Callable[[Path], Path]:
    def check(file: Path) -> Path:
        try:
            read(file)
        except UnusableTableError:
            raise ValueError("no es una tabla legible; vea `docs/registries.md`.") from None
        return file

    return check


ProfessionsFile = Annotated[Path, AfterValidator(_usable_table(ProfessionTable.read))]
SanctionsFile = Annotated[Path, AfterValidator(_usable_table(SanctionTable.read))]


def _clients(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return usable(entries_in(value))
    except UnusableClientError as error:
        raise ValueError(str(error)) from None


def _usable_keys(file: Path) -> Path:
    try:
        read_keys(file)
    except UnusableKeysError as error:
        raise ValueError(str(error)) from None
    return file


OidcClients = Annotated[Mapping[str, Client], NoDecode, BeforeValidator(_clients), Field(repr=False)]
OidcKeysFile = Annotated[Path, AfterValidator(_usable_keys)]


def _smtp_address(value: SecretStr) -> SecretStr:
    try:
        address = urlsplit(value.get_secret_value())
        is_complete = bool(address.hostname) and address.port != 0 and not re.search(r"\s", address.netloc)
    except ValueError:
        address, is_complete = urlsplit(""), False
    # A password's sign that ends the server's part would make the rest of it vanish.
    has_more = bool(address.path.strip("/") or address.query or address.fragment)
    if address.scheme not in SMTP_SCHEMES or not is_complete or has_more:
        raise ValueError(
            "use `smtps://usuario:clave@servidor:puerto` o `smtp+starttls://…`; " + SIGNS_IN_AN_ADDRESS
        )
    return value


UNREADABLE = "no se pudo leer el archivo; revise la ruta y los permisos."


def _readable(file: Path) -> Path:
    try:
        file.read_bytes()
    except OSError:
        raise ValueError(UNREADABLE) from None
    return file


def _authority(file: Path) -> Path:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(_readable(file))
    except ssl.SSLError:
        raise ValueError("no es el certificado (PEM) de una autoridad.") from None
    return file


ReadableFile = Annotated[Path, AfterValidator(_readable)]
AuthorityFile = Annotated[Path, AfterValidator(_authority)]
SmtpAddress = Annotated[SecretStr, AfterValidator(_smtp_address)]


def _without_comma(value: SecretStr) -> SecretStr:
    if "," in value.get_secret_value():
        raise ValueError("no puede tener comas: separan las claves anteriores; genere otra.")
    return value


SecretKey = Annotated[SecretStr, AfterValidator(_without_comma)]
