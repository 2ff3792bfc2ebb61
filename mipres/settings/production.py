"""What keeps a process of production from starting."""

import base64
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from urllib.parse import urlsplit

from pydantic import SecretStr

from mipres.domain.clients import is_a_secret_of
from mipres.settings.fields import MINIMUM_SECRET_LENGTH, Fields
from mipres.settings.names import DEVELOPMENT_CLIENT_SECRET, DEVELOPMENT_KEY, file_of, variable
from mipres.settings.values import SMTP_SCHEMES

LEAST_DIFFERENT_BYTES = 16
"""Fewer come from a pattern or a keyboard, not from chance: 32 random bytes have some 30."""
LONGEST_LINK_HOURS = 168
WIDEST_PROXY_NETWORK = {4: 8, 6: 16}
"""Length of the shortest prefix, by version of the address."""
ENCRYPTED_SMTP_SCHEMES = SMTP_SCHEMES[:2]
_KEYS_OF_BYTES = ("payload_keys", "audit_keys")


def production_refusals(settings: Fields) -> Iterator[str]:
    """What keeps a production process from starting, the most basic first."""
    required = ("audit_keys", "api_keys", "database_url", "temporal_address", "smtp_url", "public_url")
    registries = ("miseguridadsocial", "rethus", "sso")
    for field in (*required, *(f"{name}_{kind}" for name in registries for kind in ("url", "token"))):
        if field not in settings.model_fields_set:
            yield f"{variable(field)}: falta; en producción no tiene valor por defecto."
    yield from _weak_secrets(settings)
    for field in ("public_url", "temporal_ui_url", "miseguridadsocial_url", "rethus_url", "sso_url"):
        if not getattr(settings, field).startswith("https://"):
            yield f"{variable(field)}: en producción debe empezar por https://."
    yield from _connections_in_clear(settings)
    yield from _limits_without_limit(settings)
    yield from _unsafe_applications(settings)
    if settings.captcha == "off":
        yield f"{variable('captcha')}: en producción no puede ser `off`; use `image` o `proof`."
    if settings.rate_limits != "on":
        yield f"{variable('rate_limits')}: en producción debe ser `on`."


def _unsafe_applications(settings: Fields) -> Iterator[str]:
    clients = settings.oidc_clients.values()
    if (clients or file_of("oidc_clients")) and settings.oidc_keys_file is None:
        yield f"{variable('oidc_keys_file')}: falta; firma lo que reciben las aplicaciones."
    if is_a_secret_of(clients, DEVELOPMENT_CLIENT_SECRET):
        yield f"{variable('oidc_clients')}: una aplicación tiene el secreto de desarrollo; genere otro."


def _connections_in_clear(settings: Fields) -> Iterator[str]:
    if urlsplit(settings.smtp_url.get_secret_value()).scheme not in ENCRYPTED_SMTP_SCHEMES:
        yield f"{variable('smtp_url')}: en producción use `smtps://` o `smtp+starttls://`, que cifran."
    is_encrypted = settings.temporal_tls_cert or settings.temporal_tls_ca or settings.temporal_api_key
    if not is_encrypted and settings.temporal_plaintext != "accepted":
        yield (
            f"{variable('temporal_plaintext')}: la conexión con Temporal ({variable('temporal_address')}) no se "
            f"cifra; defina {variable('temporal_tls_cert')} y {variable('temporal_tls_key')}, "
            f"{variable('temporal_tls_ca')} o {variable('temporal_api_key')}, o acéptelo con `accepted`."
        )


def _limits_without_limit(settings: Fields) -> Iterator[str]:
    if settings.password_link_hours > LONGEST_LINK_HOURS:
        yield f"{variable('password_link_hours')}: en producción debe ser como máximo {LONGEST_LINK_HOURS}."
    # Halves that touch are one network: the whole internet can be written as many small ones.
    trusted = settings.trusted_proxies
    fourth = collapse_addresses(network for network in trusted if isinstance(network, IPv4Network))
    sixth = collapse_addresses(network for network in trusted if isinstance(network, IPv6Network))
    for version, networks in ((4, fourth), (6, sixth)):
        shortest = WIDEST_PROXY_NETWORK[version]
        if any(network.prefixlen < shortest for network in networks):
            yield (
                f"{variable('trusted_proxies')}: nombre solo sus proxies; en IPv{version} "
                f"ninguna red más amplia que /{shortest}."
            )


def _weak_secrets(settings: Fields) -> Iterator[str]:
    secrets = _own_secrets(settings)
    for field in ("secret_key", "secret_key_previous", "api_keys"):
        values = secrets[field]
        if any(len(value) < MINIMUM_SECRET_LENGTH for value in values) or (
            field == "api_keys" and not values
        ):
            yield (
                f"{variable(field)}: use al menos {MINIMUM_SECRET_LENGTH} caracteres aleatorios, "
                "nunca el valor de desarrollo."
            )
    used: set[bytes] = set()
    for field, values in secrets.items():
        for value in values:
            if _different_bytes(value, is_text=field not in _KEYS_OF_BYTES) < LEAST_DIFFERENT_BYTES:
                yield (
                    f"{variable(field)}: use una clave aleatoria, "
                    f"con al menos {LEAST_DIFFERENT_BYTES} bytes distintos."
                )
            if not used.isdisjoint(readings := _readings(value)):
                yield f"{variable(field)}: repite otra clave; cada una debe ser distinta de las demás."
            used |= readings
    for field in ("miseguridadsocial_token", "rethus_token", "sso_token"):
        if getattr(settings, field).get_secret_value() in {"", DEVELOPMENT_KEY}:
            yield f"{variable(field)}: use el que entregó la entidad, nunca el valor de desarrollo."


def _own_secrets(settings: Fields) -> dict[str, list[bytes]]:
    """Every key and secret that the operator makes, by setting."""
    texts = {
        "secret_key": (settings.secret_key,),
        "secret_key_previous": settings.secret_key_previous,
        "api_keys": tuple(SecretStr(key) for _, key in settings.named_api_keys),
        "metrics_key": (settings.metrics_key,) if settings.metrics_key else (),
    }
    return {
        **{field: [text.get_secret_value().encode() for text in values] for field, values in texts.items()},
        **{field: list(getattr(settings, field).values()) for field in _KEYS_OF_BYTES},
    }


def _different_bytes(value: bytes, *, is_text: bool) -> int:
    """How many bytes of a key differ; hexadecimal has only sixteen signs, so its bytes count."""
    different = len(set(value))
    if is_text:
        with suppress(ValueError):
            different = max(different, len(set(bytes.fromhex(value.decode()))))
    return different


def _readings(value: bytes) -> set[bytes]:
    """A key as written and, where it is the text of bytes, those: one key in two forms."""
    readings = {value}
    for read in (bytes.fromhex, lambda text: base64.b64decode(text, validate=True)):
        with suppress(ValueError):
            readings.add(read(value.decode()))
    return readings
