"""Requests of applications, and since when the person has known of them."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode

from mipres.ports import Clock

ASKED_AT = "desde"
"""When login or consent was asked for: a moment in milliseconds, and its seal."""
DECLINED = "no_autoriza"
"""That the person has said no to this request."""
_OWN = (ASKED_AT, DECLINED)


class AskedRequests:
    """Dates requests that lead to the login or the page of consent, and back.

    The date is sealed with the whole request: without that, a visitor at a browser that was left alone could say that
    a login of before was one for a request that demands another.

    Args:
        keys: Seal dates; the first one seals new ones.
        clock: Says when a request was asked.
    """

    def __init__(self, keys: Sequence[bytes], *, clock: Clock) -> None:
        self._keys, self._clock = tuple(keys), clock

    def dated(self, values: Mapping[str, str]) -> str:
        """The request as a query, asked at this moment."""
        moment = str(int(self._clock.now().timestamp() * 1000))
        seal = _seal(self._keys[0], values, moment)
        return urlencode({**values, ASKED_AT: f"{moment}.{seal}"})

    def since(self, values: Mapping[str, str]) -> datetime | None:
        """Since when the person has known of it.

        None at first, and for a date that was not made here.
        """
        moment, _, given = values.get(ASKED_AT, "").partition(".")
        if not any(hmac.compare_digest(_seal(key, values, moment), given) for key in self._keys):
            return None
        return datetime.fromtimestamp(int(moment) / 1000, UTC)


def _seal(key: bytes, values: Mapping[str, str], moment: str) -> str:
    asked = urlencode(sorted((name, value) for name, value in values.items() if name not in _OWN))
    return hmac.new(key, f"{moment} {asked}".encode(), hashlib.sha256).hexdigest()
