"""Applications that log people in here, and what each learns of a person."""

import hashlib
import hmac
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from mipres.domain.access import Access, AccessState, ProfileAccess
from mipres.domain.applications import Application, application_of
from mipres.domain.errors import MipresError
from mipres.domain.roles import roles_of, waits_for_a_role
from mipres.domain.submissions import UserType

SCOPES = ("openid", "email", "mipres", "offline_access")
SCOPE_WORDS = {
    "openid": "Su nombre y su usuario, y cuándo ingresó",
    "email": "Su correo electrónico",
    "mipres": "Su documento y sus perfiles vigentes, con entidad, profesión y roles",
    "offline_access": "Los mismos datos también cuando usted no esté, hasta que pasen 30 días sin consultarlos",
}
"""What a person is asked to allow."""
LEAST_SECRET_CHARACTERS = 16
# What only the owner of an EC, RSA or symmetric key may have (RFC 7518, section 6).
_PRIVATE_PARTS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


LOGOUT_WORTH_TELLING = timedelta(days=1)
"""How long an application that does not answer is tried."""


class UnusableClientError(MipresError):
    """A client's entry cannot be used; the text names the field and the remedy."""


class Audience(StrEnum):
    """Who may enter an application."""

    DELEGATES = "delegates"
    PRESCRIBERS = "prescribers"
    EVERYBODY = "everybody"

    @property
    def doors(self) -> tuple[Application, ...]:
        """The logins that lead there, the usual one first."""
        return _DOORS[self]


_DOORS = {
    Audience.DELEGATES: (Application.ADMINISTRATION,),
    Audience.PRESCRIBERS: (Application.MIPRES,),
    Audience.EVERYBODY: (Application.MIPRES, Application.ADMINISTRATION),
}


@dataclass(frozen=True, kw_only=True)
class Client:
    """One application, as OIDC_CLIENTS describes it.

    Attributes:
        client_secret_hash: SHA-256 of its secret, in hexadecimal digits; the secret itself is random, so it needs no
            slow hash. None where a key of `jwks` proves who it is.
        jwks: Its public keys, as a JSON Web Key Set.
        redirect_uris: Where codes may be sent, to the letter.
        backchannel_logout_uri: Where the end of a session is announced.
        previous_secret_hash: What proved who it is before the last rotation; it counts until `previous_secret_until`.
        previous_jwks: The same of keys, until `previous_jwks_until`.
        start_uri: Where a person enters it: the login of its door leads there, if no page asked for the login.
        external: It is of an institution outside the state, so each person has to allow it.
        disabled: It lets no person in; it still hears of logouts.
    """

    client_id: str
    client_name: str
    client_secret_hash: str | None = field(default=None, repr=False)
    jwks: Mapping[str, Any] | None = field(default=None, hash=False)
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str | None = None
    start_uri: str | None = None
    audience: Audience = Audience.EVERYBODY
    require_second_factor: bool = False
    external: bool = False
    previous_secret_hash: str | None = field(default=None, repr=False)
    previous_secret_until: datetime | None = None
    previous_jwks: Mapping[str, Any] | None = field(default=None, hash=False)
    previous_jwks_until: datetime | None = None
    disabled: bool = False

    def has_secret(self, secret: str, *, now: datetime) -> bool:
        """Whether this is a secret of its own now, in a time that tells nothing of it."""
        given = secret_hash(secret)
        own = [self.client_secret_hash]
        if self.previous_secret_until and now < self.previous_secret_until:
            own.append(self.previous_secret_hash)
        return any(hmac.compare_digest(given, digest) for digest in own if digest)

    def key_sets(self, *, now: datetime) -> tuple[Mapping[str, Any], ...]:
        """Its public keys now, and those before the last rotation while they count."""
        is_still = self.previous_jwks_until is not None and now < self.previous_jwks_until
        return tuple(keys for keys in (self.jwks, self.previous_jwks if is_still else None) if keys)


def secret_hash(secret: str) -> str:
    """The hash of a client's secret."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def is_a_secret_of(clients: Iterable[Client], secret: str) -> bool:
    """Whether this is a secret of one of them, now or before its last rotation."""
    digests = {digest for one in clients for digest in (one.client_secret_hash, one.previous_secret_hash)}
    return secret_hash(secret) in digests


def start_of(clients: Iterable[Client], door: Application) -> str | None:
    """Where a person who logged in at a door goes on: its first application."""
    starts = (one.start_uri for one in clients if one.audience.doors == (door,) and not one.disabled)
    return next((start for start in starts if start), None)


def clients_in(entries: Sequence[Mapping[str, Any]]) -> dict[str, Client]:
    """Read the clients of a setting, by id.

    Raises:
        UnusableClientError: an entry is wrong, or an id stands twice.
    """
    clients = [_client(dict(entry)) for entry in entries]
    by_id = {client.client_id: client for client in clients}
    if len(by_id) < len(clients):
        raise UnusableClientError("client_id: cada aplicación necesita uno distinto.")
    return by_id


def _client(entry: dict[str, Any]) -> Client:
    known = set(Client.__dataclass_fields__)
    if unknown := sorted(set(entry) - known):
        raise UnusableClientError(f"{unknown[0]}: ese campo no existe; use {', '.join(sorted(known))}.")
    for name in ("client_id", "client_name", "redirect_uris"):
        if not entry.get(name):
            raise UnusableClientError(f"{name}: falta.")
    client_id = str(entry["client_id"])
    if not (client_id.isascii() and client_id.replace("-", "").replace("_", "").isalnum()):
        raise UnusableClientError("client_id: use letras sin tilde, cifras, guion y guion bajo.")
    try:
        audience = Audience(entry.get("audience", Audience.EVERYBODY))
    except ValueError:
        raise UnusableClientError(f"audience: use {', '.join(Audience)}.") from None
    secret_until, keys_until = (_moment(entry, f"previous_{kind}_until") for kind in ("secret", "jwks"))
    return Client(
        client_id=client_id,
        client_name=str(entry["client_name"]),
        **_proof(entry),
        redirect_uris=_addresses("redirect_uris", entry["redirect_uris"]),
        post_logout_redirect_uris=_addresses(
            "post_logout_redirect_uris", entry.get("post_logout_redirect_uris") or ()
        ),
        backchannel_logout_uri=_address(entry, "backchannel_logout_uri"),
        start_uri=_address(entry, "start_uri"),
        audience=audience,
        require_second_factor=_flag(entry, "require_second_factor"),
        external=_flag(entry, "external"),
        previous_secret_hash=_digest(entry, "previous_secret_hash") if secret_until else None,
        previous_secret_until=secret_until,
        previous_jwks=_key_set(entry, "previous_jwks") if keys_until else None,
        previous_jwks_until=keys_until,
        disabled=_flag(entry, "disabled"),
    )


def _proof(entry: Mapping[str, Any]) -> dict[str, Any]:
    """By what the application proves who it is: its secret, or one of its keys."""
    secret, jwks = entry.get("client_secret_hash"), entry.get("jwks")
    if not secret and not jwks:
        raise UnusableClientError("client_secret_hash: falta; use este campo o jwks.")
    if secret and jwks:
        raise UnusableClientError("jwks: use este campo o client_secret_hash, no los dos.")
    if secret:
        return {"client_secret_hash": _digest(entry, "client_secret_hash")}
    return {"jwks": _key_set(entry, "jwks")}


def _key_set(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    jwks = entry.get(name)
    keys = jwks.get("keys") if isinstance(jwks, Mapping) else None
    if jwks is None or not isinstance(keys, list) or not keys or not all(map(_is_public_key, keys)):
        raise UnusableClientError(f"{name}: use un JSON Web Key Set con claves públicas EC P-256 o RSA.")
    return dict(jwks)


def _is_public_key(key: object) -> bool:
    if not isinstance(key, Mapping) or _PRIVATE_PARTS & set(key):
        return False
    return key.get("kty") == "RSA" or (key.get("kty"), key.get("crv")) == ("EC", "P-256")


def _digest(entry: Mapping[str, Any], name: str) -> str:
    digest = str(entry.get(name)).lower()
    if len(digest) != hashlib.sha256().digest_size * 2 or set(digest) - set("0123456789abcdef"):
        raise UnusableClientError(f"{name}: use el SHA-256 del secreto, en 64 cifras hexadecimales.")
    return digest


def _flag(entry: Mapping[str, Any], name: str) -> bool:
    value = entry.get(name, False)
    if not isinstance(value, bool):
        raise UnusableClientError(f"{name}: use true o false.")
    return value


def _moment(entry: Mapping[str, Any], name: str) -> datetime | None:
    if entry.get(name) is None:
        return None
    moment = None
    with suppress(ValueError):
        moment = datetime.fromisoformat(str(entry[name]))
    if moment is None or moment.tzinfo is None:
        raise UnusableClientError(f"{name}: use una fecha con hora y zona, como 2026-11-26T10:00:00+00:00.")
    return moment


def _address(entry: Mapping[str, Any], name: str) -> str | None:
    return _addresses(name, (entry[name],))[0] if entry.get(name) else None


def _addresses(name: str, values: object) -> tuple[str, ...]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise UnusableClientError(f"{name}: use una lista de direcciones.")
    addresses = tuple(str(value) for value in values)
    if not all(map(_is_usable, addresses)):
        raise UnusableClientError(
            f"{name}: cada dirección empieza por https:// y no lleva espacios, usuario ni fragmento."
        )
    return addresses


def _is_usable(address: str) -> bool:
    """Whether a browser goes just there.

    The `#` alone counts, too: behind it, the answer would reach no server.
    """
    try:
        parts = urlsplit(address)
        # It is checked when it is read.
        port = parts.port
    except ValueError:
        return False
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    is_plain = address.isascii() and address.isprintable() and not set(address) & set(" #\\")
    return is_safe and is_plain and bool(parts.hostname) and parts.username is None and port != 0


@dataclass(frozen=True, kw_only=True)
class EndedLogin:
    """A session that an application let a person in for, and that is over.

    Attributes:
        ended_at: When the last of what the application was given for it ended.
    """

    client_id: str
    account_id: uuid.UUID
    session_id: uuid.UUID
    ended_at: datetime


class LogoutAnswer(StrEnum):
    """What an application made of a logout that it was notified of."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """For good: the same again would be refused too."""
    DEFERRED = "deferred"
    """It answered, but could not take it now."""
    NONE = "none"
    """It did not answer."""


@dataclass(frozen=True, kw_only=True)
class ProfileFacts:
    """One profile, with what an application may learn of it."""

    access: ProfileAccess
    entity: Mapping[str, str | None] | None
    profession: str | None
    professional_registration: str | None
    site_code: str | None


@dataclass(frozen=True, kw_only=True)
class PersonFacts:
    """One account, with what an application may learn of it.

    Attributes:
        subject: Names the account to applications; it is random and never changes.
    """

    subject: str
    login: str
    full_name: str
    email: str
    document_type: str
    document_number: str
    access: Access
    profiles: tuple[ProfileFacts, ...]


def may_enter(person: PersonFacts, audience: Audience, *, today: date) -> bool:
    """Whether the person has access today through one of the application's doors."""
    return bool(person.access.applications(today) & set(audience.doors))


def profiles_for(person: PersonFacts, audience: Audience, *, today: date) -> list[ProfileFacts]:
    """The profiles that an application may learn.

    Those in force today, and of its own doors.
    """
    return [
        profile
        for profile in person.profiles
        if person.access.state_of(profile.access, today) is AccessState.IN_FORCE
        and application_of(profile.access.user_type) in audience.doors
    ]


def claims_of(
    person: PersonFacts, scopes: frozenset[str], audience: Audience, *, today: date
) -> dict[str, Any]:
    """What an application learns: nothing without `openid`.

    Of profiles only those in force today, and of its own doors.
    """
    if "openid" not in scopes:
        return {}
    claims: dict[str, Any] = {
        "sub": person.subject,
        "preferred_username": person.login,
        "name": person.full_name,
    }
    if "email" in scopes:
        claims["email"] = person.email
    if "mipres" in scopes:
        profiles = profiles_for(person, audience, today=today)
        claims["document"] = {"type": person.document_type, "number": person.document_number}
        claims["profiles"] = [_profile_claim(profile) for profile in profiles]
        # Applications behind a header read no nested lists.
        claims["roles"] = sorted({role for item in claims["profiles"] for role in item["roles"]})
    return claims


def _profile_claim(profile: ProfileFacts) -> dict[str, Any]:
    user_type, last_day = profile.access.user_type, profile.access.last_day
    return {
        "user_type": user_type.value,
        "entity": dict(profile.entity) if profile.entity else None,
        "profession": profile.profession,
        "professional_registration": profile.professional_registration,
        "site_code": profile.site_code,
        "valid_until": last_day.isoformat() if last_day else None,
        "roles": _roles(user_type),
    }


def _roles(user_type: UserType) -> list[str]:
    """The roles that the registration itself gives."""
    return [] if waits_for_a_role(user_type) else [role.value for role in roles_of(user_type)]
