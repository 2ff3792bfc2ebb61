"""How a connection to PostgreSQL is encrypted, by the options that libpq knows.

asyncpg reads them too, but finds no authority by itself where there is no home directory.
"""

import ssl
from collections.abc import Mapping

MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
FILES = ("sslrootcert", "sslcert", "sslkey")
"""The options that name a file."""
OF_THE_SYSTEM = "system"


def tls_of(options: Mapping[str, str]) -> ssl.SSLContext | str | None:
    """Return asyncpg's argument `ssl`; None where the options do not say.

    Without `sslrootcert` a verified connection trusts the system's authorities. With it, `require` verifies
    too, as in libpq.

    Raises:
        OSError: a named file cannot be used; `ssl.SSLError` is one of these.
    """
    mode, root = options.get("sslmode"), options.get("sslrootcert")
    is_verified = mode in {"verify-ca", "verify-full"} or (mode == "require" and root is not None)
    if mode == "disable" or not (is_verified or "sslcert" in options):
        return mode
    context = ssl.create_default_context(cafile=None if root == OF_THE_SYSTEM else root)
    context.check_hostname = mode == "verify-full"
    if not is_verified:
        context.verify_mode = ssl.CERT_NONE
    if "sslcert" in options:
        # Without a password it would ask for the one of an encrypted key.
        context.load_cert_chain(options["sslcert"], options.get("sslkey"), password="")
    return context
