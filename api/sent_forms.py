"""Which forms a browser sent: only it may see why one was refused."""

from datetime import UTC, datetime, timedelta
from typing import Final

from itsdangerous import BadData, URLSafeSerializer
from starlette.requests import Request
from starlette.responses import Response

from api.security import Cookies
from mipres.domain.radicado import is_radicado
from mipres.ports import Clock

# A registration waits for a registry for seven days at most, and its end is worth a look for another day.
LIFETIME: Final = timedelta(days=8)
_COOKIE: Final = "enviados"
_MOST: Final = 8


class SentForms:
    """Radicados of the forms that a browser sent, in a cookie that we sign."""

    def __init__(self, key: bytes, *, cookies: Cookies, clock: Clock) -> None:
        self._serializer = URLSafeSerializer(key, salt="sent-forms")
        self._cookies = cookies
        self._clock = clock

    def remember(self, request: Request, response: Response, radicado: str) -> None:
        """Note that this browser sent this registration now."""
        known = self._known(request)
        known.pop(radicado, None)
        newest = [*known.items(), (radicado, self._clock.now())][-_MOST:]
        value = self._serializer.dumps([[sent, int(when.timestamp())] for sent, when in newest])
        text = value if isinstance(value, str) else value.decode()
        self._cookies.set(response, _COOKIE, text, max_age=int(LIFETIME.total_seconds()))

    def sent_at(self, request: Request, radicado: str) -> datetime | None:
        """When this browser sent this registration; None if it did not, or long ago."""
        return self._known(request).get(radicado)

    def _known(self, request: Request) -> dict[str, datetime]:
        try:
            entries = self._serializer.loads(self._cookies.get(request, _COOKIE) or "")
        except (BadData, UnicodeEncodeError):
            return {}
        oldest = self._clock.now() - LIFETIME
        sent = {radicado: datetime.fromtimestamp(seconds, UTC) for radicado, seconds in entries}
        return {radicado: when for radicado, when in sent.items() if is_radicado(radicado) and when > oldest}
