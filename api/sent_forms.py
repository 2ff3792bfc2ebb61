"""Which forms a browser sent: only it may see why one was refused."""

from datetime import UTC, datetime, timedelta
from typing import Final

from itsdangerous import BadData, URLSafeSerializer
from starlette.requests import Request
from starlette.responses import Response

from api.security import Cookies
from mipres.ports import Clock

# A registration waits for a registry for seven days at most, and its end is worth a look for another day.
LIFETIME: Final = timedelta(days=8)
_COOKIE: Final = "enviado_"
_MOST: Final = 8


class SentForms:
    """Radicados of the forms that a browser sent, each in a cookie that we sign.

    So two forms that are sent at once are both remembered.
    """

    def __init__(self, key: bytes, *, cookies: Cookies, clock: Clock) -> None:
        self._serializer = URLSafeSerializer(key, salt="sent-forms")
        self._cookies = cookies
        self._clock = clock

    def remember(self, request: Request, response: Response, radicado: str) -> None:
        """Note that this browser sent this registration now."""
        value = self._serializer.dumps([radicado, int(self._clock.now().timestamp())])
        text = value if isinstance(value, str) else value.decode()
        self._cookies.set(response, _COOKIE + radicado, text, max_age=int(LIFETIME.total_seconds()))
        self._drop_oldest(request, response, radicado)

    def sent_at(self, request: Request, radicado: str) -> datetime | None:
        """When this browser sent this registration; None if it did not, or long ago."""
        try:
            sent, seconds = self._serializer.loads(self._cookies.get(request, _COOKIE + radicado) or "")
        except (BadData, UnicodeEncodeError):
            return None
        when = datetime.fromtimestamp(seconds, UTC)
        return when if sent == radicado and when > self._clock.now() - LIFETIME else None

    def _drop_oldest(self, request: Request, response: Response, newest: str) -> None:
        """Leave as many as a browser's cookies have room for."""
        names = self._cookies.names(request, _COOKIE)
        others = {name.removeprefix(_COOKIE) for name in names} - {newest}
        never = datetime.min.replace(tzinfo=UTC)
        oldest_first = sorted(others, key=lambda radicado: self.sent_at(request, radicado) or never)
        for radicado in oldest_first[: 1 - _MOST]:
            self._cookies.drop(response, _COOKIE + radicado)
