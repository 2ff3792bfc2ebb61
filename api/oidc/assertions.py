"""`private_key_jwt`: an application proves who it is by its private key.

RFC 7523 and OpenID Connect Core 1.0, section 9.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from authlib.oauth2.rfc6749 import InvalidClientError, OAuth2Request
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy.orm import Session

from mipres.database import grants
from mipres.domain.audit import AuditEvent
from mipres.oidc_clients import keys_of
from mipres.oidc_keys import ALGORITHMS, UNREADABLE

PRIVATE_KEY_JWT = "private_key_jwt"
ASSERTION_ALGORITHMS = sorted({*ALGORITHMS.values()})
_LONGEST_LIFETIME = timedelta(minutes=5)
_SKEW = timedelta(seconds=30)


class ClientAssertion(JWTBearerClientAssertion):  # type: ignore[misc]
    """One call's reader of assertions.

    Args:
        audiences: The addresses of this provider that an assertion may be meant for.
        events: Takes what the trail records at the end of the transaction.
    """

    CLIENT_AUTH_METHOD = PRIVATE_KEY_JWT

    def __init__(
        self, db: Session, audiences: frozenset[str], *, now: datetime, events: list[AuditEvent]
    ) -> None:
        super().__init__(leeway=int(_SKEW.total_seconds()))
        self._db, self._audiences, self._now, self._events = db, audiences, now, events
        self._key_sets: list[KeySet] = []

    def __call__(self, query_client: Any, request: OAuth2Request) -> Any:
        try:
            return super().__call__(query_client, request)
        except UNREADABLE:
            # Authlib lets them through.
            raise InvalidClientError(description="client_assertion cannot be read") from None

    def get_audiences(self) -> list[str]:
        return sorted(self._audiences)

    def resolve_client_public_key(self, client: Any) -> KeySet:
        self._key_sets = [keys_of(jwks) for jwks in client.own.key_sets(now=self._now)]
        if not self._key_sets:
            raise InvalidClientError(description="this client has no keys")
        return self._key_sets[0]

    def process_assertion_claims(self, assertion: str, resolve_key: KeySet) -> dict[str, Any]:  # noqa: ARG002 - one set of several.
        """Take signatures of a private key only; Authlib takes other algorithms too."""
        claims = self._signed_claims(assertion)
        self.verify_claims(claims)
        return claims

    def _signed_claims(self, assertion: str) -> dict[str, Any]:
        """What one of its keys has signed."""
        # Those before a rotation are a set apart: a key that was alone may have no name.
        for keys in self._key_sets:
            with suppress(*UNREADABLE):
                return dict(jwt.decode(assertion, keys, algorithms=ASSERTION_ALGORITHMS).claims)
        raise InvalidClientError(description="no key of this client has signed the assertion")

    def validate_jti(self, claims: Mapping[str, Any], jti: object) -> bool:
        """Whether it counts: for this provider alone, for minutes, and once."""
        named = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if not self._audiences.issuperset(named):
            raise InvalidClientError(description="aud must name this provider alone")
        last = self._now + _LONGEST_LIFETIME + _SKEW
        if not isinstance(jti, str) or not jti or claims["exp"] > last.timestamp():
            raise InvalidClientError(description="an assertion needs a jti and lives five minutes at most")
        until = datetime.fromtimestamp(claims["exp"], UTC) + _SKEW
        return grants.claim_assertion(self._db, claims["sub"], jti, expires_at=until, events=self._events)
