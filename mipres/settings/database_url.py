"""The forms in which people write the address of a database."""

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from pydantic import AfterValidator, SecretStr

from mipres.database.tls import FILES, MODES, OF_THE_SYSTEM, tls_of
from mipres.settings.values import SIGNS_IN_AN_ADDRESS

DATABASE_SCHEMES = ("postgresql", "postgres", "postgresql+asyncpg")
DATABASE_OPTIONS = ("sslmode", *FILES, "host", "port", "application_name", "options")
_DATABASE_FORM = (
    "use `postgresql://usuario:clave@servidor:puerto/base`, con `?sslmode=verify-full` si la red no es suya; "
    + SIGNS_IN_AN_ADDRESS
)


def _not_empty(value: SecretStr) -> SecretStr:
    if not value.get_secret_value():
        raise ValueError("falta; defínala (`make run` trae su propio PostgreSQL).")
    return value


def _database_address(value: SecretStr) -> SecretStr:
    """Read the forms that people use as the one of SQLAlchemy."""
    given = _not_empty(value).get_secret_value()
    try:
        address = urlsplit(given)
        login, server, port = _login_of(address), *_server_of(address)
    except ValueError:
        raise ValueError(_DATABASE_FORM) from None
    options = _database_options(address.query)
    if server.startswith("/"):
        options = {**options, "host": server, "port": port.removeprefix(":") or "5432"}
        server = port = ""
    base = address.path.strip("/")
    is_complete = bool(server or options.get("host")) and bool(base)
    is_one_server = "," not in server + options.get("host", "")
    if address.scheme not in DATABASE_SCHEMES or address.fragment or not (is_complete and is_one_server):
        raise ValueError(_DATABASE_FORM)
    # By parts: `urlunsplit` drops the two slashes where neither a login nor a server follows.
    query = f"?{urlencode(options)}" if options else ""
    return SecretStr(f"postgresql+asyncpg://{login}{server}{port}/{base}{query}")


def _server_of(address: SplitResult) -> tuple[str, str]:
    """Name and port, which has its colon where there is one.

    What the standard library calls `hostname` is in small letters; a socket's directory may not be.
    """
    parts = re.fullmatch(r"(\[\S+\]|[^\s:]*)(?::(\d*))?", address.netloc.rpartition("@")[2])
    # The port's range is checked where it is read.
    if parts is None or address.port == 0:
        raise ValueError(_DATABASE_FORM)
    return unquote(parts[1]), "" if address.port is None else f":{address.port}"


def _login_of(address: SplitResult) -> str:
    """User and password, with every sign that has a meaning in an address in its other form."""
    if not address.username:
        if address.password:
            raise ValueError(_DATABASE_FORM)
        return ""
    words = [quote(unquote(word), safe="") for word in (address.username, address.password) if word]
    return f"{':'.join(words)}@"


def _database_options(query: str) -> dict[str, str]:
    """What follows the question mark; drivers of other languages write `ssl` for `sslmode`."""
    options = {"sslmode" if name == "ssl" else name: text for name, text in parse_qsl(query)}
    if unknown := sorted(set(options) - set(DATABASE_OPTIONS)):
        raise ValueError(f"no conoce la opción `{unknown[0]}`; use solo {', '.join(DATABASE_OPTIONS)}.")
    if options.get("sslmode", "prefer") not in MODES:
        raise ValueError(f"`sslmode` debe ser {', '.join(MODES)}.")
    if not re.fullmatch(r"0*[1-9]\d{0,4}", options.get("port", "5432")):
        raise ValueError(_DATABASE_FORM)
    if "sslkey" in options and "sslcert" not in options:
        raise ValueError("`sslkey` va con `sslcert`: falta el certificado (PEM).")
    files = [name for name in FILES if name in options]
    try:
        for file in files:
            if options[file] != OF_THE_SYSTEM:
                Path(options[file]).read_bytes()
        tls_of(options)
    except OSError:
        raise ValueError(
            f"no se pudo usar {', '.join(f'`{name}`' for name in files)}: cada uno nombra un archivo PEM legible."
        ) from None
    return options


DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_address)]
