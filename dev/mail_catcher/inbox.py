"""The messages, in a Maildir.

One file each, on disk before the sender hears that it was taken.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from mailbox import Maildir
from pathlib import Path

from dev.mail_catcher.messages import Listing, Message, StoredMessage, Summary, read, summarise

# `mailbox` names a file by second, microsecond, process and count; together they are the order of arrival.
_KEY = re.compile(r"(\d+)\.M(\d+)P\d+Q(\d+)\.")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Inbox:
    def __init__(self, folder: Path) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._maildir = Maildir(folder, create=True)
        # A folder of other making may hold names without a time of arrival; those are not ours to show.
        self._keys = dict.fromkeys(sorted(filter(_KEY.match, self._maildir.keys()), key=_arrival))
        self._summaries: dict[str, Summary] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, content: bytes) -> str:
        key: str = self._maildir.add(content)
        self._keys[key] = None
        return key

    def clear(self) -> None:
        self._maildir.clear()
        self._keys.clear()
        self._summaries.clear()

    def listing(self, *, start: int = 0, limit: int | None = None) -> Listing:
        """List messages, newest first."""
        end = None if limit is None else start + limit
        return Listing(
            total=len(self), messages=list(self._summarised(islice(reversed(self._keys), start, end)))
        )

    def message(self, key: str) -> Message | None:
        """Read one message; None if it is not there."""
        return read(self._stored(key)) if key in self._keys else None

    def _summarised(self, keys: Iterable[str]) -> Iterator[Summary]:
        for key in keys:
            if key not in self._summaries:
                self._summaries[key] = summarise(self._stored(key))
            yield self._summaries[key]

    def _stored(self, key: str) -> StoredMessage:
        seconds, microseconds, _count = _arrival(key)
        return StoredMessage(
            key=key,
            created=_EPOCH + timedelta(seconds=seconds, microseconds=microseconds),
            content=self._content(key),
        )

    def _content(self, key: str) -> bytes:
        try:
            return (self._folder / "new" / key).read_bytes()
        except FileNotFoundError:
            # A mail program has moved it. Asking the library first would list the whole folder for each new message.
            return self._maildir.get_bytes(key)


def _arrival(key: str) -> tuple[int, int, int]:
    match = _KEY.match(key)
    if not match:
        raise ValueError(key)
    seconds, microseconds, count = match.groups()
    return int(seconds), int(microseconds), int(count)
